/**
 * Where a publish keeps what is not in its place yet: one flat directory of its own beside the site, named by descriptor alone. It lies in a directory that may
 * belong to somebody else, who can put another in its place at any instant, but can change nothing in it.
 */
import { closeSync, constants, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

/** Nobody is served from it, because its name begins with a dot. */
const areaName = ".publishing";
/** What was planted there may be as deep as a path can be; descriptors are kept open on the way down. */
const deepest = 64;

export class StagingArea {
  readonly #directory: string;
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, areaName);
  }

  /** The path of a name in it; it is made when it is first needed. @throws Failure WRONG_STATE, IO_FAILED */
  entry(name: string): string {
    this.#descriptor ??= this.#make();
    return `/proc/self/fd/${this.#descriptor}/${name}`;
  }

  /** Removes it, and whatever else has its name, but nothing that links lead to. @throws Failure IO_FAILED, WRONG_STATE */
  clear(): void {
    this.close();
    const site = openIfThere(this.#directory);
    if (site === undefined) return;
    try {
      removeEntry(`/proc/self/fd/${site}/${areaName}`, this.#path, 0);
    } catch (error) {
      throw ioFailure(error, `cannot remove ${this.#path}`, this.#path);
    } finally {
      closeSync(site);
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Whether anything was put into it since it was cleared. */
  get isMade(): boolean {
    return this.#descriptor !== undefined;
  }

  #make(): number {
    try {
      // Fails when there is one: whoever made that could change what we put into it.
      mkdirSync(this.#path, { mode: 0o700 });
      const descriptor = openSync(this.#path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      const { uid, mode } = lstatSync(`/proc/self/fd/${descriptor}/.`);
      if (uid === process.geteuid?.() && (mode & 0o077) === 0) return descriptor;
      closeSync(descriptor);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    throw new Failure("WRONG_STATE", `${this.#path} was made by somebody else just now`, {
      subject: this.#path,
      hint: "publish again, into a directory that nobody else changes meanwhile",
    });
  }
}

/** A directory with all that is in it, a link by itself. `path` begins with a descriptor, so that no part of it can become a link. */
function removeEntry(path: string, told: string, depth: number): void {
  const found = orMissing(() => lstatSync(path));
  if (found === undefined) return;
  if (!found.isDirectory()) {
    orMissing(() => unlinkSync(path));
    return;
  }
  if (depth > deepest)
    throw new Failure("WRONG_STATE", `${told} has more than ${deepest} levels of directories`, { subject: told });
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const opened = `/proc/self/fd/${descriptor}`;
    for (const name of readdirSync(opened)) removeEntry(`${opened}/${name}`, told, depth + 1);
  } finally {
    closeSync(descriptor);
  }
  rmdirSync(path);
}

function openIfThere(path: string): number | undefined {
  return orMissing(() => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
}

function orMissing<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
