/**
 * Directories and files that decide about trust, read with suspicion: a file that somebody else can write, or a link that leads
 * elsewhere, would let him decide (T-S28). The chain is checked from the configuration directory down, which may itself be a link.
 * Reading is synchronous: the files are few and small, `run` waits for them, and waking a thread pool for each costs it 8 ms.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { keyFileLimit } from "./key-file.ts";

/** Entries of one directory of keys (T-S28): more is an accident or an attack, and reading them all would make every fetch slow. */
export const directoryLimit = 1024;

/** @throws Failure CONFIG_INVALID naming `path`, when others than root and the caller can change it */
export function requireOwn(path: string, stats: Stats): void {
  const caller = process.getuid?.() ?? 0;
  if (stats.uid !== 0 && stats.uid !== caller) {
    throw new Failure("CONFIG_INVALID", `${path} belongs to user ${stats.uid}, who could change whom you trust`, {
      subject: path,
      hint: `chown root ${path}`,
    });
  }
  if ((stats.mode & 0o022) !== 0) {
    throw new Failure("CONFIG_INVALID", `${path} can be written by others, who could change whom you trust`, {
      subject: path,
      hint: `chmod go-w ${path}`,
    });
  }
}

/** Whether the directory `base`/`path`… is there; every directory on the way is checked. @throws Failure CONFIG_INVALID */
export function checkChain(base: string, path: readonly string[]): boolean {
  const stats = orAbsent(base, () => statSync(base));
  if (stats === undefined) return false;
  requireDirectory(base, stats);
  return path.every((_, index) => {
    const directory = join(base, ...path.slice(0, index + 1));
    const below = orAbsent(directory, () => lstatSync(directory));
    if (below !== undefined) requireDirectory(directory, below);
    return below !== undefined;
  });
}

function requireDirectory(path: string, stats: Stats): void {
  if (stats.isSymbolicLink()) throw linked(path);
  if (!stats.isDirectory()) throw new Failure("CONFIG_INVALID", `${path} must be a directory`, { subject: path });
  requireOwn(path, stats);
}

function linked(path: string): Failure {
  return new Failure("CONFIG_INVALID", `${path} is a symbolic link; trust is not followed through links`, {
    subject: path,
    hint: "put the file itself there",
  });
}

function orAbsent<T>(path: string, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}

export interface Listing {
  readonly files: readonly string[];
  readonly directories: readonly string[];
}

/** Names in `base`/`path`…, sorted, without hidden ones (what a crash left of a temporary file). Nothing there: nothing listed. */
export function listDirectory(base: string, path: readonly string[]): Listing {
  const files: string[] = [];
  const directories: string[] = [];
  if (!checkChain(base, path)) return { files, directories };
  const directory = join(base, ...path);
  const entries = opendirSync(directory);
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      if (/^\./.test(entry.name)) continue;
      (entry.isDirectory() ? directories : files).push(entry.name);
      if (files.length + directories.length > directoryLimit) {
        throw new Failure("LIMIT_EXCEEDED", `${directory} has more than ${directoryLimit} entries`, {
          subject: directory,
        });
      }
    }
  } finally {
    entries.closeSync();
  }
  return { files: files.sort(), directories: directories.sort() };
}

/** The bytes of a file that decides about trust, or undefined when it is not there. A FIFO neither hangs us nor counts. */
export function readTrusted(base: string, path: readonly string[], name: string): Buffer | undefined {
  const file = join(base, ...path, name);
  const descriptor = openOrAbsent(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (descriptor === undefined) return undefined;
  try {
    checkChain(base, path);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Failure("CONFIG_INVALID", `${file} is not a regular file`, { subject: file });
    requireOwn(file, stats);
    if (stats.size > keyFileLimit) {
      throw new Failure("LIMIT_EXCEEDED", `${file} has more than ${keyFileLimit} bytes`, { subject: file });
    }
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function openOrAbsent(file: string, flags: number): number | undefined {
  try {
    return openSync(file, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    if (errno === "ELOOP") throw linked(file);
    if (errno === "ENXIO") throw new Failure("CONFIG_INVALID", `${file} is not a regular file`, { subject: file });
    throw ioFailure(error, `cannot read ${file}`, file);
  }
}

/** Makes `base`/`path`… as far as it is missing, durably, and checks all of it. */
export async function makeTrustedDirectories(base: string, path: readonly string[]): Promise<string> {
  const directory = join(base, ...path);
  checkChain(base, path);
  try {
    makeDirectories(base, 0o755);
    makeDirectories(directory, 0o755);
  } catch (error) {
    throw ioFailure(error, `cannot make ${directory}`, directory);
  }
  checkChain(base, path);
  return directory;
}
