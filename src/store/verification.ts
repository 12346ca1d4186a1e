/**
 * Compares a stored image with itself: its archives with their digests, and its tree with one that is rendered from the archives
 * anew. The archives are what was signed, so nothing that lies beside a tree needs to be believed. A tree that differs is replaced.
 */
import { createHash } from "node:crypto";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { whyDifferent } from "../image/difference.ts";
import { contentOf, type FileFacts, factsOf, pathText } from "../image/facts.ts";
import type { ImageID } from "../schema/image-id.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import { FileLock } from "../shim/flock.ts";
import { pack } from "../shim/pack.ts";
import { readArchiveBlob } from "./images.ts";
import { storedArchives } from "./layer-archives.ts";
import { planTree, type TreePlan } from "./layers.ts";
import { lockOf, type Store, treePath } from "./layout.ts";
import { notStored, readRecordSync } from "./lookup.ts";
import type { TreeUsers } from "./removal.ts";
import { renderLayersInto } from "./rendering.ts";
import { emptyTrash, makeStaging, type StagingDirectory, throwAway } from "./staging.ts";
import { findTree, publishTree } from "./trees.ts";

export interface TreeVerdict {
  readonly treeId: string;
  readonly tree: "same" | "repaired" | "differs" | "not rendered" | "not compared";
  /** Lower-case hex SHA-512 over everything that counts in the tree as it must be. */
  readonly treeHash: string;
  /** At most `mostShown`; what the tree has against what it must have. */
  readonly differences: readonly TreeDifference[];
  /** Of them all. */
  readonly differenceCount: number;
  /** Pods that keep the tree from being replaced. */
  readonly usedBy: readonly string[];
}

export interface TreeDifference {
  readonly path: string;
  /** `missing`, `added`, or what of a file differs. */
  readonly why: readonly string[];
}

export interface VerifyTreeOptions {
  readonly repair: boolean;
  /** Asked with the store held for itself. */
  readonly users: () => TreeUsers;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** Differences that are named one by one. */
export const mostShown = 1000;

/**
 * Every archive of the image and of what it depends on is read. Without a tree that is all, and for an image of layers too (LAYER-5).
 * @throws Failure DIGEST_MISMATCH, NOT_FOUND for an archive that is not what was stored; as planTree
 */
export async function verifyTree(store: Store, id: ImageID, options: VerifyTreeOptions): Promise<TreeVerdict> {
  const { log, signal } = options;
  const record = readRecordSync(store, id);
  if (record?.oci !== undefined) {
    const { verifyLayers } = await import("./verify-layers.ts");
    return await verifyLayers(store, record, options);
  }
  const using = await FileLock.acquire(lockOf(store), "shared", { signal });
  let staging: StagingDirectory | undefined;
  try {
    const plan = planTree(store, id);
    for (const layer of new Set(plan.layers.map((one) => one.id))) await hashArchive(store, layer, options);
    staging = await makeStaging(store);
    // Unpacked even without a tree: the archives are read to the end that way, and the hash can be told.
    await renderLayersInto(storedArchives(store), plan.layers, staging.rootfs, { log, signal, owner: canKeepOwners() });
    const verdict = await compareTrees(store, plan, staging, options);
    using.release();
    if (verdict.tree !== "differs" || !options.repair) return verdict;
    return await repair(store, plan, staging, verdict, options);
  } finally {
    using.release();
    await staging?.discard().catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
  }
}

/** First of all, so that a changed byte is told as that and not as the nonsense that it makes of the archive. */
async function hashArchive(store: Store, id: ImageID, { log, signal }: VerifyTreeOptions): Promise<void> {
  const record = readRecordSync(store, id);
  if (record === undefined) throw notStored(id);
  const task = `verifying ${printable(record.name)}`;
  let done = 0;
  for await (const chunk of readArchiveBlob(store, record)) {
    done += chunk.length;
    log.progress({ task, done, total: record.archive.size, finished: done === record.archive.size });
    if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
  }
}

async function compareTrees(
  store: Store,
  { treeId }: TreePlan,
  staging: StagingDirectory,
  { log, signal }: VerifyTreeOptions,
): Promise<TreeVerdict> {
  const tree = findTree(store, treeId);
  const hash = createHash("sha512");
  const differences: TreeDifference[] = [];
  let differenceCount = 0;
  const differs = (path: Buffer, why: readonly string[]): void => {
    if (why.length === 0) return;
    differenceCount += 1;
    if (differences.length < mostShown) differences.push({ path: pathText(path.toString("latin1")), why });
  };
  let done = 0;
  const unreadable = (why: string) => differs(Buffer.from("."), [why]);
  const must = walk(staging.rootfs, signal);
  const has = tree === undefined ? nothing() : readable(walk(tree.rootfs, signal), unreadable);
  for await (const { expected, actual } of inStep(must, has)) {
    done += expected?.facts.size ?? 0;
    log.progress({ task: "comparing the tree", done });
    if (expected !== undefined) hash.update(lineOf(expected));
    if (tree !== undefined) differs((expected ?? actual)?.path ?? Buffer.alloc(0), whyOf(expected, actual));
  }
  log.progress({ task: "comparing the tree", done, finished: true });
  const state = tree === undefined ? "not rendered" : differenceCount === 0 ? "same" : "differs";
  return { treeId, tree: state, treeHash: hash.digest("hex"), differences, differenceCount, usedBy: [] };
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

/** Puts the new tree in the place of the old one, unless a pod has its root there. */
async function repair(
  store: Store,
  { treeId, layers }: TreePlan,
  staging: StagingDirectory,
  verdict: TreeVerdict,
  { users, signal, log }: VerifyTreeOptions,
): Promise<TreeVerdict> {
  const onWait = () => log.info("waiting for other users of the store");
  const removing = await FileLock.acquire(lockOf(store), "exclusive", { signal, onWait });
  try {
    const usedBy = users().get(treeId) ?? [];
    if (usedBy.length > 0) return { ...verdict, usedBy };
    await throwAway(store, [treePath(store, treeId)]);
    const images = layers.map((layer) => layer.id);
    await publishTree(store, staging, treeId, images);
  } finally {
    removing.release();
  }
  await emptyTrash(store);
  return { ...verdict, tree: "repaired" };
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
