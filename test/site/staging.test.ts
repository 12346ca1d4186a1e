import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
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
  it("what comes to nothing takes away the directories that it made, and none that were there", async () => {
    mkdirSync(at("site", "a"), { recursive: true });
    const staging = await Staging.open(at("site"));
    await staging.text("a/b/c/x", "text");
    await staging.text("d/x", "text");
    assert.ok(existsSync(at("site", "a", "b", "c")));
    await staging.close();
    assert.deepEqual(readdirSync(at("site")), ["a"]);
    assert.deepEqual(readdirSync(at("site", "a")), []);
  });

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

  it("SITE-7: what was planted in the staging directory, directories too, is removed, and nothing that a link in it leads to", async () => {
    mkdirSync(at("site/.publishing/a/b"), { recursive: true });
    mkdirSync(at("other"));
    for (const name of ["other/kept", "site/.publishing/1", "site/.publishing/a/file"]) writeFileSync(at(name), "");
    symlinkSync(at("other"), at("site/.publishing/a/b/link"));
    await change(async (staging) => await staging.text("a", "1"));
    assert.deepEqual(readdirSync(at("other")), ["kept"]);
    assert.deepEqual(readdirSync(at("site")), ["a"]);
  });

  it("SITE-7: the staging directory is the one that was made, whatever has its name afterwards", async () => {
    for (const name of ["other", "site"]) mkdirSync(at(name));
    await change(async (staging) => {
      await staging.text("a", "1");
      renameSync(at("site/.publishing"), at("site/moved"));
      symlinkSync(at("other"), at("site/.publishing"));
      await staging.text("b", "2");
      await staging.copy("c", at("image"));
    });
    assert.deepEqual(readdirSync(at("other")), []);
    assert.equal(read("a") + read("b"), "12");
    const staging = await Staging.open(at("site"));
    mkdirSync(at("site/.publishing"));
    await assert.rejects(staging.text("d", "3"), failure("WRONG_STATE", /made by somebody else/));
  });

  it("SITE-7: what is read of the site to be written again is never what a link leads to elsewhere", async () => {
    mkdirSync(at("other"));
    writeFileSync(at("other/x.aci.asc"), "secret");
    await change(async (staging) => {
      await staging.copy("a/x.aci", at("image"));
      await staging.text("a/x.aci.asc", "signature");
    });
    const staging = await Staging.open(at("site"));
    assert.equal(String(await staging.read("a/x.aci.asc", 100)), "signature");
    // Between the look at the whole site and this.
    renameSync(at("site/a"), at("site/away"));
    symlinkSync(at("other"), at("site/a"));
    await assert.rejects(staging.read("a/x.aci.asc", 100), failure("WRONG_STATE", /leads out/));
    await assert.rejects(staging.alias("y.aci", "a/x.aci.asc", []), failure("WRONG_STATE", /leads out/));
    await assert.rejects(staging.text("a/new", "1"), failure("WRONG_STATE", /leads out/));
    await assert.rejects(staging.text("a/b/new", "1"), failure("WRONG_STATE", /leads out/));
    rmSync(at("site/a"));
    mkdirSync(at("site/a"));
    symlinkSync(at("other/x.aci.asc"), at("site/a/x.aci.asc"));
    await assert.rejects(staging.read("a/x.aci.asc", 100), failure("WRONG_STATE", /leads out/));
    await assert.rejects(staging.alias("y.aci", "a/x.aci.asc", []), failure("WRONG_STATE", /leads out/));
    await staging.close();
    assert.deepEqual(readdirSync(at("other")), ["x.aci.asc"]);
  });

  it("SITE-7: an owner who swaps a directory for a link all the time gets nothing written, removed or read elsewhere", async () => {
    for (const name of ["other", "site", "site/a"]) mkdirSync(at(name));
    for (const name of ["b", "b.asc"]) writeFileSync(at("other", name), "secret");
    // A directory that the staging makes anew while the name is free is in the way of both: one of the two must go then.
    const swap = `const fs=require("node:fs"),[d,o]=process.argv.slice(1);fs.symlinkSync(o,d+"/l");console.log("ready");
      const mend=()=>{try{fs.rmSync(d+"/t",{recursive:true,force:true})}catch{}try{fs.symlinkSync(o,d+"/l")}catch{}};
      for(;;){try{fs.renameSync(d+"/a",d+"/t");fs.renameSync(d+"/l",d+"/a")}catch{mend()}try{fs.renameSync(d+"/a",d+"/l");fs.renameSync(d+"/t",d+"/a")}catch{}}`;
    const owner = spawn(process.execPath, ["-e", swap, at("site"), at("other")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(owner.stdout, "data");
    let refused = 0;
    let done = 0;
    // On a busy machine the owner may get no turn for a while.
    for (const start = Date.now(); Date.now() - start < (refused > 0 ? 1500 : 60_000); ) {
      const work = change(async (staging) => {
        await staging.text("a/b", String(done));
        await staging.text("c", String((await staging.read("a/b.asc", 100)) ?? ""));
        await staging.remove("a/b.asc");
      });
      await work.then(
        () => {
          done += 1;
        },
        () => {
          refused += 1;
        },
      );
      assert.doesNotMatch(existsSync(at("site/c")) ? read("c") : "", /secret/);
    }
    owner.kill("SIGKILL");
    await once(owner, "close");
    assert.ok(refused > 0, `${done} done, ${refused} refused`);
    assert.deepEqual(readdirSync(at("other")).sort(), ["b", "b.asc"]);
    for (const name of ["b", "b.asc"]) assert.equal(readFileSync(at("other", name), "utf8"), "secret");
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
