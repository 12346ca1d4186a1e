import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { podsFrom, readUuidFile, removeUuidFile, saveUuidFile } from "../../src/api/uuid-file.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const uuid = "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11";

describe("the uuid file", () => {
  it("holds the uuid and nothing else, for everybody to read", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    await saveUuidFile(file, uuid);
    assert.equal(readFileSync(file, "utf8"), uuid);
    assert.equal(statSync(file).mode & 0o777, 0o644 & ~process.umask());
    assert.deepEqual(await podsFrom([], file), [uuid]);
    await saveUuidFile(file, uuid.toUpperCase());
    assert.equal(await readUuidFile([], file), uuid.toUpperCase());
  });

  it("may end with a newline that somebody's editor added", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    writeFileSync(file, `${uuid}\n`);
    assert.equal(await readUuidFile([], file), uuid);
  });

  it("is taken back, once or twice", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    const saved = await saveUuidFile(file, uuid);
    await removeUuidFile(saved);
    assert.equal(existsSync(file), false);
    await removeUuidFile(saved);
  });

  it("LIFE-36: is not taken back when another run has written its own there meanwhile", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    const saved = await saveUuidFile(file, uuid);
    await saveUuidFile(file, "of another pod");
    await removeUuidFile(saved);
    assert.equal(readFileSync(file, "utf8"), "of another pod");
  });

  it("LIFE-36: replaces a file without writing into it, and nothing that is no regular file", async (t) => {
    const directory = await temporaryDirectory(t);
    const [file, fifo, link] = ["file", "fifo", "link"].map((name) => join(directory, name));
    assert.ok(file !== undefined && fifo !== undefined && link !== undefined);
    writeFileSync(file, "older");
    const { ino } = statSync(file);
    await saveUuidFile(file, uuid);
    assert.notEqual(statSync(file).ino, ino);
    assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
    symlinkSync(file, link);
    for (const path of [fifo, link, directory, "/dev/full", "/dev/stdout"]) {
      const { ino, mode } = lstatSync(path);
      await assert.rejects(saveUuidFile(path, "other"), fails("IO_FAILED", /cannot write/));
      assert.deepEqual([lstatSync(path).ino, lstatSync(path).mode], [ino, mode], path);
    }
    assert.equal(readFileSync(file, "utf8"), uuid);
    await assert.rejects(podsFrom([], fifo), fails("IO_FAILED", /not a regular file/));
    assert.deepEqual(readdirSync(directory).toSorted(), ["fifo", "file", "link"], "no temporary file is left");
  });

  it("that is not there is 3, one that cannot be written a failure that names it", async (t) => {
    const directory = await temporaryDirectory(t);
    await assert.rejects(podsFrom([], join(directory, "none")), fails("NOT_FOUND", /none/));
    await assert.rejects(saveUuidFile(join(directory, "no", "file"), uuid), fails("NOT_FOUND", /cannot write/));
    await assert.rejects(saveUuidFile(directory, uuid), fails("IO_FAILED", /cannot write/));
  });
});

describe("which pods a line means", () => {
  it("its arguments, or the file's, never both or none", async () => {
    assert.deepEqual(await podsFrom(["a", "b"], undefined), ["a", "b"]);
    await assert.rejects(podsFrom([], undefined), fails("USAGE"));
    await assert.rejects(podsFrom(["a"], "file"), fails("USAGE"));
  });
  it("one, where one is needed", async () => {
    assert.equal(await readUuidFile(["a"], undefined), "a");
    await assert.rejects(readUuidFile(["a", "b"], undefined), fails("USAGE", /one pod/));
  });
});
