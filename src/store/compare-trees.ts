/** Two directories of files entry by entry: one as it must be, and one as it is. */
import type { Hash } from "node:crypto";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { whyDifferent } from "../image/difference.ts";
import { contentOf, type FileFacts, factsOf, pathText } from "../image/facts.ts";
import { pack } from "../shim/pack.ts";

export interface TreeDifference {
  readonly path: string;
  /** `missing`, `added`, or what of a file differs. */
  readonly why: readonly string[];
}

/** Differences that are named one by one. */
export const mostShown = 1000;

export class Differences {
  readonly shown: TreeDifference[] = [];
  /** Of them all. */
  count = 0;

  add(path: Buffer, why: readonly string[]): void {
    if (why.length === 0) return;
    this.count += 1;
    if (this.shown.length < mostShown) this.shown.push({ path: pathText(path.toString("latin1")), why });
  }
}

export interface CompareOptions {
  /** Told of what differs. */
  readonly found: Differences;
  /** The directory itself is nobody's: only what is in it counts. */
  readonly withoutRoot?: boolean | undefined;
  /** Told of everything that counts in the directory as it must be. */
  readonly hash?: Hash | undefined;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** @param has undefined: there is nothing to compare with, only to hash @throws Failure SHIM_FAILED, INTERRUPTED */
export async function compareDirectories(
  must: string,
  has: string | undefined,
  options: CompareOptions,
): Promise<void> {
  const { found, hash, log, signal, withoutRoot = false } = options;
  let done = 0;
  const unreadable = (why: string) => found.add(Buffer.from("."), [why]);
  const actuals = has === undefined ? nothing() : readable(walk(has, signal), unreadable);
  for await (const { expected, actual } of inStep(walk(must, signal), actuals)) {
    if (withoutRoot && expected?.key === "") continue;
    done += expected?.facts.size ?? 0;
    log.progress({ task: "comparing the tree", done });
    if (expected !== undefined) hash?.update(lineOf(expected));
    if (has !== undefined) found.add((expected ?? actual)?.path ?? Buffer.alloc(0), whyOf(expected, actual));
  }
  log.progress({ task: "comparing the tree", done, finished: true });
}

function whyOf(expected: Walked | undefined, actual: Walked | undefined): readonly string[] {
  if (expected === undefined || actual === undefined) return [expected === undefined ? "added" : "missing"];
  const why: string[] = whyDifferent(expected.facts, actual.facts);
  if (expected.hardLink === actual.hardLink) return why;
  // A later name of a file has no content of its own to compare.
  return [...why.filter((reason) => reason !== "content"), "hard links"];
}

/** Two walks as one: what has the same path comes together. */
async function* inStep(must: AsyncGenerator<Walked>, has: AsyncGenerator<Walked>) {
  try {
    let [expected, actual] = [await next(must), await next(has)];
    while (expected !== undefined || actual !== undefined) {
      const order = compare(expected, actual);
      yield { expected: order <= 0 ? expected : undefined, actual: order >= 0 ? actual : undefined };
      if (order <= 0) expected = await next(must);
      if (order >= 0) actual = await next(has);
    }
  } finally {
    await must.return(undefined);
    await has.return(undefined);
  }
}

interface Walked {
  readonly path: Buffer;
  /** In the order of the walk: `/` sorts before every other byte. */
  readonly key: string;
  readonly facts: FileFacts;
  /** The earlier name of the same file, else empty. */
  readonly hardLink: string;
}

async function* walk(rootfs: string, signal: AbortSignal | undefined): AsyncGenerator<Walked> {
  for await (const entry of pack(rootfs, { signal, asPodRoot: true })) {
    const key = entry.path.toString("latin1");
    yield {
      path: entry.path,
      key: key === "." ? "" : key.replaceAll("/", "\0"),
      facts: factsOf(entry, await contentOf(entry)),
      hardLink: entry.type === "hardlink" ? entry.link.toString("latin1") : "",
    };
  }
}

/** A tree that cannot be walked, because of a socket in it or a mount on it, is one that differs. */
async function* readable(walked: AsyncGenerator<Walked>, report: (why: string) => void): AsyncGenerator<Walked> {
  try {
    yield* walked;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "SHIM_FAILED") throw error;
    report(printable(error.message));
  }
}

async function* nothing(): AsyncGenerator<Walked> {}

async function next(walked: AsyncGenerator<Walked>): Promise<Walked | undefined> {
  const step = await walked.next();
  return step.done === true ? undefined : step.value;
}

function compare(a: Walked | undefined, b: Walked | undefined): number {
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function lineOf({ key, facts, hardLink }: Walked): string {
  return `${JSON.stringify([key, hardLink, facts])}\n`;
}
