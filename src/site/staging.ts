/**
 * Changes a directory that is being served: everything new is written beside it first, then comes into its place by rename, all in one
 * go and in the order it was given. Whatever fails before that leaves the directory as it was; nothing is touched that is right already.
 */
import { linkSync, lstatSync, renameSync, rmdirSync, statSync, unlinkSync } from "node:fs";
import { type FileHandle, open, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { trySyncDirectory } from "../base/directories.ts";
import { errnoOf } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";
import { copyContent, isSameContent, isSameText } from "./content.ts";
import { Inside } from "./inside.ts";
import { StagingArea } from "./staging-area.ts";

export type Change = "added" | "replaced" | "unchanged";

type Step = { readonly file: string; readonly staged: string | undefined };

export class Staging {
  readonly #directory: string;
  readonly #area: StagingArea;
  readonly #inside: Inside;
  readonly #steps: Step[] = [];
  /** Directories of the site that were made for what is not in its place yet, the uppermost first. */
  readonly #made: string[] = [];
  #count = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#area = new StagingArea(directory);
    this.#inside = new Inside(directory);
  }

  /** Whoever opens it holds the lock of `directory`: what an interrupted one left is taken away. @throws Failure IO_FAILED */
  static async open(directory: string): Promise<Staging> {
    const staging = new Staging(directory);
    staging.#area.clear();
    return staging;
  }

  /** Where what `file` will hold is now: beside the site, or in its place. Undefined: it will not be there. */
  path(file: string): string | undefined {
    if (this.#isGoing(file)) return undefined;
    return this.#stagedOf(file) ?? join(this.#directory, file);
  }

  /** What `file` will hold; undefined when it will not be there. Of the site itself, never what a link leads to elsewhere (SITE-7). @throws Failure IO_FAILED, LIMIT_EXCEEDED, WRONG_STATE */
  async read(file: string, limit: number): Promise<Buffer | undefined> {
    if (this.#isGoing(file)) return undefined;
    const staged = this.#stagedOf(file);
    const bytes = async (path: string | undefined) =>
      path === undefined ? undefined : await readIfExists(path, limit);
    return staged === undefined ? await this.#inside.reading(file, bytes) : await bytes(staged);
  }

  /** A text or small file. @throws Failure IO_FAILED, DISK_FULL */
  async text(file: string, bytes: Uint8Array | string): Promise<Change> {
    return await this.#guard(file, async () => {
      const there = await this.#compare(file, (path) => isSameText(Buffer.from(bytes), path));
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
      return await this.#take(file, source, companions);
    });
  }

  async #take(file: string, source: string, companions: readonly string[], original?: string): Promise<Change> {
    requireThere(source);
    const change = await this.#compare(file, (path) => isSameContent(source, path));
    if (change === "unchanged") return change;
    const staged =
      (original === undefined ? undefined : this.#link(file, original)) ?? (await this.#copy(file, source));
    this.#queue(file, staged, change, companions);
    return change;
  }

  /** What `compare` says of what is there. */
  async #compare(file: string, compare: (path: string) => Promise<Change>): Promise<Change> {
    return await this.#inside.reading(file, async (path) => (path === undefined ? "added" : await compare(path)));
  }

  /** A second name of `original`, which is a file of this site; a copy where the file system has no links. */
  async alias(file: string, original: string, companions: readonly string[]): Promise<Change> {
    return await this.#guard(file, async () => {
      const staged = this.#stagedOf(original);
      if (staged !== undefined) return await this.#take(file, staged, companions, original);
      return await this.#inside.reading(original, async (path) => {
        return await this.#take(file, path ?? join(this.#directory, original), companions, original);
      });
    });
  }

  /** The staged second name of `original`; undefined where one would be older than what it replaces, a link, or cannot be made. */
  #link(file: string, original: string): string | undefined {
    const linked = this.#nextPath(file);
    const from = this.#stagedOf(original);
    const isMade =
      from === undefined ? this.#inside.at(original, (path) => tryLink(path, linked)) : tryLink(from, linked);
    if (!isMade) return undefined;
    if (lstatSync(linked).isFile() && secondsOf(linked) > this.#secondsThere(file)) return linked;
    unlinkSync(linked);
    return undefined;
  }

  /** False: it is not there. */
  async remove(file: string): Promise<boolean> {
    const isThere = await this.#inside.reading(file, async (path) => path !== undefined).catch(() => false);
    if (isThere) this.#steps.push({ file, staged: undefined });
    return isThere;
  }

  /** Puts everything in its place, and makes that last. No reader meets a page before what it links to. */
  async commit(): Promise<void> {
    const touched = new Set<string>();
    for (const { file } of this.#steps) this.#inside.require(file);
    // Without a pause, so that neither a signal nor another request of this process comes between two of them.
    for (const { file, staged } of this.#steps) {
      try {
        this.#inside.at(file, (target) => (staged === undefined ? unlinkSync(target) : renameSync(staged, target)));
        touched.add(dirname(file));
      } catch (error) {
        const target = join(this.#directory, file);
        if (staged !== undefined || errnoOf(error) !== "ENOENT")
          throw ioFailure(error, `cannot write ${target}`, target);
      }
    }
    for (const directory of touched) this.#inside.at(`${directory}/.`, trySyncDirectory);
    for (const { file, staged } of this.#steps) if (staged === undefined) this.#removeEmpty(dirname(file));
    this.#steps.length = 0;
    this.#made.length = 0;
  }

  /** Takes away what was not committed. */
  async close(): Promise<void> {
    if (this.#area.isMade) this.#area.clear();
    for (const directory of this.#made.toReversed()) {
      try {
        this.#inside.at(directory, rmdirSync);
      } catch {
        // Somebody has put something there meanwhile, which stays.
      }
    }
  }

  #stagedOf(file: string): string | undefined {
    return this.#steps.findLast((step) => step.file === file)?.staged;
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
    const old = this.#secondsThere(file);
    if (secondsOf(staged) <= old) await utimes(staged, old + 1, old + 1);
  }

  #secondsThere(file: string): number {
    return this.#inside.at(file, secondsOf);
  }

  #nextPath(file: string): string {
    this.#inside.makeDirectory(dirname(file), (directory) => this.#made.push(directory));
    this.#count += 1;
    return this.#area.entry(String(this.#count));
  }

  /** Upwards, until one holds something. */
  #removeEmpty(directory: string): void {
    for (let at = directory; at !== "."; at = dirname(at)) {
      try {
        this.#inside.at(at, rmdirSync);
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

function requireThere(source: string): void {
  try {
    statSync(source);
  } catch (error) {
    throw ioFailure(error, `cannot read ${source}`, source);
  }
}

/** When it changed, in whole seconds; -1 when it is not there. */
function secondsOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? -1 : Math.floor(found.mtimeMs / 1000);
}

function tryLink(source: string, target: string): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch (error) {
    if (["EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
