/**
 * SITE-7: nothing of a site lies outside of its directory. Who publishes into a directory of somebody else's would otherwise overwrite,
 * remove or make public, through links planted there, what only the publisher may touch.
 */
import { lstatSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

export class Inside {
  readonly #directory: string;
  readonly #root: readonly string[];
  /** Directories below it that were looked at. */
  readonly #known = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#root = realOf(directory)?.replace(/\/$/, "").split("/") ?? [];
  }

  /** `file` of the site, which need not be there, and its directories. @throws Failure WRONG_STATE, IO_FAILED */
  require(file: string): void {
    const directory = dirname(file);
    if (!this.#known.has(directory)) this.#requireReal(directory);
    this.#known.add(directory);
    // Nearly no file is a link, and a site may have many thousands.
    if (lstatOf(join(this.#directory, file))?.isSymbolicLink() === true) this.#requireReal(file);
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
