/**
 * Compares a stored image with itself: its archives with their digests, and its tree with one that is rendered from the archives
 * anew. The archives are what was signed, so nothing that lies beside a tree needs to be believed. A tree that differs is replaced.
 */
import { createHash } from "node:crypto";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { ImageID } from "../schema/image-id.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import { FileLock } from "../shim/flock.ts";
import { compareDirectories, Differences, type TreeDifference } from "./compare-trees.ts";
import { readArchiveBlob } from "./images.ts";
import { storedArchives } from "./layer-archives.ts";
import { planTree, type TreePlan } from "./layers.ts";
import { lockOf, type Store, treePath } from "./layout.ts";
import { notStored, readRecordSync } from "./lookup.ts";
import type { TreeUsers } from "./removal.ts";
import { renderLayersInto } from "./rendering.ts";
import { emptyTrash, makeStaging, type StagingDirectory, throwAway } from "./staging.ts";
import { findTree, publishTree } from "./trees.ts";
import type { UnpackAgain } from "./verify-layers.ts";

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

export interface VerifyTreeOptions {
  readonly repair: boolean;
  /** How the layers of an OCI image are made anew, which the store does not know; without, they are not compared. */
  readonly unpackAgain?: UnpackAgain | undefined;
  /** Asked with the store held for itself. */
  readonly users: () => TreeUsers;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every archive of the image and of what it depends on is read. Without a tree that is all. An image of layers has blobs instead (LAYER-5).
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
  const found = new Differences();
  await compareDirectories(staging.rootfs, tree?.rootfs, { found, hash, log, signal });
  const state = tree === undefined ? "not rendered" : found.count === 0 ? "same" : "differs";
  const { shown: differences, count: differenceCount } = found;
  return { treeId, tree: state, treeHash: hash.digest("hex"), differences, differenceCount, usedBy: [] };
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
