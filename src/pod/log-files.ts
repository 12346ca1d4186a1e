/**
 * The files of one app's log, PATH.N … PATH.1, PATH, while the supervisor writes and rotates them. A file is known by its inode: its name
 * changes under the reader.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

/** Bytes read at once; more than any record has. */
export const blockBytes = 64 * 1024;
/** How often a name that moves away is looked for again. */
export const mostTries = 100;

export interface LogFile {
  readonly fd: number;
  readonly inode: number;
  /** Of the next byte to read. */
  position: number;
}

/** The files of the log that there are, 0 being PATH itself; newest first. */
export function numbersOf(directory: string, name: string): readonly number[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw ioFailure(error, `cannot list ${directory}`, directory);
  }
  return names
    .map((one) => (one === name ? 0 : numberOf(one, name)))
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/** No name of an app has a dot, so that no log is taken for a part of another. */
function numberOf(file: string, name: string): number | undefined {
  const dot = file.lastIndexOf(".");
  if (dot < 0 || file.slice(0, dot) !== name) return undefined;
  const text = file.slice(dot + 1);
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}

function pathOf(directory: string, name: string, number: number): string {
  return join(directory, number === 0 ? name : `${name}.${number}`);
}

/**
 * No fewer bytes than there are at this moment behind the position of `file`, in it and in those that were written after it: upwards, since
 * files move up while they are counted. Of a file that is gone, in it and in all that there are.
 */
export function bytesBehind(directory: string, name: string, { fd, inode, position }: LogFile): number {
  let bytes = 0;
  const highest = numbersOf(directory, name).at(-1) ?? 0;
  for (let number = 0; number <= highest + 1; number++) {
    const stat = lstatSync(pathOf(directory, name, number), { throwIfNoEntry: false });
    if (stat?.ino === inode) break;
    bytes += stat?.size ?? 0;
  }
  const { size } = fstatSync(fd);
  // One that was emptied is read from its beginning.
  return bytes + (size < position ? size : size - position);
}

/** Undefined for what is gone or no regular file: nothing waits, and no link is followed (LIFE-22). */
export function openNumber(directory: string, name: string, number: number): LogFile | undefined {
  const path = pathOf(directory, name, number);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENODEV"].includes(errnoOf(error) ?? "")) return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) return { fd, inode: stat.ino, position: 0 };
  closeSync(fd);
  return undefined;
}

export function inodesOf(directory: string, name: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const number of numbersOf(directory, name)) {
    const stat = lstatSync(pathOf(directory, name, number), { throwIfNoEntry: false });
    if (stat !== undefined) found.set(stat.ino, number);
  }
  return found;
}

/**
 * The file written right after (-1) or before (1) the one with this inode. Numbers only grow, the highest first: if ours has the same
 * one before and after the other was opened, the other was its neighbour.
 */
export function neighbour(directory: string, name: string, inode: number, step: 1 | -1): LogFile | undefined {
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const number = inodesOf(directory, name).get(inode);
    // Not listed while it is renamed, or gone.
    if (number === undefined) continue;
    if (number + step < 0) return undefined;
    const file = openNumber(directory, name, number + step);
    const stat = lstatSync(pathOf(directory, name, number), { throwIfNoEntry: false });
    if (stat?.ino === inode && (file !== undefined || step === 1)) return file;
    if (file !== undefined) closeSync(file.fd);
  }
  return undefined;
}

export function readAt(file: LogFile, buffer: Buffer, position: number): number {
  try {
    return readSync(file.fd, buffer, 0, buffer.length, position);
  } catch (error) {
    throw ioFailure(error, "cannot read a log", "logs");
  }
}
