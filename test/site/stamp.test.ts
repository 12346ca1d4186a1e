import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { stampOfPlaced, stampOfSource } from "../../src/site/stamp.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  path = join(directory, "a.aci");
  writeFileSync(path, "content");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** As if it were later, when everything has settled. */
const stamp = (salt = ""): Promise<string | undefined> => stampOfSource(path, salt, Date.now() + 60_000);

describe("stampOfSource (SITE-4)", () => {
  it("is the same for what did not change", async () => {
    assert.match((await stamp()) ?? "", /^[0-9a-f]{32}$/);
    assert.equal(await stamp(), await stamp());
  });
  it("a change of the same size, with the old time given back, is seen", async () => {
    const before = await stamp();
    const { atime, mtime } = statSync(path);
    writeFileSync(path, "CONTENT");
    utimesSync(path, atime, mtime);
    assert.notEqual(await stamp(), before);
  });
  it("so is another file in its place, and what lies beside it", async () => {
    const seen = new Set([await stamp()]);
    copyFileSync(path, join(directory, "b"));
    renameSync(join(directory, "b"), path);
    seen.add(await stamp());
    for (const suffix of [".asc", ".spdx.json", ".cdx.json"]) {
      writeFileSync(`${path}${suffix}`, "x");
      seen.add(await stamp());
    }
    seen.add(await stamp("salt"));
    chmodSync(path, 0o600);
    seen.add(await stamp());
    assert.equal(seen.size, 7);
  });
  it("tells nothing of what changed just now, or is not there", async () => {
    const { ctimeMs } = statSync(path);
    assert.equal(await stampOfSource(path, "", ctimeMs + 50), undefined);
    rmSync(path);
    assert.equal(await stamp(), undefined);
  });
});

describe("stampOfPlaced (SITE-4)", () => {
  it("knows which of the files are there", async () => {
    assert.equal(await stampOfPlaced([path, undefined]), await stampOfPlaced([path, `${path}.asc`]));
    const before = await stampOfPlaced([path, `${path}.asc`]);
    writeFileSync(`${path}.asc`, "x");
    assert.notEqual(await stampOfPlaced([path, `${path}.asc`]), before);
  });
});
