/** Durable file writing. Trees are removed by shim/remove, never from here. */
import { randomBytes } from "node:crypto";
import { constants, type FileHandle, lstat, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, Failure } from "./failure.ts";

export interface TemporaryFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** A new empty file in the directory of `path`, opened for writing, created exclusively so that no planted link is followed. */
export async function tempBeside(path: string, mode = 0o600): Promise<TemporaryFile> {
  const temporary = await temporaryName(path);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return { path: temporary, handle: await open(temporary, flags, mode) };
}

/** A name beside `path` for what will become it. What somebody who was killed left there for the same path is removed. */
export async function temporaryName(path: string): Promise<string> {
  await removeAbandoned(path);
  return join(dirname(path), `${beginningFor(path)}${randomBytes(6).toString("hex")}.tmp`);
}

/** Milliseconds without a change after which a temporary file has no owner any more: the longest of them grow while a network is waited for. */
const abandonedAfter = 60 * 60 * 1000;

const beginningFor = (path: string): string => `.${basename(path).slice(0, 64)}.`;

/** Removes temporary names for `path` that nobody writes to any more. Never fails: they only take space. */
export async function removeAbandoned(path: string): Promise<void> {
  const [directory, beginning] = [dirname(path), beginningFor(path)];
  const names = await readdir(directory).catch((): string[] => []);
  const isOurs = (name: string) =>
    name.slice(0, beginning.length) === beginning && /^[0-9a-f]{12}\.tmp$/.test(name.slice(beginning.length));
  for (const name of names.filter(isOurs)) {
    const left = join(directory, name);
    const found = await lstat(left).catch(() => undefined);
    if (found?.isFile() === true && Date.now() - found.mtimeMs > abandonedAfter) await unlink(left).catch(() => {});
  }
}

/** Makes renames, links and removals in `directory` survive a crash. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` with `bytes` so that after a crash at any instant either the old or the new content is there, whole.
 * Durable when the promise resolves: file, then directory, are synced.
 */
export async function writeAtomic(path: string, bytes: Uint8Array | string, mode = 0o640): Promise<void> {
  const temporary = await tempBeside(path, mode);
  try {
    await temporary.handle.writeFile(bytes);
    await temporary.handle.chmod(mode);
    await temporary.handle.sync();
    await rename(temporary.path, path);
  } catch (error) {
    await unlink(temporary.path).catch(ignoreMissing);
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await temporary.handle.close();
  }
  await syncDirectory(dirname(path));
}

/**
 * As writeAtomic, but nothing is synced: after a loss of power the file may hold anything. For what only saves work, and is recognised
 * when it is not whole.
 */
export async function replaceUnsynced(path: string, text: string): Promise<void> {
  const temporary = await tempBeside(path);
  try {
    await temporary.handle.writeFile(text);
    await rename(temporary.path, path);
  } catch (error) {
    await unlink(temporary.path).catch(ignoreMissing);
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await temporary.handle.close();
  }
}

/** The file's bytes, or undefined if it is not there. `limit` bytes at most, so that no file of a stranger fills memory. */
export async function readIfExists(path: string, limit = 16 * 1024 * 1024): Promise<Buffer | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: a FIFO planted in place of the file must not hang us (T-R18).
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Failure("IO_FAILED", `${path} is not a regular file`, { subject: path });
    if (stat.size > limit) {
      throw new Failure("LIMIT_EXCEEDED", `${path} has ${stat.size} bytes, more than the ${limit} allowed`, {
        subject: path,
      });
    }
    return await readFile(handle);
  } finally {
    await handle.close();
  }
}

/** A Failure for a system error: the operation and the path in words, the errno as cause; ENOSPC and EDQUOT become DISK_FULL. */
export function ioFailure(error: unknown, sentence: string, subject: string): Failure {
  if (error instanceof Failure) return error;
  const errno = errnoOf(error);
  if (syscallOf(error) === "uv_cwd") {
    return new Failure("NOT_FOUND", "the current directory is not there any more", {
      cause: error,
      hint: "cd to a directory that is there, and run it again",
    });
  }
  if (errno === "EMFILE" || errno === "ENFILE") {
    const whose = errno === "EMFILE" ? "this process may" : "this machine can";
    return new Failure("LIMIT_EXCEEDED", `${sentence}: ${whose} open no more files`, {
      subject,
      cause: error,
      hint: errno === "EMFILE" ? "ulimit -n 1024, and run it again" : "raise fs.file-max, or end what has files open",
    });
  }
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new Failure("DISK_FULL", `${sentence}: the disk is full`, {
      subject,
      cause: error,
      hint: "free some space, for example with perigee gc",
    });
  }
  if (errno === "ENOENT") return new Failure("NOT_FOUND", `${sentence}: it is not there`, { subject, cause: error });
  return new Failure("IO_FAILED", sentence, { subject, cause: error });
}

function syscallOf(error: unknown): unknown {
  return error instanceof Error && "syscall" in error ? error.syscall : undefined;
}

/** For `unlink(…).catch(ignoreMissing)`: that it is gone is what was wanted. */
export function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}
