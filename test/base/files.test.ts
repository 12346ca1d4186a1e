import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import {
  ignoreMissing,
  ioFailure,
  readIfExists,
  removeAbandoned,
  replaceUnsynced,
  tempBeside,
  writeAtomic,
} from "../../src/base/files.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-files-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;
const systemError = (code: string) => Object.assign(new Error(code), { code });

describe("writeAtomic", () => {
  it("replaces the whole content and gives the mode, whatever the umask", async () => {
    const path = join(directory, "a");
    await writeAtomic(path, "long content");
    await writeAtomic(path, "short", 0o604);
    assert.equal(readFileSync(path, "utf8"), "short");
    assert.equal(statSync(path).mode & 0o777, 0o604);
    assert.deepEqual(readdirSync(directory), ["a"]);
  });

  it("replaces a link and leaves what it led to", async () => {
    writeFileSync(join(directory, "target"), "old");
    symlinkSync("target", join(directory, "link"));
    await writeAtomic(join(directory, "link"), "new");
    assert.equal(readFileSync(join(directory, "target"), "utf8"), "old");
    assert.equal(readFileSync(join(directory, "link"), "utf8"), "new");
  });

  it("leaves nothing behind when it fails", async () => {
    await assert.rejects(writeAtomic(join(directory, "."), "x"));
    assert.deepEqual(readdirSync(directory), []);
  });
});

describe("tempBeside", () => {
  it("makes a new file each time, for its owner alone", async () => {
    const one = await tempBeside(join(directory, "a"));
    const other = await tempBeside(join(directory, "a"));
    assert.notEqual(one.path, other.path);
    assert.equal(statSync(one.path).mode & 0o777, 0o600);
    await Promise.all([one.handle.close(), other.handle.close()]);
  });

  it("DUR-5: removes what was left for the same path more than an hour ago, and nothing else", async () => {
    const [old, young] = [".a.0123456789ab.tmp", ".a.ba9876543210.tmp"];
    const others = [".b.0123456789ab.tmp", ".a.b.0123456789ab.tmp", ".a.tmp", "a.0123456789ab.tmp"];
    for (const name of [old, young, ...others]) writeFileSync(join(directory, name), "");
    const before = new Date(Date.now() - 61 * 60 * 1000);
    for (const name of [old, ...others]) utimesSync(join(directory, name), before, before);
    const made = await tempBeside(join(directory, "a"));
    await made.handle.close();
    assert.deepEqual(readdirSync(directory).sort(), [young, basename(made.path), ...others].sort());
  });
});

describe("what was left in a directory (DUR-5)", () => {
  const before = new Date(Date.now() - 61 * 60 * 1000);
  const leave = (name: string): void => {
    writeFileSync(join(directory, name), "");
    utimesSync(join(directory, name), before, before);
  };

  it("DUR-5: is looked for once, for whichever name is written", async () => {
    leave(".b.0123456789ab.tmp");
    await writeAtomic(join(directory, "a"), "");
    leave(".a.0123456789ab.tmp");
    for (const name of ["a", "b"]) await writeAtomic(join(directory, name), "");
    assert.deepEqual(readdirSync(directory).sort(), [".a.0123456789ab.tmp", "a", "b"]);
    await removeAbandoned(join(directory, "a"));
    assert.deepEqual(readdirSync(directory).sort(), ["a", "b"]);
  });

  it("DUR-5: is the sweep's where replaceUnsynced writes", async () => {
    leave(".a.0123456789ab.tmp");
    await replaceUnsynced(join(directory, "a"), "text");
    assert.deepEqual(readdirSync(directory).sort(), [".a.0123456789ab.tmp", "a"]);
    await assert.rejects(replaceUnsynced(join(directory, "."), "x"));
    assert.equal(readdirSync(directory).length, 2);
  });
});

describe("readIfExists", () => {
  it("is undefined for what is not there", async () =>
    assert.equal(await readIfExists(join(directory, "no")), undefined));

  it("reads up to the limit and refuses one byte more", async () => {
    writeFileSync(join(directory, "a"), "12345");
    assert.equal((await readIfExists(join(directory, "a"), 5))?.toString(), "12345");
    await assert.rejects(readIfExists(join(directory, "a"), 4), fails("LIMIT_EXCEEDED"));
  });

  it("T-R18: neither hangs on a FIFO nor reads a directory", async () => {
    spawnSync("mkfifo", [join(directory, "fifo")]);
    await assert.rejects(readIfExists(join(directory, "fifo")), fails("IO_FAILED"));
    await assert.rejects(readIfExists(directory), fails("IO_FAILED"));
  });
});

describe("ioFailure", () => {
  for (const [errno, code] of [
    ["ENOSPC", "DISK_FULL"],
    ["EDQUOT", "DISK_FULL"],
    ["ENOENT", "NOT_FOUND"],
    ["EMFILE", "LIMIT_EXCEEDED"],
    ["ENFILE", "LIMIT_EXCEEDED"],
    ["EIO", "IO_FAILED"],
  ] as const) {
    it(`${errno} is ${code}, with the operation in words`, () => {
      const failure = ioFailure(systemError(errno), "cannot write x", "x");
      assert.equal(failure.code, code);
      assert.match(failure.message, /cannot write x/);
    });
  }

  it("says which directory it is that is gone", () => {
    const failure = ioFailure(Object.assign(systemError("ENOENT"), { syscall: "uv_cwd" }), "cannot read x", "x");
    assert.equal(failure.code, "NOT_FOUND");
    assert.match(failure.message, /current directory/);
  });

  it("leaves a Failure as it is", () => {
    const failure = new Failure("LOCKED", "x");
    assert.equal(ioFailure(failure, "y", "y"), failure);
  });
});

describe("ignoreMissing", () => {
  it("swallows ENOENT only", () => {
    ignoreMissing(systemError("ENOENT"));
    assert.throws(() => ignoreMissing(systemError("EACCES")));
  });
});
