/**
 * Small files of our own state, read with suspicion: what stands in place of one may be a FIFO, a link, a directory or a file of any
 * size. Synchronous, because the hot path of `run` waits for them.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readSync, type Stats } from "node:fs";
import { errnoOf } from "./failure.ts";
import { ioFailure } from "./files.ts";

export interface StateFile {
  readonly bytes: Buffer;
  /** Of the same file as the bytes, which may be replaced at any moment. */
  readonly writtenAt: Date;
  readonly stamp: FileStamp;
}

/** What no change of a file leaves as it was (of a directory: no change of its names): writing, replacing, renaming and touching all show, unless within one tick of the kernel's clock. */
export interface FileStamp {
  readonly inode: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970, with what is below them: when content or attributes changed last, which nobody can set. */
  readonly changedAt: number;
}

/** Why there are no bytes; anything but `missing` is damage, and to be told. */
export interface Unreadable {
  readonly problem: "missing" | "not a regular file" | "too large" | "not readable";
}

/** Bytes of a state file; none of ours comes near. */
const defaultLimit = 1024 * 1024;

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** Never waits, never follows a link in the last component, never takes more than `limit` bytes. @throws Failure IO_FAILED for a sick disk */
export function readStateFile(path: string, limit = defaultLimit): StateFile | Unreadable {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch (error) {
    return whyNot(error, path);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { problem: "not a regular file" };
    const bytes = readAtMost(descriptor, limit);
    return bytes === undefined ? { problem: "too large" } : { bytes, writtenAt: stat.mtime, stamp: stampOf(stat) };
  } catch (error) {
    return whyNot(error, path);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The text of a file that is written once, and its time, at a third of the price of readStateFile, and of a fifth for one that is missing:
 * a list of 500 pods reads thousands. The size is asked for first, so a file that somebody makes larger in between is read whole.
 * @throws Failure IO_FAILED for a sick disk
 */
export function readSmallFile(path: string): { readonly text: string; readonly writtenAt: Date } | Unreadable {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { problem: "missing" };
    if (!stat.isFile()) return { problem: "not a regular file" };
    if (stat.size > defaultLimit) return { problem: "too large" };
    return { text: readFileSync(path, asText), writtenAt: stat.mtime };
  } catch (error) {
    return whyNot(error, path);
  }
}

/** Node takes numbers for flags, which its types do not say. */
const asText = { encoding: "utf8", flag: readFlags as unknown as string } as const;

/** The stamp and time of a state file, or of a directory of them, without its bytes: one system call. Undefined when there is neither. */
export function lookAtState(path: string): Omit<StateFile, "bytes"> | undefined {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true || stat?.isDirectory() === true
      ? { writtenAt: stat.mtime, stamp: stampOf(stat) }
      : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw ioFailure(error, `cannot look at ${path}`, path);
  }
}

export function isSameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.inode === b.inode && a.size === b.size && a.changedAt === b.changedAt;
}

function stampOf({ ino, size, ctimeMs }: Stats): FileStamp {
  return { inode: ino, size, changedAt: ctimeMs };
}

/** The text of a state file; undefined when there is none that can be read. */
export function readStateText(path: string): string | undefined {
  const file = readStateFile(path);
  return "problem" in file ? undefined : file.bytes.toString("utf8");
}

function whyNot(error: unknown, path: string): Unreadable {
  switch (errnoOf(error)) {
    case "ENOENT":
    // The process ended while its file in /proc was read.
    case "ESRCH":
      return { problem: "missing" };
    case "ELOOP":
    case "ENXIO":
    case "ENODEV":
    case "EISDIR":
    // Something that is no directory stands on the way to it.
    case "ENOTDIR":
      return { problem: "not a regular file" };
    case "EACCES":
    case "EPERM":
      return { problem: "not readable" };
    default:
      throw ioFailure(error, `cannot read ${path}`, path);
  }
}

/** Larger than nearly every state file, so that a look at one is open, fstat, read, close and nothing more. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024);

/** Undefined for more than `limit`. The size is not asked for: files in /proc have none. */
function readAtMost(descriptor: number, limit: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let total = 0; total <= limit; ) {
    const length = readSync(descriptor, scratch, 0, scratch.length, null);
    total += length;
    if (total > limit) break;
    parts.push(Buffer.from(scratch.subarray(0, length)));
    if (length < scratch.length) return Buffer.concat(parts);
  }
  return undefined;
}
