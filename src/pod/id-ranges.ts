/**
 * A range of 65,536 user and group ids for each pod, claimed as a file below `<data>/id-ranges` while the directory is locked.
 * The numbers are between those of systemd's containers and the end of what it uses, which nobody else hands out.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";

export const rangeSize = 65536;
const firstBase = 0x7000_0000;
const slots = 4094;

/** The first id of the range of the pod `uuid`. @throws Failure LIMIT_EXCEEDED when all are taken */
export function claimRange(data: string, uuid: string): number {
  return withRanges(data, (directory, taken) => {
    // Every data directory begins elsewhere, so that two of them on one host rarely hand out the same numbers.
    const start = createHash("sha256").update(data).digest().readUInt32LE(0) % slots;
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

/** Gives up the ranges of pods that `isAlive` does not know. */
export function releaseRanges(data: string, isAlive: (uuid: string) => boolean): void {
  withRanges(data, (directory, taken) => {
    for (const slot of taken) {
      const path = join(directory, slot);
      if (!isAlive(readFileSync(path, "utf8"))) unlinkSync(path);
    }
  });
}

function withRanges<T>(data: string, work: (directory: string, taken: ReadonlySet<string>) => T): T {
  const directory = join(data, "id-ranges");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = FileLock.open(directory, "exclusive", { wait: true });
    try {
      return work(directory, new Set(readdirSync(directory)));
    } finally {
      lock?.release();
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw ioFailure(error, `cannot claim a range of user ids in ${directory}`, directory);
  }
}
