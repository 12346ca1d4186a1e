/** Directories made with their parents. Not by Node's recursive mkdir: that never returns below a parent that takes no children, such as /proc. */
import { closeSync, constants, fsyncSync, mkdirSync, opendirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import { errnoOf, Failure } from "./failure.ts";

/**
 * Makes `path` and what is missing above it, each with `mode`; a directory that is there is left as it is. What is made survives a loss of
 * power, so that what is synced in it does: also what a process made that was killed before it had synced it (DUR-6). Such a directory is
 * empty, since nobody puts anything into one before.
 * @returns those that were made, the uppermost first
 * @throws the system's error, for ioFailure
 */
export function makeDirectories(path: string, mode: number): readonly string[] {
  const made = isDirectory(path) ? [] : makeMissing(path, mode, makeDirectories);
  if (isEmpty(path)) trySyncDirectory(dirname(path));
  return made;
}

/**
 * As makeDirectories, without anything being synced: for what nobody looks for after a loss of power. Not by Node's recursive mkdir, which
 * says that something is missing where the disk is full or broken.
 * @returns as makeDirectories
 * @throws the system's error, for ioFailure
 */
export function makeScratchDirectories(path: string, mode: number): readonly string[] {
  return isDirectory(path) ? [] : makeMissing(path, mode, makeScratchDirectories);
}

function makeMissing(path: string, mode: number, makeAbove: typeof makeDirectories): readonly string[] {
  const parent = dirname(path);
  const above = parent === path ? [] : makeAbove(parent, mode);
  try {
    mkdirSync(path, { mode });
    return [...above, path];
  } catch (error) {
    // Somebody else may have been faster.
    if (errnoOf(error) !== "EEXIST" || !isDirectory(path)) throw error;
    return above;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** One that cannot be read was not made here. */
function isEmpty(path: string): boolean {
  try {
    const entries = opendirSync(path);
    try {
      return entries.readSync() === null;
    } finally {
      entries.closeSync();
    }
  } catch (error) {
    if (!["EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
    return false;
  }
}

/**
 * A data directory is one user's: what root finds in another's could be made to harm root, and what is in one that another could change, its
 * user (LIFE-90). One that is not there yet is nobody's.
 * @throws Failure NOT_ROOT; WRONG_STATE for root
 */
export function requireOwner(data: string): void {
  const user = geteuid?.() ?? 0;
  const owner = ownerOf(data);
  if (owner === undefined || owner === user) return;
  const sentence = `the data directory ${data} belongs to user ${owner}`;
  if (user === 0) {
    throw new Failure("WRONG_STATE", `${sentence}: root has one of its own`, {
      subject: data,
      hint: `run it as that user, for example with setpriv --reuid ${owner} --regid ${owner} --init-groups`,
    });
  }
  throw new Failure("NOT_ROOT", `${sentence}, and is not yours to use`, {
    subject: data,
    hint: "sudo perigee … if it is root's, or a directory of your own: --dir DIRECTORY",
  });
}

/** Undefined for what cannot be looked at: whoever opens it is told. */
function ownerOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch {
    return undefined;
  }
}

/** Makes names in `directory` survive a crash. */
export function syncDirectorySync(directory: string): void {
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * As far as it can be: who may make something in a directory may still not be allowed to open it, and those of some file systems (squashfs,
 * erofs, iso9660, autofs, proc) cannot be synced at all.
 */
export function trySyncDirectory(directory: string): void {
  try {
    syncDirectorySync(directory);
  } catch (error) {
    if (!["EACCES", "EPERM", "EINVAL"].includes(errnoOf(error) ?? "")) throw error;
  }
}
