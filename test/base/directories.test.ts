import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  makeDirectories,
  makeScratchDirectories,
  requireOwner,
  syncDirectorySync,
  trySyncDirectory,
} from "../../src/base/directories.ts";
import { errnoOf } from "../../src/base/failure.ts";
import { fails } from "../helpers/failures.ts";
import { moduleUrl, syncedBy } from "../helpers/synced.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-directories-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("makeDirectories", () => {
  it("makes what is missing, and leaves what is there", () => {
    const made = makeDirectories(join(directory, "a", "b", "c"), 0o700);
    assert.deepEqual(
      made,
      ["a", "a/b", "a/b/c"].map((path) => join(directory, path)),
    );
    assert.deepEqual(makeDirectories(join(directory, "a", "b"), 0o755), []);
    assert.equal(statSync(join(directory, "a", "b")).mode & 0o777, 0o700);
    assert.ok(statSync(join(directory, "a", "b", "c")).isDirectory());
  });

  it("refuses a file in the way", () => {
    writeFileSync(join(directory, "file"), "");
    for (const path of ["file", "file/below"]) {
      assert.throws(
        () => makeDirectories(join(directory, path), 0o700),
        (error) => /^(EEXIST|ENOTDIR)$/.test(errnoOf(error) ?? ""),
      );
    }
  });

  it("DUR-6: syncs what it makes into its parent, and what is there and empty, which may be of a process that was killed", () => {
    const made = join(directory, "made");
    const script = `import { makeDirectories } from ${JSON.stringify(moduleUrl("base/directories"))};
      makeDirectories(${JSON.stringify(join(made, "a", "b"))}, 0o700);`;
    const synced = () => syncedBy(made, join(directory, "record"), script);
    mkdirSync(made);
    assert.deepEqual(synced(), ["", "/a"]);
    assert.deepEqual(synced(), ["/a"]);
    writeFileSync(join(made, "a", "b", "file"), "");
    assert.deepEqual(synced(), []);
  });

  it("ends below a parent that takes no children", () => {
    for (const make of [makeDirectories, makeScratchDirectories]) {
      assert.throws(
        () => make("/proc/nosuch/deeper", 0o700),
        (error) => errnoOf(error) === "ENOENT",
      );
    }
  });

  it("takes a parent that cannot be synced, as on squashfs, for what it is", () => {
    assert.throws(
      () => syncDirectorySync("/proc"),
      (error) => errnoOf(error) === "EINVAL",
    );
    trySyncDirectory("/proc");
    assert.throws(
      () => trySyncDirectory(join(directory, "missing")),
      (error) => errnoOf(error) === "ENOENT",
    );
  });
});

describe("makeScratchDirectories", () => {
  it("makes what is missing, leaves what is there, and syncs nothing", () => {
    const made = join(directory, "made");
    mkdirSync(made);
    const script = `import { makeScratchDirectories } from ${JSON.stringify(moduleUrl("base/directories"))};
      for (let i = 0; i < 2; i++) makeScratchDirectories(${JSON.stringify(join(made, "a", "b"))}, 0o700);`;
    assert.deepEqual(syncedBy(made, join(directory, "record"), script), []);
    assert.equal(statSync(join(made, "a", "b")).mode & 0o777, 0o700);
  });

  it("refuses a file in the way", () => {
    writeFileSync(join(directory, "file"), "");
    assert.throws(
      () => makeScratchDirectories(join(directory, "file", "below"), 0o700),
      (error) => /^(EEXIST|ENOTDIR)$/.test(errnoOf(error) ?? ""),
    );
  });
});

describe("requireOwner (LIFE-90)", () => {
  it("takes one's own directory, and one that is not there yet", () => {
    requireOwner(directory);
    requireOwner(join(directory, "missing", "below"));
  });

  it("refuses root a directory of another user, whoever may write there", () => {
    chmodSync(directory, 0o777);
    chownSync(directory, 1234, 1234);
    assert.throws(() => requireOwner(directory), fails("WRONG_STATE", /user 1234/, { hint: /--reuid 1234/ }));
  });
});
