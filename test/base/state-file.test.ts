import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readSmallFile, readStateFile, readStateText } from "../../src/base/state-file.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("readStateFile (LIFE-22)", () => {
  it("gives the bytes and the time of one file, of any length up to the limit", async (t) => {
    const path = join(await temporaryDirectory(t), "file");
    for (const length of [0, 5, 16 * 1024, 16 * 1024 + 1, 100_000]) {
      writeFileSync(path, "x".repeat(length));
      const file = readStateFile(path, 100_000);
      assert.ok(!("problem" in file) && file.bytes.length === length && file.writtenAt instanceof Date);
    }
    assert.deepEqual(readStateFile(path, 99_999), { problem: "too large" });
  });

  it("neither waits nor follows: what is no regular file has no bytes", async (t) => {
    const directory = await temporaryDirectory(t);
    const path = (name: string) => join(directory, name);
    execFileSync("mkfifo", [path("fifo")]);
    mkdirSync(path("directory"));
    symlinkSync("/etc/passwd", path("link"));
    writeFileSync(path("file"), "");
    for (const name of ["fifo", "directory", "link", "file/below"]) {
      assert.deepEqual(readStateFile(path(name)), { problem: "not a regular file" }, name);
      assert.equal(readStateText(path(name)), undefined);
      assert.deepEqual(readSmallFile(path(name)), { problem: "not a regular file" }, name);
    }
    for (const read of [readStateFile, readSmallFile]) assert.deepEqual(read(path("nothing")), { problem: "missing" });
    writeFileSync(path("file"), "text");
    const file = readSmallFile(path("file"));
    assert.ok("text" in file && file.text === "text" && file.writtenAt instanceof Date);
  });

  it("takes no memory for a file that says it is huge", async (t) => {
    const path = join(await temporaryDirectory(t), "sparse");
    writeFileSync(path, "");
    truncateSync(path, 2 ** 40);
    const before = process.memoryUsage().rss;
    assert.deepEqual(readStateFile(path), { problem: "too large" });
    assert.deepEqual(readSmallFile(path), { problem: "too large" });
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  });

  it("reads files of the kernel, which say that they are empty", () => {
    assert.match(readStateText("/proc/self/stat") ?? "", /^\d+ \(/);
  });
});
