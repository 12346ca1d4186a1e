/** The lock of a site that is published into: of its directory, which is made for it and taken away again when nothing comes of it. */
import { fstatSync, rmdirSync, statSync } from "node:fs";
import { makeDirectories } from "../base/directories.ts";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import type { Settings } from "./settings.ts";

/** How often a site is locked whose directory others take away. */
const mostTries = 100;

/** @param made is told of the directories that were made for it */
export async function makeAndLock(
  settings: Pick<Settings, "log">,
  out: string,
  made: Set<string>,
  signal: AbortSignal | undefined,
): Promise<FileLock> {
  for (let attempt = 0; attempt < mostTries; attempt++) {
    for (const directory of makeDirectoriesOrFail(out)) made.add(directory);
    const lock = await lockSite(settings, out, signal);
    if (lock !== undefined) return lock;
  }
  throw takenAway(out);
}

/** Undefined: there is no such directory. */
export async function lockSite(
  { log }: Pick<Settings, "log">,
  out: string,
  signal: AbortSignal | undefined,
): Promise<FileLock | undefined> {
  const onWait = () => log.info(`waiting for another publish into ${out}`);
  try {
    for (let attempt = 0; attempt < mostTries; attempt++) {
      const lock = await FileLock.acquire(out, "exclusive", { signal, onWait });
      if (isOf(lock, out)) return lock;
      lock.release();
    }
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
  throw takenAway(out);
}

/**
 * Whether the directory that was waited for is still the site's. A publish that came to nothing takes away what it had made, with its lock on
 * it; who had waited for that would have a lock that means nothing to anybody else.
 */
function isOf(lock: FileLock, out: string): boolean {
  try {
    const [locked, there] = [fstatSync(lock.fd), statSync(out)];
    return there.ino === locked.ino && there.dev === locked.dev;
  } catch {
    // Whoever opens it next is told.
    return false;
  }
}

function takenAway(out: string): Failure {
  return new Failure("LOCKED", `${out} is taken away again and again by others`, { subject: out });
}

/** What was made for a site that came to nothing. */
export function removeEmpty(made: ReadonlySet<string>): void {
  try {
    for (const directory of [...made].sort().toReversed()) rmdirSync(directory);
  } catch {
    // Somebody has put something there meanwhile, which stays.
  }
}

function makeDirectoriesOrFail(out: string): readonly string[] {
  try {
    return makeDirectories(out, 0o755);
  } catch (error) {
    throw ioFailure(error, `cannot make ${out}`, out);
  }
}
