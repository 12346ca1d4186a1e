import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { placeBytes, placeImage } from "../../src/site/place.ts";
import { failure } from "../helpers/trust.ts";

let directory = "";
const at = (...names: readonly string[]): string => join(directory, ...names);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  writeFileSync(at("image"), Buffer.alloc(600_000, "abc"), { mode: 0o600 });
  utimesSync(at("image"), 1000, 1000);
});
afterEach(() => rmSync(directory, { recursive: true }));

const signature = Buffer.from("signature");
const stamp = (path: string): string => {
  const { ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [ino, mtimeNs, ctimeNs].join(" ");
};

describe("placeBytes", () => {
  it("writes what is new or different, and does not touch what is right", async () => {
    assert.equal(await placeBytes(at("a/b/c"), "one"), "added");
    const before = stamp(at("a/b/c"));
    assert.equal(await placeBytes(at("a/b/c"), "one"), "unchanged");
    assert.equal(stamp(at("a/b/c")), before);
    assert.equal(await placeBytes(at("a/b/c"), "two"), "replaced");
    assert.equal(readFileSync(at("a/b/c"), "utf8"), "two");
    assert.equal(statSync(at("a/b/c")).mode & 0o777, 0o644);
  });
});

describe("placeImage", () => {
  it("copies the image with its time, readable for all, and the signature", async () => {
    assert.equal(await placeImage(at("image"), signature, at("site/x.aci")), "added");
    assert.ok(readFileSync(at("site/x.aci")).equals(readFileSync(at("image"))));
    assert.deepEqual([statSync(at("site/x.aci")).mode & 0o777, statSync(at("site/x.aci")).mtimeMs], [0o644, 1_000_000]);
    assert.equal(readFileSync(at("site/x.aci.asc"), "utf8"), "signature");
    assert.deepEqual(readdirSync(at("site")).sort(), ["x.aci", "x.aci.asc"]);
  });

  it("does not touch what is right", async () => {
    await placeImage(at("image"), signature, at("site/x.aci"));
    const before = [stamp(at("site/x.aci")), stamp(at("site/x.aci.asc"))];
    assert.equal(await placeImage(at("image"), signature, at("site/x.aci")), "unchanged");
    assert.deepEqual([stamp(at("site/x.aci")), stamp(at("site/x.aci.asc"))], before);
  });

  it("one byte at the end is a difference, and the old signature goes with the old image", async () => {
    await placeImage(at("image"), signature, at("site/x.aci"));
    const bytes = readFileSync(at("image"));
    bytes[bytes.length - 1] = 0;
    writeFileSync(at("image"), bytes);
    assert.equal(await placeImage(at("image"), undefined, at("site/x.aci")), "replaced");
    assert.ok(readFileSync(at("site/x.aci")).equals(bytes));
    assert.equal(existsSync(at("site/x.aci.asc")), false);
  });

  it("a new signature alone is a change", async () => {
    await placeImage(at("image"), signature, at("site/x.aci"));
    assert.equal(await placeImage(at("image"), Buffer.from("other"), at("site/x.aci")), "replaced");
    assert.equal(readFileSync(at("site/x.aci.asc"), "utf8"), "other");
  });

  it("a source of the site is shared, not copied", async () => {
    await placeImage(at("image"), signature, at("site/x.aci"));
    await placeImage(at("site/x.aci"), signature, at("site/latest.aci"), true);
    assert.equal(statSync(at("site/latest.aci")).ino, statSync(at("site/x.aci")).ino);
    assert.notEqual(statSync(at("site/x.aci")).ino, statSync(at("image")).ino);
  });

  it("a source that is not there is named, and nothing is left", async () => {
    await assert.rejects(placeImage(at("missing"), undefined, at("site/x.aci")), failure("NOT_FOUND", /missing/));
    assert.equal(existsSync(at("site")), false);
  });
});
