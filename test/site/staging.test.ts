import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Staging } from "../../src/site/staging.ts";
import { failure } from "../helpers/trust.ts";

let directory = "";
const at = (...names: readonly string[]): string => join(directory, ...names);
const read = (...names: readonly string[]): string => readFileSync(at("site", ...names), "utf8");
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  writeFileSync(at("image"), Buffer.alloc(600_000, "abc"), { mode: 0o600 });
});
afterEach(() => rmSync(directory, { recursive: true }));

async function change(work: (staging: Staging) => Promise<unknown>): Promise<void> {
  const staging = await Staging.open(at("site"));
  try {
    await work(staging);
    await staging.commit();
  } finally {
    await staging.close();
  }
}

const stamp = (path: string): string => {
  const { ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [ino, mtimeNs, ctimeNs].join(" ");
};

describe("Staging (SITE-3)", () => {
  it("nothing is there before all of it is, and nothing is left beside it", async () => {
    await change(async (staging) => {
      assert.equal(await staging.copy("a/x.aci", at("image")), "added");
      assert.equal(await staging.text("a/x.aci.asc", "signature"), "added");
      assert.deepEqual(readdirSync(at("site", "a")), []);
      assert.equal(readFileSync(staging.path("a/x.aci.asc") ?? "", "utf8"), "signature");
    });
    assert.deepEqual(readdirSync(at("site", "a")), ["x.aci", "x.aci.asc"]);
    assert.deepEqual(readdirSync(at("site")), ["a"]);
    assert.equal(statSync(at("site/a/x.aci")).mode & 0o777, 0o644);
    assert.ok(readFileSync(at("site/a/x.aci")).equals(readFileSync(at("image"))));
  });

  it("what is right is not touched, not even the directory", async () => {
    const work = async (staging: Staging): Promise<void> => {
      await staging.text("b", "one");
      await staging.copy("x.aci", at("image"));
      await staging.alias("y.aci", "x.aci", []);
      await staging.remove("missing");
    };
    await change(work);
    const before = ["b", "x.aci", "y.aci", ""].map((name) => stamp(at("site", name)));
    await change(work);
    assert.deepEqual(
      ["b", "x.aci", "y.aci", ""].map((name) => stamp(at("site", name))),
      before,
    );
    assert.equal(statSync(at("site/x.aci")).ino, statSync(at("site/y.aci")).ino);
  });

  it("what belonged to the old file goes with it, and is written again though it has not changed", async () => {
    await change(async (staging) => {
      await staging.copy("x.aci", at("image"));
      await staging.text("x.aci.asc", "signature");
      await staging.text("x.aci.json", "facts");
    });
    const bytes = readFileSync(at("image"));
    bytes[bytes.length - 1] = 0;
    writeFileSync(at("image"), bytes);
    await change(async (staging) => {
      assert.equal(await staging.copy("x.aci", at("image"), ["x.aci.asc", "x.aci.json"]), "replaced");
      assert.equal(staging.path("x.aci.asc"), undefined);
      assert.equal(await staging.text("x.aci.json", "facts"), "replaced");
    });
    assert.ok(readFileSync(at("site/x.aci")).equals(bytes));
    assert.equal(existsSync(at("site/x.aci.asc")), false);
    assert.equal(read("x.aci.json"), "facts");
  });

  it("a directory that holds nothing more goes, others stay", async () => {
    await change(async (staging) => {
      await staging.text("a/b/c", "1");
      await staging.text("a/d", "2");
    });
    await change(async (staging) => assert.equal(await staging.remove("a/b/c"), true));
    assert.deepEqual(readdirSync(at("site", "a")), ["d"]);
    await change(async (staging) => await staging.remove("a/d"));
    assert.deepEqual(readdirSync(at("site")), []);
  });

  it("what was not committed is gone", async () => {
    const staging = await Staging.open(at("site"));
    await staging.text("a", "1");
    await staging.close();
    assert.deepEqual(readdirSync(at("site")), []);
  });

  for (const { what, plant } of [
    { what: "a link to a directory", plant: (path: string) => symlinkSync(at("other"), path) },
    { what: "a link to nothing", plant: (path: string) => symlinkSync(at("missing"), path) },
    { what: "a file", plant: (path: string) => writeFileSync(path, "") },
  ]) {
    it(`SITE-7: ${what} where the staging directory belongs is removed, and nothing that it leads to`, async () => {
      for (const name of ["other", "site"]) mkdirSync(at(name));
      writeFileSync(at("other/kept"), "of somebody else");
      plant(at("site/.publishing"));
      await change(async (staging) => await staging.text("a", "1"));
      assert.deepEqual(readdirSync(at("other")), ["kept"]);
      assert.deepEqual(readdirSync(at("site")), ["a"]);
    });
  }

  it("SITE-7: a link that was planted meanwhile stops it before the first rename", async () => {
    for (const name of ["other", "site"]) mkdirSync(at(name));
    await assert.rejects(
      change(async (staging) => {
        await staging.text("a", "1");
        await staging.text("b/index.html", "2");
        rmdirSync(at("site/b"));
        symlinkSync(at("other"), at("site/b"));
      }),
      failure("WRONG_STATE", /site\/b leads out of the site/),
    );
    assert.deepEqual(readdirSync(at("other")), []);
    assert.deepEqual(readdirSync(at("site")), ["b"]);
  });

  it("says what is in the way, before anything has changed", async () => {
    mkdirSync(at("site/a"), { recursive: true });
    await assert.rejects(
      change(async (staging) => await staging.text("a", "1")),
      failure("IO_FAILED", /site\/a/),
    );
    await assert.rejects(
      change(async (staging) => await staging.copy("b", at("missing"))),
      failure("NOT_FOUND", /missing/),
    );
    assert.deepEqual(readdirSync(at("site")), ["a"]);
  });
});
