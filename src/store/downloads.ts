/**
 * Who downloads what: of several that want the same URL at the same time one does, and the others take what it brought
 * (DOWNLOAD-1). Locks end with their process, so one that is killed is followed by the next. Knows nothing of servers.
 */
import { existsSync, fstatSync, lstatSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { Failure } from "../base/failure.ts";
import { ignoreMissing } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { sha512 } from "../shim/sha512.ts";
import { type Store, stagingOf, turnsOf } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { isWholeOf } from "./partial.ts";
import { throwAway } from "./staging.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it is not at once. */
  readonly onWait?: (() => void) | undefined;
}

/** The right to ask a server for one URL. */
export interface Turn {
  readonly hasWaited: boolean;
  /** Twice is once. */
  release(): Promise<void>;
}

/** Waits until nobody else transfers what is at `url`; nothing else may be waited for while it is held. @throws Failure INTERRUPTED */
export async function takeTurn(store: Store, url: string, { signal, onWait }: WaitOptions): Promise<Turn> {
  if (!existsSync(turnsOf(store))) makeDirectories(turnsOf(store), 0o700);
  const path = join(turnsOf(store), sha512(url));
  let hasWaited = false;
  // Told once, however often somebody else is faster.
  const waits = () => {
    if (!hasWaited) onWait?.();
    hasWaited = true;
  };
  for (;;) {
    const lock = await FileLock.acquire(path, "exclusive", { create: true, signal, onWait: waits });
    // Whoever held it before removed the file: the lock is now that of a file which nobody else will find.
    if (isStillThere(lock)) return turnOf(lock, hasWaited);
    lock.release();
  }
}

function turnOf(lock: FileLock, hasWaited: boolean): Turn {
  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    try {
      // Removed while it is held, so that no URL leaves a lock behind.
      if (isStillThere(lock)) await unlink(lock.path).catch(ignoreMissing);
    } finally {
      lock.release();
    }
  };
  const release = (): Promise<void> => {
    ended ??= end();
    return ended;
  };
  return { hasWaited, release };
}

function isStillThere({ path, fd }: FileLock): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const held = fstatSync(fd);
  return there?.ino === held.ino && there.dev === held.dev;
}

/** The working directory of somebody alive who has downloaded all of `url`, and has not stored it yet. */
export function findDownloaded(store: Store, url: string): string | undefined {
  return listNames(stagingOf(store))
    .map((name) => join(stagingOf(store), name))
    .find((path) => isWholeOf(path, url) && isOwned(path));
}

/** Until the owner of a working directory has stored it, has given it up or is dead. @throws Failure INTERRUPTED */
export async function waitForOwner(path: string, { signal, onWait }: WaitOptions): Promise<void> {
  try {
    (await FileLock.acquire(path, "shared", { signal, onWait })).release();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "NOT_FOUND") throw error;
  }
}

/** Removes what killed processes left of turns. @returns how many */
export async function sweepTurns(store: Store): Promise<number> {
  if (lstatSync(turnsOf(store), { throwIfNoEntry: false }) === undefined) return 0;
  let count = 0;
  for (const name of listNames(turnsOf(store))) {
    const path = join(turnsOf(store), name);
    // Held while it goes, so that nobody takes it in between; whatever is no file is nobody's.
    const lock = isFile(path) ? openIfThere(path) : "stranger";
    if (lock === "gone" || lock === "held") continue;
    count += await throwAway(store, [path]);
    if (lock !== "stranger") lock.release();
  }
  return count;
}

/** Whether nobody holds that turn. */
export function isFreeTurn(path: string): boolean {
  return !isFile(path) || !isOwned(path);
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isOwned(path: string): boolean {
  const lock = openIfThere(path);
  if (lock !== "held" && lock !== "gone") lock.release();
  return lock === "held";
}

function openIfThere(path: string): FileLock | "held" | "gone" {
  try {
    return FileLock.open(path, "shared") ?? "held";
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return "gone";
    throw error;
  }
}
