import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  checkChain,
  listDirectory,
  makeTrustedDirectories,
  readTrusted,
  requireOwn,
} from "../../src/trust/trusted-files.ts";
import { failure, temporary } from "../helpers/trust.ts";

describe("files that decide about trust (T-S28)", () => {
  const path = temporary();
  const fresh = () => mkdtempSync(path("case-"));

  it("may belong to root and to the caller only", () => {
    const stats = statSync(fresh());
    requireOwn("/x", Object.assign(stats, { uid: 0 }));
    requireOwn("/x", Object.assign(stats, { uid: process.getuid?.() ?? 0 }));
    assert.throws(
      () => requireOwn("/x", Object.assign(stats, { uid: 4_000_000 })),
      failure("CONFIG_INVALID", /user 4000000/),
    );
  });

  it("may be written by the owner only", () => {
    const stats = statSync(fresh());
    for (const mode of [0o020, 0o002, 0o777]) {
      assert.throws(
        () => requireOwn("/x", Object.assign(stats, { mode })),
        failure("CONFIG_INVALID", /written by others/),
      );
    }
    requireOwn("/x", Object.assign(stats, { mode: 0o755 }));
  });

  it("lie below real directories; the first may be a link", async () => {
    const [base, link] = [fresh(), path("link")];
    mkdirSync(join(base, "a"));
    symlinkSync(base, link);
    symlinkSync(join(base, "a"), join(base, "b"));
    writeFileSync(join(base, "c"), "");
    assert.equal(checkChain(link, ["a"]), true);
    assert.equal(checkChain(base, ["a", "nothing"]), false);
    assert.equal(checkChain(path("nowhere"), []), false);
    assert.throws(() => checkChain(base, ["b"]), failure("CONFIG_INVALID", /link/));
    assert.throws(() => checkChain(base, ["c"]), failure("CONFIG_INVALID", /must be a directory/));
  });

  it("are listed sorted, without hidden ones", async () => {
    const base = fresh();
    for (const name of ["b", "a", ".hidden"]) writeFileSync(join(base, name), "");
    for (const name of ["y", "x"]) mkdirSync(join(base, name));
    assert.deepEqual(listDirectory(base, []), { files: ["a", "b"], directories: ["x", "y"] });
    assert.deepEqual(listDirectory(base, ["z"]), { files: [], directories: [] });
  });

  it("are read when regular and small, and absent otherwise only when they are", async () => {
    const base = fresh();
    writeFileSync(join(base, "key"), "bytes", { mode: 0o644 });
    assert.equal(readTrusted(base, [], "key")?.toString(), "bytes");
    assert.equal(readTrusted(base, [], "other"), undefined);
    assert.equal(readTrusted(base, ["key"], "below"), undefined);
    writeFileSync(join(base, "big"), Buffer.alloc(1024 * 1024 + 1), { mode: 0o644 });
    assert.throws(() => readTrusted(base, [], "big"), failure("LIMIT_EXCEEDED", /bytes/));
    symlinkSync(join(base, "key"), join(base, "link"));
    assert.throws(() => readTrusted(base, [], "link"), failure("CONFIG_INVALID", /link/));
    execFileSync("mkfifo", ["-m", "600", join(base, "fifo")]);
    assert.throws(() => readTrusted(base, [], "fifo"), failure("CONFIG_INVALID", /regular/));
  });

  it("get directories that only the owner can write, whatever the umask", async () => {
    const base = path("new", "deep");
    const mask = process.umask(0);
    try {
      assert.equal(await makeTrustedDirectories(base, ["a", "b"]), join(base, "a", "b"));
      assert.equal(await makeTrustedDirectories(base, ["a", "b"]), join(base, "a", "b"));
    } finally {
      process.umask(mask);
    }
    for (const made of [base, join(base, "a"), join(base, "a", "b")]) assert.equal(statSync(made).mode & 0o777, 0o755);
  });
});
