import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { nameOnce, openFile, readChunks, requireWritable, writeOutput } from "../../src/trust/files.ts";
import { failure, temporary } from "../helpers/trust.ts";

describe("files of the user", () => {
  const path = temporary();
  const fresh = () => mkdtempSync(path("case-"));

  it("are read whole, in chunks", async () => {
    const file = join(fresh(), "file");
    const content = Buffer.alloc(700_000, "perigee");
    writeFileSync(file, content);
    const handle = await openFile(file);
    const chunks: Uint8Array[] = [];
    for await (const chunk of readChunks(handle, undefined)) chunks.push(chunk);
    await handle.close();
    assert.ok(chunks.length > 1);
    assert.deepEqual(Buffer.concat(chunks), content);
  });

  it("are not read on when interrupted", async () => {
    const file = join(fresh(), "file");
    writeFileSync(file, "x");
    const handle = await openFile(file);
    await assert.rejects(readChunks(handle, AbortSignal.abort()).next(), failure("INTERRUPTED", /./));
    await handle.close();
  });

  it("must be there, and files", async () => {
    const directory = fresh();
    await assert.rejects(openFile(join(directory, "no")), failure("NOT_FOUND", /not there/));
    await assert.rejects(openFile(directory), failure("IO_FAILED", /not a file/));
    execFileSync("mkfifo", [join(directory, "fifo")]);
    await assert.rejects(openFile(join(directory, "fifo")), failure("IO_FAILED", /not a file/));
  });

  it("are never replaced unasked, not even by way of a link", async () => {
    const directory = fresh();
    const file = join(directory, "out");
    const options = { mode: 0o644, overwrite: false };
    await requireWritable(file, options);
    await writeOutput(file, "first", options);
    assert.equal(statSync(file).mode & 0o777, 0o644);
    await assert.rejects(requireWritable(file, options), failure("ALREADY_EXISTS", /there already/));
    await assert.rejects(writeOutput(file, "second", options), failure("ALREADY_EXISTS", /there already/));
    assert.equal(readFileSync(file, "utf8"), "first");
    symlinkSync(join(directory, "target"), join(directory, "dangling"));
    await assert.rejects(requireWritable(join(directory, "dangling"), options), failure("ALREADY_EXISTS", /./));
    await assert.rejects(writeOutput(join(directory, "dangling"), "x", options), failure("ALREADY_EXISTS", /./));
    await requireWritable(file, { ...options, overwrite: true });
    await writeOutput(file, "second", { ...options, overwrite: true });
    assert.equal(readFileSync(file, "utf8"), "second");
    assert.deepEqual(readdirSync(directory).sort(), ["dangling", "out"]);
  });

  it("are never replaced either where the file system has no links, and are never half", async () => {
    const directory = fresh();
    const [from, other, to] = ["from", "other", "to"].map((name) => join(directory, name)) as [string, string, string];
    for (const errno of ["EPERM", "EOPNOTSUPP", "ENOSYS"]) {
      const refuse = async () => {
        throw Object.assign(new Error(errno), { code: errno });
      };
      writeFileSync(from, "first");
      writeFileSync(other, "second");
      await nameOnce(from, to, refuse);
      await assert.rejects(nameOnce(other, to, refuse), { code: "EEXIST" });
      assert.equal(readFileSync(to, "utf8"), "first");
      assert.deepEqual(readdirSync(directory).sort(), ["other", "to"]);
      rmSync(to);
      // The name that was taken for it is free again when it cannot be given.
      await assert.rejects(nameOnce(from, to, refuse), { code: "ENOENT" });
      assert.deepEqual(readdirSync(directory), ["other"]);
    }
    const full = async () => {
      throw Object.assign(new Error("full"), { code: "ENOSPC" });
    };
    await assert.rejects(nameOnce(other, to, full), { code: "ENOSPC" });
    assert.deepEqual(readdirSync(directory), ["other"]);
  });

  it("that cannot be written leave nothing behind", async () => {
    const directory = fresh();
    mkdirSync(join(directory, "sub"));
    await assert.rejects(
      writeOutput(join(directory, "no", "out"), "x", { mode: 0o644, overwrite: false }),
      failure("NOT_FOUND", /cannot write/),
    );
    assert.deepEqual(readdirSync(directory), ["sub"]);
  });
});
