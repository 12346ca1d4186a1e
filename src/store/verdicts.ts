/**
 * What is known of a stored archive since it was last read whole: what verifying it said, and what its file was then. One small self-checking
 * file for each archive (spec/store.md), not synced. What a verdict means is the caller's; whoever can write here can write the records as well,
 * which name the signers that `run` believes.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import type { Log } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { type FileStamp, isSameStamp, lookAtState } from "../base/state-file.ts";
import { isSettled, keep, readKept } from "./kept.ts";
import { blobPath, type Store } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { throwAway } from "./staging.ts";

/** The file whose bytes were compared with the digest in its name, all of them. */
export interface HashedFile {
  readonly file: FileStamp;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** However little changes: a disk that rots does not tell. Milliseconds. */
const longest = 24 * 60 * 60 * 1000;

const verdictsOf = (store: Store): string => join(store.root, "verdicts");

const pathOf = (store: Store, archive: string): string => join(verdictsOf(store), `${archive}.json`);

/** @param archive SHA-512 of its bytes, in hex. Undefined when there is none that is whole and of that archive */
function readAbout(store: Store, archive: string): Readonly<Record<string, unknown>> | undefined {
  const value = readKept(pathOf(store, archive));
  return isObject(value) && value["archive"] === archive ? value : undefined;
}

/** @param archive as of readAbout */
export function readVerdict(store: Store, archive: string): unknown {
  return readAbout(store, archive)?.["verdict"];
}

/** What the file of an archive is, to be noted once all of it has been hashed; undefined when a change might not show in it (VERIFY-5). */
export function beginHashing(store: Store, archive: string, now: Date, readAt = Date.now()): HashedFile | undefined {
  const file = lookAtState(blobPath(store, archive))?.stamp;
  return file !== undefined && isSettled(file, readAt) ? { file, at: now.getTime() } : undefined;
}

/** Whether the file of an archive is the one that was hashed, not a day ago, as it was then (VERIFY-5). A clock that went back ends it. */
export function isAsHashed(store: Store, archive: string, now: Date): boolean {
  const hashed = readAbout(store, archive)?.["hashed"];
  if (!isObject(hashed) || !isObject(hashed["file"])) return false;
  const { inode, size, changedAt } = hashed["file"];
  const then = { inode: Number(inode), size: Number(size), changedAt: Number(changedAt) };
  const age = now.getTime() - Number(hashed["at"]);
  const stamp = lookAtState(blobPath(store, archive))?.stamp;
  return age >= 0 && age < longest && stamp !== undefined && isSameStamp(stamp, then);
}

export interface About {
  readonly verdict?: object | undefined;
  readonly hashed?: HashedFile | undefined;
}

/** Keeps what is new; the rest stays as it is. A store that cannot be written to does, too. */
export async function keepVerdict(store: Store, archive: string, about: About, log: Log): Promise<void> {
  makeDirectories(verdictsOf(store), 0o700);
  const known = readAbout(store, archive);
  const { verdict = known?.["verdict"], hashed = known?.["hashed"] } = about;
  await keep(pathOf(store, archive), { archive, verdict, hashed }, log);
}

/** Removes those of other archives than `kept`, and what writers who were killed left; one who is at work only has nothing kept. */
export async function sweepVerdicts(store: Store, kept: ReadonlySet<string>): Promise<void> {
  // Made with the first verdict: a store may have none.
  if (!existsSync(verdictsOf(store))) return;
  const unused = listNames(verdictsOf(store)).filter((name) => !kept.has(name.replace(/\.json$/, "")));
  await throwAway(
    store,
    unused.map((name) => join(verdictsOf(store), name)),
  );
}
