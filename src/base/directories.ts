/** Directories made with their parents. Not by Node's recursive mkdir: that never returns below a parent that takes no children, such as /proc. */
import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "./failure.ts";

/**
 * Makes `path` and what is missing above it, each with `mode`; a directory that is there is left as it is. What is made survives a loss of
 * power, so that what is synced in it does.
 * @throws the system's error, for ioFailure
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
    syncParent(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (errno !== "ENOENT" || parent === path || existsSync(parent)) throw error;
    makeDirectories(parent, mode);
    makeDirectories(path, mode);
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

/** Who may make something in a directory may still not be allowed to open it. */
function syncParent(path: string): void {
  try {
    syncDirectorySync(dirname(path));
  } catch (error) {
    if (!["EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}
