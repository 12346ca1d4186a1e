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
  // What somebody who was killed left there for the same path is removed (DUR-5).
  for (const left of await leftBeside(path)) await removeIfAbandoned(left);
  return await openNew(freshName(path), mode);
}

async function openNew(path: string, mode: number): Promise<TemporaryFile> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return { path, handle: await open(path, flags, mode) };
}

const freshName = (path: string): string =>
  join(dirname(path), `${beginningFor(path)}${randomBytes(6).toString("hex")}.tmp`);

/** Milliseconds without a change after which a temporary file has no owner any more: the longest of them grow while a network is waited for. */
const abandonedAfter = 60 * 60 * 1000;

const beginningFor = (path: string): string => `.${basename(path).slice(0, 64)}.`;

/** Of the directories that this process wrote in, the temporary names that others had left in them. */
const looks = new Map<string, { readonly at: number; readonly names: readonly string[] }>();

/** Paths left for `path`. A directory is read once in the time in which names get old enough: each of a thousand writers would read a thousand names. */
async function leftBeside(path: string): Promise<readonly string[]> {
  const directory = dirname(path);
  let look = looks.get(directory);
  if (look === undefined || Date.now() - look.at > abandonedAfter) {
    look = { at: Date.now(), names: await temporaryNamesIn(directory) };
    looks.set(directory, look);
  }
  return look.names.filter((name) => isFor(path, name)).map((name) => join(directory, name));
}

async function temporaryNamesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((): string[] => []);
  return names.filter((name) => /^\..*\.[0-9a-f]{12}\.tmp$/.test(name));
}

function isFor(path: string, name: string): boolean {
  return name.slice(0, -"0123456789ab.tmp".length) === beginningFor(path);
}

/** Removes temporary names for `path` that nobody writes to any more. Never fails: they only take space. */
export async function removeAbandoned(path: string): Promise<void> {
  const names = await temporaryNamesIn(dirname(path));
  for (const name of names.filter((one) => isFor(path, one))) await removeIfAbandoned(join(dirname(path), name));
}

async function removeIfAbandoned(left: string): Promise<void> {
  const found = await lstat(left).catch(() => undefined);
  if (found?.isFile() === true && Date.now() - found.mtimeMs > abandonedAfter) await unlink(left).catch(() => {});
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
  await replaceWith(await tempBeside(path, mode), path, async ({ handle }) => {
    await handle.writeFile(bytes);
    await handle.chmod(mode);
    await handle.sync();
  });
  await syncDirectory(dirname(path));
}

/**
 * As writeAtomic, but nothing is synced: after a loss of power the file may hold anything. For what only saves work, and is recognised
 * when it is not whole. What was left there before is not looked for: the sweep removes it.
 */
export async function replaceUnsynced(path: string, text: string): Promise<void> {
  await replaceWith(await openNew(freshName(path), 0o600), path, ({ handle }) => handle.writeFile(text));
}

/** Gives a temporary file its content and its name, or removes it. */
async function replaceWith(
  temporary: TemporaryFile,
  path: string,
  write: (temporary: TemporaryFile) => Promise<void>,
): Promise<void> {
  try {
    await write(temporary);
    await rename(temporary.path, path);
  } catch (error) {
    // What failed first is told; what is left is found by its age (DUR-5).
    await unlink(temporary.path).catch(() => {});
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
  return new Failure("IO_FAILED", sentence, { subject, cause: error, hint: hintFor(errno) });
}

function hintFor(errno: string | undefined): string | undefined {
  if (errno === "EROFS") return "name a place on another file system: this one is read-only";
  if (errno === "EACCES") return "name another place, or run it as a user who may use this one";
  return undefined;
}

function syscallOf(error: unknown): unknown {
  return error instanceof Error && "syscall" in error ? error.syscall : undefined;
}

/** For `unlink(…).catch(ignoreMissing)`: that it is gone is what was wanted. */
export function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}
