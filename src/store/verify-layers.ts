/** Whether an image of layers is what was stored: its blobs, and the directories that were made of them, which are made anew to compare (LAYER-5). */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { ImageID } from "../schema/image-id.ts";
import { FileLock } from "../shim/flock.ts";
import { sha512 } from "../shim/sha512.ts";
import { compareDirectories, Differences } from "./compare-trees.ts";
import { digestBlobPath, readDigestBlob } from "./digest-blobs.ts";
import { fetchAgain, verifyAndFetchAgain } from "./fetch-again.ts";
import { readArchiveBlob } from "./images.ts";
import { lockOf, type Store, treePath, treesOf } from "./layout.ts";
import { listNames } from "./lookup.ts";
import type { StoredRecord } from "./records.ts";
import { layerPath, publishSharedLayer, readStackNames, type SharedLayer, syncSharedLayers } from "./shared-layers.ts";
import type { Layer } from "./stack.ts";
import { emptyTrash, makeStaging, type StagingDirectory, throwAway } from "./staging.ts";
import { publishTree } from "./trees.ts";
import type { TreeVerdict, VerifyTreeOptions } from "./verification.ts";

export interface LayerAgain extends Layer, Pick<SharedLayer, "hasRoot"> {
  /** The directory that its rootfs is in. */
  readonly tree: string;
}

/** Makes the layers and the tree of a stored image from its blobs once more, below a working directory. @returns the layers of the tree */
export type UnpackAgain = (
  store: Store,
  record: StoredRecord,
  staging: StagingDirectory,
  options: { readonly sync: boolean; readonly log: Log; readonly signal?: AbortSignal | undefined },
) => Promise<readonly LayerAgain[]>;

/**
 * A blob that is not what was stored is thrown away with `repair`, so that the next fetch brings it; a layer is made anew.
 * @throws Failure DIGEST_MISMATCH, NOT_FOUND for a blob that is not what was stored; INTERRUPTED
 */
export async function verifyLayers(
  store: Store,
  record: StoredRecord,
  options: VerifyTreeOptions,
): Promise<TreeVerdict> {
  const { log, signal, unpackAgain, repair } = options;
  const { id, oci } = record;
  if (oci === undefined) throw new Failure("INTERNAL", "an image without layers");
  const using = await FileLock.acquire(lockOf(store), "shared", { signal });
  let staging: StagingDirectory | undefined;
  try {
    const rotten = await verifyBlobs(store, record, options);
    if (rotten.length > 0) {
      using.release();
      if (repair) await dropBlobs(store, record, rotten, options);
      throw rotten[0]?.failure ?? new Failure("INTERNAL", "nothing rotted");
    }
    const treeHash = sha512([oci.config, ...oci.layers].map(({ digest }) => `${digest}\n`).join(""));
    const verdict = { treeId: id, treeHash, differences: [], differenceCount: 0, usedBy: [] };
    if (unpackAgain === undefined) return { ...verdict, tree: "not compared" };
    staging = await makeStaging(store);
    const layers = await unpackAgain(store, record, staging, { sync: repair, log, signal });
    const damage = await compareLayers(store, id, layers, staging, options);
    using.release();
    const { shown: differences, count: differenceCount } = damage.found;
    if (differenceCount === 0) return { ...verdict, tree: "same" };
    const differing = { ...verdict, tree: "differs", differences, differenceCount } as const;
    return repair ? await replace(store, id, damage, staging, differing, options) : differing;
  } finally {
    using.release();
    await staging?.discard().catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
  }
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

interface RottenBlob {
  readonly blob: Blob;
  readonly failure: Failure;
}

async function verifyBlobs(
  store: Store,
  record: StoredRecord,
  options: VerifyTreeOptions,
): Promise<readonly RottenBlob[]> {
  const { name, archive, oci } = record;
  for await (const _ of readArchiveBlob(store, { name, archive }));
  return await rottenOf(store, record, oci === undefined ? [] : [oci.config, ...oci.layers], options);
}

async function rottenOf(
  store: Store,
  record: StoredRecord,
  blobs: readonly Blob[],
  { log, signal, repair }: VerifyTreeOptions,
): Promise<readonly RottenBlob[]> {
  const { name } = record;
  const total = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const task = `verifying ${printable(name)}`;
  const rotten: RottenBlob[] = [];
  let done = 0;
  for (const blob of blobs) {
    try {
      for await (const chunk of hashedBlob(store, blob, record, repair)) {
        done += chunk.length;
        log.progress({ task, done, total });
        if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
      }
    } catch (error) {
      if (!(error instanceof Failure) || !["DIGEST_MISMATCH", "NOT_FOUND"].includes(error.code)) throw error;
      rotten.push({ blob, failure: error });
    }
  }
  log.progress({ task, done, total, finished: true });
  return rotten;
}

async function* hashedBlob(
  store: Store,
  { digest, size }: Blob,
  record: StoredRecord,
  isDropped: boolean,
): AsyncGenerator<Uint8Array> {
  const [algorithm = "", hex] = digest.split(":");
  const { name } = record;
  if (!existsSync(digestBlobPath(store, digest))) {
    throw new Failure("NOT_FOUND", `a stored blob of ${printable(name)} is gone`, {
      subject: digest,
      hint: fetchAgain(record),
    });
  }
  const hash = createHash(algorithm);
  let count = 0;
  for await (const chunk of readDigestBlob(store, digest)) {
    count += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  const actual = hash.digest("hex");
  if (actual === hex && count === size) return;
  throw new Failure("DIGEST_MISMATCH", `a stored blob of ${printable(name)} is not what it was`, {
    subject: digest,
    cause: `expected ${digest} with ${size} bytes, got ${algorithm}:${actual} with ${count}`,
    hint: isDropped ? fetchAgain(record) : verifyAndFetchAgain(record),
  });
}

/** What rotted is of no use to anybody, and in the way of what is whole. It is read once more: a fetch may have brought it meanwhile. */
async function dropBlobs(
  store: Store,
  record: StoredRecord,
  rotten: readonly RottenBlob[],
  options: VerifyTreeOptions,
): Promise<void> {
  const { signal, log } = options;
  const onWait = () => log.info("waiting for other users of the store");
  const removing = await FileLock.acquire(lockOf(store), "exclusive", { signal, onWait });
  try {
    const suspects = rotten.map(({ blob }) => blob);
    const still = await rottenOf(store, record, suspects, options);
    await throwAway(
      store,
      still.map(({ blob }) => digestBlobPath(store, blob.digest)),
    );
  } finally {
    removing.release();
  }
  await emptyTrash(store);
}

interface Damage {
  readonly layers: readonly LayerAgain[];
  readonly isTreeWrong: boolean;
  readonly found: Differences;
}

async function compareLayers(
  store: Store,
  treeId: string,
  layers: readonly LayerAgain[],
  staging: StagingDirectory,
  { log, signal }: VerifyTreeOptions,
): Promise<Damage> {
  const found = new Differences();
  const wrong: LayerAgain[] = [];
  for (const layer of layers) {
    const before = found.count;
    await compareIfThere(layer.rootfs, layerPath(store, layer.id), layer.id, {
      ...{ found, log, signal },
      // One that says nothing of the root directory has that of a working directory.
      withoutRoot: !layer.hasRoot,
    });
    if (found.count > before) wrong.push(layer);
  }
  const before = found.count;
  const tree = treePath(store, treeId);
  await compareIfThere(staging.rootfs, tree, treeId, { found, log, signal });
  const names = readStackNames(tree);
  if (names === "broken" || String(names) !== String(readStackNames(staging.tree))) {
    found.add(Buffer.from("."), ["names of its layers"]);
  }
  return { layers: wrong, isTreeWrong: found.count > before, found };
}

async function compareIfThere(
  must: string,
  directory: string,
  name: string,
  options: Parameters<typeof compareDirectories>[2],
): Promise<void> {
  const isWhole = existsSync(`${directory}/manifest.ok`) && existsSync(`${directory}/rootfs`);
  if (isWhole) await compareDirectories(must, `${directory}/rootfs`, options);
  else options.found.add(Buffer.from(name), ["missing"]);
}

/** Puts what was made anew in the place of what is wrong, unless a pod has its root there. */
async function replace(
  store: Store,
  treeId: ImageID,
  { layers, isTreeWrong }: Damage,
  staging: StagingDirectory,
  verdict: TreeVerdict,
  { users, signal, log }: VerifyTreeOptions,
): Promise<TreeVerdict> {
  const onWait = () => log.info("waiting for other users of the store");
  const removing = await FileLock.acquire(lockOf(store), "exclusive", { signal, onWait });
  try {
    const trees = [treeId, ...treesOn(store, new Set(layers.map(({ id }) => id)))];
    const pods = users();
    const usedBy = [...new Set(trees.flatMap((tree) => pods.get(tree) ?? []))];
    if (usedBy.length > 0) return { ...verdict, usedBy };
    for (const { id, tree, rootfs, hasRoot } of layers) {
      await throwAway(store, [layerPath(store, id)]);
      await publishSharedLayer(store, { tree, rootfs }, id, { hasRoot });
    }
    // A tree must not outlive the names of what it lies on (DUR-2).
    await syncSharedLayers(store);
    if (isTreeWrong) {
      await throwAway(store, [treePath(store, treeId)]);
      await publishTree(store, staging, treeId, [treeId]);
    }
  } finally {
    removing.release();
  }
  await emptyTrash(store);
  return { ...verdict, tree: "repaired" };
}

/** Trees that lie on one of the layers, of this image and of others. */
function treesOn(store: Store, layers: ReadonlySet<string>): readonly string[] {
  return listNames(treesOf(store)).filter((tree) => {
    const names = readStackNames(treePath(store, tree));
    return names !== undefined && (names === "broken" || names.some((name) => layers.has(name)));
  });
}
