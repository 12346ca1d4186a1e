/**
 * Changes a directory that is being served: everything new is written beside it first, then comes into its place by rename, all in one
 * go and in the order it was given. Whatever fails before that leaves the directory as it was; nothing is touched that is right already.
 */
import { constants, renameSync, unlinkSync } from "node:fs";
import { type FileHandle, link, lstat, open, readdir, rmdir, stat, unlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf } from "../base/failure.ts";
import { ignoreMissing, ioFailure, syncDirectory } from "../base/files.ts";
import { copyContent, isSameContent, isSameText } from "./content.ts";
import { Inside } from "./inside.ts";

export type Change = "added" | "replaced" | "unchanged";

/** Of what is not in its place yet; nobody is served from it, because its name begins with a dot. Flat. */
const stagingName = ".publishing";

type Step = { readonly file: string; readonly staged: string | undefined };

export class Staging {
  readonly #directory: string;
  readonly #area: string;
  readonly #steps: Step[] = [];
  #isAreaMade = false;
  #count = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#area = join(directory, stagingName);
  }

  /** Whoever opens it holds the lock of `directory`: what an interrupted one left is taken away. @throws Failure IO_FAILED */
  static async open(directory: string): Promise<Staging> {
    const staging = new Staging(directory);
    await staging.#clear();
    return staging;
  }

  /** Where what `file` will hold is now: beside the site, or in its place. Undefined: it will not be there. */
  path(file: string): string | undefined {
    if (this.#isGoing(file)) return undefined;
    return this.#steps.findLast((step) => step.file === file)?.staged ?? join(this.#directory, file);
  }

  /** A text or small file. @throws Failure IO_FAILED, DISK_FULL */
  async text(file: string, bytes: Uint8Array | string): Promise<Change> {
    const target = join(this.#directory, file);
    return await this.#guard(file, async () => {
      const there = await isSameText(Buffer.from(bytes), target);
      const change = there === "unchanged" && this.#isGoing(file) ? "replaced" : there;
      if (change === "unchanged") return change;
      await this.#write(file, async (handle) => await handle.writeFile(bytes));
      return change;
    });
  }

  /**
   * A copy of `source`. `companions` belonged to what was there before and go away before it does: between the two a client finds no
   * signature, never the wrong one.
   */
  async copy(file: string, source: string, companions: readonly string[] = []): Promise<Change> {
    return await this.#guard(file, async () => {
      const change = await isSameContent(source, join(this.#directory, file));
      if (change === "unchanged") return change;
      const staged = await this.#copy(file, source);
      this.#queue(file, staged, change, companions);
      return change;
    });
  }

  /** A second name of `original`, which is a file of this site; a copy where the file system has no links. */
  async alias(file: string, original: string, companions: readonly string[]): Promise<Change> {
    const source = this.path(original) ?? join(this.#directory, original);
    return await this.#guard(file, async () => {
      const change = await isSameContent(source, join(this.#directory, file));
      if (change === "unchanged") return change;
      const staged = this.#nextPath(file);
      const isOlder = (await secondsOf(source)) <= (await secondsOf(join(this.#directory, file)));
      const isLinked = !isOlder && (await tryLink(source, staged));
      this.#queue(file, isLinked ? staged : await this.#copy(file, source), change, companions);
      return change;
    });
  }

  /** False: it is not there. */
  async remove(file: string): Promise<boolean> {
    const isThere = await stat(join(this.#directory, file)).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isThere) this.#steps.push({ file, staged: undefined });
    return isThere;
  }

  /** Puts everything in its place, and makes that last. No reader meets a page before what it links to. */
  async commit(): Promise<void> {
    const touched = new Set<string>();
    const inside = new Inside(this.#directory);
    for (const { file } of this.#steps) inside.require(file);
    // Without a pause, so that neither a signal nor another request of this process comes between two of them.
    for (const { file, staged } of this.#steps) {
      const target = join(this.#directory, file);
      try {
        if (staged === undefined) unlinkSync(target);
        else renameSync(staged, target);
        touched.add(dirname(target));
      } catch (error) {
        if (staged !== undefined || errnoOf(error) !== "ENOENT")
          throw ioFailure(error, `cannot write ${target}`, target);
      }
    }
    for (const directory of touched) await syncDirectory(directory);
    for (const { file, staged } of this.#steps) if (staged === undefined) await this.#removeEmpty(dirname(file));
    this.#steps.length = 0;
  }

  /** Takes away what was not committed. */
  async close(): Promise<void> {
    if (this.#isAreaMade) await this.#clear();
  }

  async #guard(file: string, work: () => Promise<Change>): Promise<Change> {
    try {
      return await work();
    } catch (error) {
      throw ioFailure(error, `cannot write ${join(this.#directory, file)}`, join(this.#directory, file));
    }
  }

  /** It is there still, but went away with what it belonged to. */
  #isGoing(file: string): boolean {
    const last = this.#steps.findLast((step) => step.file === file);
    return last !== undefined && last.staged === undefined;
  }

  #queue(file: string, staged: string, change: Change, companions: readonly string[]): void {
    if (change === "replaced") for (const other of companions) this.#steps.push({ file: other, staged: undefined });
    this.#steps.push({ file, staged });
  }

  async #write(file: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
    const staged = this.#nextPath(file);
    const handle = await open(staged, "wx", 0o644);
    try {
      await fill(handle);
      await finish(handle);
    } finally {
      await handle.close();
    }
    await this.#makeNewer(file, staged);
    this.#steps.push({ file, staged });
  }

  async #copy(file: string, source: string): Promise<string> {
    const staged = this.#nextPath(file);
    await copyContent(source, staged);
    const handle = await open(staged, "r+");
    try {
      await finish(handle);
    } finally {
      await handle.close();
    }
    await this.#makeNewer(file, staged);
    return staged;
  }

  /** Servers tell versions apart by the second they changed in and the size: a new version is always of a later second. */
  async #makeNewer(file: string, staged: string): Promise<void> {
    const old = await secondsOf(join(this.#directory, file));
    if ((await secondsOf(staged)) <= old) await utimes(staged, old + 1, old + 1);
  }

  #nextPath(file: string): string {
    if (!this.#isAreaMade) makeDirectories(this.#area, 0o700);
    this.#isAreaMade = true;
    makeDirectories(dirname(join(this.#directory, file)), 0o755);
    this.#count += 1;
    return join(this.#area, String(this.#count));
  }

  /**
   * What is cleared is the directory that was opened and no other: a link of this name, planted in a site that belongs to somebody else,
   * would have the files of another directory removed.
   */
  async #clear(): Promise<void> {
    try {
      const found = await lstat(this.#area);
      if (found.isDirectory()) await this.#clearFiles();
      else await unlink(this.#area);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw ioFailure(error, `cannot remove ${this.#area}`, this.#area);
    }
    this.#isAreaMade = false;
  }

  async #clearFiles(): Promise<void> {
    const handle = await open(this.#area, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const opened = `/proc/self/fd/${handle.fd}`;
      for (const name of await readdir(opened)) await unlink(join(opened, name));
    } finally {
      await handle.close();
    }
    await rmdir(this.#area);
  }

  /** Upwards, until one holds something. */
  async #removeEmpty(directory: string): Promise<void> {
    for (let at = directory; at !== "."; at = dirname(at)) {
      try {
        await rmdir(join(this.#directory, at));
      } catch {
        return;
      }
    }
  }
}

async function finish(handle: FileHandle): Promise<void> {
  await handle.chmod(0o644);
  await handle.sync();
}

/** When it changed, in whole seconds; -1 when it is not there. */
async function secondsOf(path: string): Promise<number> {
  const found = await stat(path).catch(ignoreMissing);
  return found === undefined ? -1 : Math.floor(found.mtimeMs / 1000);
}

async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if (["EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
