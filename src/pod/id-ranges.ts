/**
 * A range of 65,536 user and group ids for each pod, claimed as a file below `<data>/id-ranges` while the directory is locked.
 * The numbers are between those of systemd's containers and the end of what it uses, which nobody else hands out.
 */
import { existsSync, lstatSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readStateText } from "../base/state-file.ts";
import { FileLock } from "../shim/flock.ts";

export const rangeSize = 65536;
const firstBase = 0x7000_0000;
const slots = 4094;

/** The first id of the range of the pod `uuid`. @throws Failure LIMIT_EXCEEDED when all are taken */
export function claimRange(data: string, uuid: string): number {
  return withRanges(data, (directory, taken) => {
    const start = placeOf(data) % slots;
    for (let step = 0; step < slots; step++) {
      const slot = (start + step) % slots;
      if (taken.has(String(slot))) continue;
      writeFileSync(join(directory, String(slot)), uuid, { flag: "wx", mode: 0o600 });
      return firstBase + slot * rangeSize;
    }
    throw new Failure("LIMIT_EXCEEDED", `all ${slots} ranges of user ids belong to pods`, {
      hint: "perigee gc --grace-period=0s",
    });
  });
}

/** Every data directory begins elsewhere, so that two of them on one host rarely hand out the same numbers (FNV-1a). */
function placeOf(data: string): number {
  return Buffer.from(data).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
}

/** Whether the range from `base` on is the pod's by its claim: what a pod recorded long ago may have been lost with the power. */
export function ownsRange(data: string, uuid: string, base: number): boolean {
  return readStateText(claimOf(data, base)) === uuid;
}

/** The file that claims the range from `base` on. */
export function claimOf(data: string, base: number): string {
  return join(rangesOf(data), String((base - firstBase) / rangeSize));
}

/** Gives up the ranges of pods that are not among `living`, which is asked while nobody can claim one. */
export function releaseRanges(data: string, living: () => ReadonlySet<string>): void {
  if (!existsSync(rangesOf(data))) return;
  withRanges(data, (directory, taken) => {
    if (taken.size === 0) return;
    const alive = living();
    for (const slot of taken) {
      const path = join(directory, slot);
      if (!alive.has(readStateText(path) ?? "")) remove(path);
    }
  });
}

/** A directory in place of a claim goes when it is empty; else it stays, and its range is nobody's. */
function remove(path: string): void {
  try {
    if (lstatSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOTEMPTY") throw error;
  }
}

function rangesOf(data: string): string {
  return join(data, "id-ranges");
}

function withRanges<T>(data: string, work: (directory: string, taken: ReadonlySet<string>) => T): T {
  const directory = rangesOf(data);
  try {
    if (!existsSync(directory)) makeDirectories(directory, 0o700);
    const lock = FileLock.open(directory, "exclusive", { wait: true });
    try {
      return work(directory, new Set(readdirSync(directory)));
    } finally {
      lock?.release();
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw ioFailure(error, `cannot change the ranges of user ids in ${directory}`, directory);
  }
}
