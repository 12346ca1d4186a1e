/**
 * Working directories of imports and renders, and the way things leave the store. Everything is made here under a random
 * name and renamed into place when it is whole, so a process that dies leaves nothing outside of staging/.
 */
import { randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { removeTrees } from "../shim/remove.ts";
import { rootfsOf, type Store, stagingOf, trashOf } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { partialIn } from "./partial.ts";

/** A directory below staging/ that its owner holds locked: a free lock means that the owner is dead. */
export interface StagingDirectory {
  readonly path: string;
  /** Becomes trees/ID. */
  readonly tree: string;
  readonly rootfs: string;
  /** Removes what is left and lets go of the lock. */
  discard(): Promise<void>;
  /** Lets go of the lock and leaves everything to whoever adopts it; the next sweep removes it otherwise. */
  leave(): void;
}

/** Makes one, with an empty tree/rootfs. Holds staging/ shared meanwhile, so that no sweep sees it before it is locked. */
export async function makeStaging(store: Store): Promise<StagingDirectory> {
  const path = join(stagingOf(store), randomName());
  return await withTree(store, path, await makeLocked(store, path));
}

/** The directory of a dead owner that `isWanted` (looked at again once it is locked), with a new empty tree/rootfs; undefined: none. */
export async function adoptStaging(
  store: Store,
  isWanted: (path: string) => boolean,
): Promise<StagingDirectory | undefined> {
  // A sweep, which would take it too, holds staging/ exclusively.
  const looking = await FileLock.acquire(stagingOf(store), "shared");
  try {
    for (const name of listNames(stagingOf(store))) {
      const path = join(stagingOf(store), name);
      if (!isWanted(path)) continue;
      const lock = openIfThere(path);
      if (lock !== undefined && isWanted(path)) {
        await throwAway(store, [join(path, "tree")]);
        return await withTree(store, path, lock);
      }
      lock?.release();
    }
    return undefined;
  } finally {
    looking.release();
  }
}

async function withTree(store: Store, path: string, lock: FileLock): Promise<StagingDirectory> {
  const discard = async (): Promise<void> => {
    try {
      await throwAway(store, [path]);
      await emptyTrash(store);
    } finally {
      lock.release();
    }
  };
  const tree = join(path, "tree");
  try {
    await mkdir(tree, { mode: 0o700 });
    await mkdir(rootfsOf(tree), { mode: 0o755 });
  } catch (error) {
    await discard().catch(() => {});
    throw ioFailure(error, `cannot make a working directory in ${stagingOf(store)}`, path);
  }
  return { path, tree, rootfs: rootfsOf(tree), discard, leave: () => lock.release() };
}

async function makeLocked(store: Store, path: string): Promise<FileLock> {
  const making = await FileLock.acquire(stagingOf(store), "shared");
  try {
    await mkdir(path, { mode: 0o700 });
    return await FileLock.acquire(path, "exclusive");
  } catch (error) {
    throw ioFailure(error, `cannot make a working directory in ${stagingOf(store)}`, path);
  } finally {
    making.release();
  }
}

/** Removes staging directories whose owner is dead. @returns how many there were */
export async function sweepStaging(store: Store): Promise<number> {
  const sweeping = await FileLock.acquire(stagingOf(store), "exclusive");
  let dead = 0;
  try {
    for (const name of listNames(stagingOf(store))) {
      const path = join(stagingOf(store), name);
      if (!(await takeFromDead(store, path))) continue;
      dead += 1;
    }
  } finally {
    sweeping.release();
  }
  await emptyTrash(store);
  return dead;
}

/** Whether it is nobody's, and holds no part of a download that could be gone on with. */
export function isDeadStaging(path: string): boolean {
  if (!isDirectory(path)) return true;
  const lock = openIfThere(path);
  lock?.release();
  return lock !== undefined && partialIn(path) === undefined;
}

async function takeFromDead(store: Store, path: string): Promise<boolean> {
  // A link or a socket is nobody's working directory.
  if (!isDirectory(path)) return (await throwAway(store, [path])) === 1;
  const lock = openIfThere(path);
  if (lock === undefined) return false;
  try {
    return (await throwAway(store, [path])) === 1;
  } finally {
    lock.release();
  }
}

/** Undefined when somebody holds it, or when its owner was faster and finished. */
function openIfThere(path: string): FileLock | undefined {
  try {
    return FileLock.open(path, "exclusive");
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/**
 * Takes files and trees out of the store at once, by renaming them into trash/; emptyTrash removes them later, in whatever
 * time it takes. What is not there is no error. @returns how many were there
 */
export async function throwAway(store: Store, paths: readonly string[]): Promise<number> {
  let count = 0;
  for (const path of paths) {
    try {
      await rename(path, join(trashOf(store), randomName()));
      count += 1;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw ioFailure(error, `cannot remove ${path}`, path);
    }
  }
  return count;
}

/** Removes everything in trash/. One process at a time, so that two do not trip over each other; needs no other lock. */
export async function emptyTrash(store: Store): Promise<void> {
  const lock = await FileLock.acquire(trashOf(store), "exclusive");
  try {
    const names = listNames(trashOf(store));
    if (names.length > 0) await removeTrees(trashOf(store), names, { asPodRoot: true });
  } finally {
    lock.release();
  }
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function randomName(): string {
  return randomBytes(12).toString("hex");
}
