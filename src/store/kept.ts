/**
 * Files that keep what was read of the store, so that it need not be read again while what it was read from has the same stamp (spec/store.md,
 * Listing). They are never the truth: gone, damaged or of another form, it is as if nothing had been kept.
 */
import { errnoOf, Failure } from "../base/failure.ts";
import { replaceUnsynced } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { type FileStamp, readStateFile } from "../base/state-file.ts";
import { decodeSelfChecking, encodeSelfChecking } from "./records.ts";

/** Images; the entries of fewer are read as fast as they are written. */
export const worthKeeping = 32;

/** Milliseconds. What changed later than this may change again within the same tick of the clock, and show the same stamp. */
const settling = 1000;

/** Whether whatever changes now will give another stamp than this one. `readAt`: milliseconds since 1970, from before anything was read. */
export function isSettled(stamp: FileStamp, readAt: number): boolean {
  return stamp.changedAt < readAt - settling;
}

/** Bytes: some 60,000 images. */
const limit = 64 * 1024 * 1024;

/** What a file keeps; undefined when it is not whole. The digest tells that every byte is as this program wrote it: only its form needs a look. */
export function readKept(path: string): unknown {
  try {
    const file = readStateFile(path, limit);
    return "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  } catch (error) {
    // A sick disk, or a digest over what is no JSON.
    if (error instanceof Failure || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A store that cannot be written to stays as it is. */
export async function keep(path: string, value: unknown, log: Log): Promise<void> {
  try {
    await replaceUnsynced(path, encodeSelfChecking(value));
  } catch (error) {
    // A disk that is full or only read, or somebody else's store: all that is lost is time.
    if (!(error instanceof Failure) && errnoOf(error) === undefined) throw error;
    log.debug(`what would save work is not kept: ${String(error)}`);
  }
}
