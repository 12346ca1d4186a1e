/**
 * SITE-7: nothing of a site lies outside of its directory. Who publishes into a directory of somebody else's would otherwise overwrite,
 * remove or make public, through links planted there, what only the publisher may touch. Looking at a path first (`require`) gives a clear refusal
 * before anything is done; what is done goes by descriptors whose own place was looked at, because its owner can change a path at any instant.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeDirectories, trySyncDirectory } from "../base/directories.ts";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

/** O_PATH, which Node does not name: neither reads nor waits for what is opened, be it a FIFO or a device. */
const asPlace = 0o10000000;

export class Inside {
  readonly #directory: string;
  #found: readonly string[] | undefined;
  /** Directories below it that were looked at. */
  readonly #known = new Set<string>();
  readonly #made = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Of a site that is not there yet nothing is outside. */
  get #root(): readonly string[] {
    this.#found ??= realOf(this.#directory)?.replace(/\/$/, "").split("/");
    return this.#found ?? [];
  }

  /** `file` of the site, which need not be there, and its directories. @throws Failure WRONG_STATE, IO_FAILED */
  require(file: string): void {
    const directory = dirname(file);
    if (!this.#known.has(directory)) this.#requireReal(directory);
    this.#known.add(directory);
    // Nearly no file is a link, and a site may have many thousands.
    if (lstatOf(join(this.#directory, file))?.isSymbolicLink() === true) this.#requireReal(file);
  }

  /** What `act` makes of a path of `file` whose directory is one of the site, and stays the same one. @throws Failure WRONG_STATE, IO_FAILED */
  at<T>(file: string, act: (path: string) => T): T {
    const descriptor = this.#open(dirname(file), asPlace | constants.O_DIRECTORY);
    try {
      return act(`/proc/self/fd/${descriptor}/${basename(file)}`);
    } finally {
      closeSync(descriptor);
    }
  }

  /** What `act` makes of a path of the very file that `file` is now; of undefined when there is none. @throws Failure WRONG_STATE, IO_FAILED */
  async reading<T>(file: string, act: (path: string | undefined) => Promise<T>): Promise<T> {
    const descriptor = orMissing(join(this.#directory, file), () => this.#open(file, asPlace));
    if (descriptor === undefined) return await act(undefined);
    try {
      if (fstatSync(descriptor).isFile()) return await act(`/proc/self/fd/${descriptor}`);
      const path = join(this.#directory, file);
      throw new Failure("IO_FAILED", `${printable(path)} is not a regular file`, { subject: path });
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * Makes `directory` of the site and those above it, durably, as far as they are missing; one that is empty may be of a publish that was
   * killed before it had synced it. `made` hears of each that is new below the site.
   */
  makeDirectory(directory: string, made: (directory: string) => void = () => {}): void {
    if (this.#made.has(directory)) return;
    if (directory === ".") makeDirectories(this.#directory, 0o755);
    else this.#makeBelow(directory, made);
    this.#made.add(directory);
  }

  #makeBelow(directory: string, made: (directory: string) => void): void {
    this.makeDirectory(dirname(directory), made);
    this.at(directory, (path) => {
      if (holdsSomething(directory, path)) return;
      try {
        mkdirSync(path, { mode: 0o755 });
        made(directory);
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
      }
      trySyncDirectory(dirname(path));
    });
  }

  #open(name: string, flags: number): number {
    const descriptor = openSync(join(this.#directory, name), flags);
    // What was opened is asked, not what the path means now.
    const opened = readlinkSync(`/proc/self/fd/${descriptor}`).split("/");
    if (this.#root.every((part, index) => part === opened[index])) return descriptor;
    closeSync(descriptor);
    throw this.#leadsOut(name);
  }

  /** The part of `name` that is there. */
  #requireReal(name: string): void {
    for (let at = name; ; at = dirname(at)) {
      const real = realOf(join(this.#directory, at))?.split("/");
      if (real !== undefined && !this.#root.every((part, index) => part === real[index])) throw this.#leadsOut(at);
      if (real !== undefined || at === ".") return;
    }
  }

  #leadsOut(name: string): Failure {
    const path = join(this.#directory, name);
    return new Failure("WRONG_STATE", `${printable(path)} leads out of the site`, {
      subject: path,
      cause:
        "nothing is written, removed or read through links that end outside of the directory that is published into",
      hint: "remove the link, and publish again",
    });
  }
}

/** Also one that cannot be listed: it was not made here. */
function holdsSomething(directory: string, path: string): boolean {
  try {
    return readdirSync(`${path}/.`).length > 0;
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (["EACCES", "EPERM"].includes(errno)) return true;
    if (["ENOENT", "ENOTDIR"].includes(errno)) return false;
    throw ioFailure(error, `cannot read ${directory}`, directory);
  }
}

function realOf(path: string): string | undefined {
  return orMissing(path, () => realpathSync.native(path));
}

function lstatOf(path: string): ReturnType<typeof lstatSync> {
  return orMissing(path, () => lstatSync(path));
}

function orMissing<T>(path: string, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}
