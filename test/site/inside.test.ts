import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Inside } from "../../src/site/inside.ts";
import { asNobody, nobody } from "../helpers/as-nobody.ts";
import { moduleUrl, syncedBy } from "../helpers/synced.ts";
import { failure } from "../helpers/trust.ts";

let directory = "";
const at = (...names: readonly string[]): string => join(directory, ...names);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  for (const name of ["site", "site/here", "site-of-others"]) mkdirSync(at(name));
  writeFileSync(at("site-of-others/file"), "");
});
afterEach(() => rmSync(directory, { recursive: true }));

const look = (file: string): void => new Inside(at("site")).require(file);

describe("Inside (SITE-7)", () => {
  it("what is there, what is not yet, and links that stay in the site", () => {
    writeFileSync(at("site/here/file"), "");
    symlinkSync("here", at("site/there"));
    symlinkSync("here/file", at("site/link"));
    for (const file of ["here/file", "here/new", "a/b/new", "there/file", "there/a/new", "link", "new"]) look(file);
  });

  it("a site that is not there yet has nothing to look at", () => new Inside(at("missing")).require("a/b"));

  it("the root directory as a site", () => new Inside("/").require("missing/file"));

  it("a site that is reached by a link", () => {
    symlinkSync("site", at("name"));
    new Inside(at("name")).require("here/file");
  });

  for (const [what, target, file] of [
    ["a link to a file elsewhere", "../site-of-others/file", "link"],
    ["a directory elsewhere, whose name begins alike", "../site-of-others", "link/file"],
    ["a directory below one elsewhere", "../site-of-others", "link/a/b/file"],
    ["the directory above", "..", "link/file"],
  ] as const) {
    it(`refuses ${what}`, () => {
      symlinkSync(target, at("site/link"));
      assert.throws(() => look(file), failure("WRONG_STATE", /site\/link leads out of the site/));
    });
  }

  it("refuses links that go in a circle", () => {
    symlinkSync("link", at("site/link"));
    assert.throws(() => look("link/file"), failure("IO_FAILED", /site\/link/));
  });

  it("makes a directory when what kept it from that is gone", () => {
    for (const path of [directory, at("site")]) chmodSync(path, 0o755);
    const inside = new Inside(at("site"));
    assert.throws(() => asNobody(() => inside.makeDirectory("here/b")), /EACCES/);
    inside.makeDirectory("here/b");
    assert.deepEqual(readdirSync(at("site/here")), ["b"]);
  });

  it("makes a directory in one that it may write to and not list", () => {
    for (const path of [directory, at("site")]) chmodSync(path, 0o755);
    chownSync(at("site/here"), nobody, nobody);
    chmodSync(at("site/here"), 0o311);
    const made: string[] = [];
    asNobody(() => new Inside(at("site")).makeDirectory("here/b", (name) => made.push(name)));
    assert.deepEqual(made, ["here/b"]);
    assert.deepEqual(readdirSync(at("site/here")), ["b"]);
  });

  it("acts by descriptor: makes, reads and changes in the site, and nothing that a link leads to", async () => {
    const inside = new Inside(at("site"));
    inside.makeDirectory("a/b");
    inside.at("a/b/file", (path) => writeFileSync(path, "here"));
    assert.equal(readFileSync(at("site/a/b/file"), "utf8"), "here");
    const text = async (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, "utf8"));
    assert.equal(await inside.reading("a/b/file", text), "here");
    assert.equal(await inside.reading("a/none/file", text), undefined);
    symlinkSync("b/file", at("site/a/link"));
    assert.equal(await inside.reading("a/link", text), "here", "links that stay in the site are followed");
    symlinkSync("../site-of-others", at("site/out"));
    symlinkSync("../site-of-others/file", at("site/secret"));
    for (const file of ["out/file", "secret"])
      await assert.rejects(inside.reading(file, text), failure("WRONG_STATE", /leads out/));
    assert.throws(() => inside.at("out/new", (path) => writeFileSync(path, "")), failure("WRONG_STATE", /leads out/));
    assert.throws(() => inside.makeDirectory("out/new"), failure("WRONG_STATE", /leads out/));
    await assert.rejects(inside.reading("a", text), failure("IO_FAILED", /not a regular file/));
  });

  it("DUR-6: syncs directories that it makes, and empty ones, which may be of a publish that was killed", () => {
    const script = `import { Inside } from ${JSON.stringify(moduleUrl("site/inside"))};
      const inside = new Inside(${JSON.stringify(at("site"))});
      for (const name of ["here/a", "here/a", "here"]) inside.makeDirectory(name);`;
    const synced = () => syncedBy(at("site"), at("record"), script);
    assert.deepEqual(synced(), ["", "/here"]);
    assert.deepEqual(synced(), ["/here"]);
    writeFileSync(at("site/here/a/file"), "");
    assert.deepEqual(synced(), []);
  });
});
