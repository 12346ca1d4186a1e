/** Directories made with their parents. Not by Node's recursive mkdir: that never returns below a parent that takes no children, such as /proc. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "./failure.ts";

/**
 * Makes `path` and what is missing above it, each with `mode`; a directory that is there is left as it is.
 * @throws the system's error, for ioFailure
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (errno !== "ENOENT" || parent === path || existsSync(parent)) throw error;
    makeDirectories(parent, mode);
    makeDirectories(path, mode);
  }
}
