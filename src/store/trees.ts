/**
 * Trees: the files of an image with everything it depends on, ready to run. A tree has its final name only when it is whole
 * and on the disk; one without its mark does not exist.
 */

import { lstatSync, type Stats } from "node:fs";
import { rename } from "node:fs/promises";
import { basename } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import { FileLock } from "../shim/flock.ts";
import { planTree, treeIdOfSync } from "./layers.ts";
import { lockOf, rootfsOf, type Store, treeMarkOf, treePath, treesOf } from "./layout.ts";
import { notStored } from "./lookup.ts";
import { decodeSelfChecking, encodeSelfChecking, isText } from "./records.ts";
import { readStack, sizeOfLayers, writeNew } from "./shared-layers.ts";
import { sizeOnDisk } from "./size.ts";
import type { Stack, TreeRoot } from "./stack.ts";
import { makeStaging, type StagingDirectory, throwAway } from "./staging.ts";

export interface Tree {
  /** `deps-sha512-…` over the image IDs in render order; for an image without dependencies the image ID itself. */
  readonly id: string;
  /** Absolute path of the rootfs; with layers, of what lies on top of them. */
  readonly rootfs: string;
  /** What it consists of when that is more than `rootfs`, which is the topmost. */
  readonly layers?: Stack | undefined;
}

/** All that the tree shows. */
export function rootOf({ rootfs, layers }: Tree): TreeRoot {
  return layers ?? rootfs;
}

/** The same, lowest first; the topmost has the tree's id. */
export function stackOf({ id, rootfs, layers }: Tree): Stack {
  return layers ?? [{ id, rootfs }];
}

/** Id of the tree an image renders to; cheap, reads records and manifests only. */
export async function treeIdOf(store: Store, id: ImageID): Promise<string> {
  return treeIdOfSync(store, id);
}

/** The tree if it is rendered: for run's hot path, a few system calls. A mark without a rootfs, or a link in place of either, is none. */
export function findTree(store: Store, treeId: string): Tree | undefined {
  const tree = treePath(store, treeId);
  const rootfs = rootfsOf(tree);
  const isWhole = look(treeMarkOf(tree))?.isFile() === true && look(rootfs)?.isDirectory() === true;
  if (!isWhole) return undefined;
  const layers = readStack(store, treeId, tree);
  if (layers === "broken") return undefined;
  return { id: treeId, rootfs, ...(layers !== undefined && { layers }) };
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw ioFailure(error, `cannot look at ${path}`, path);
  }
}

/**
 * The rendered tree, rendering it when it is missing; holds the store's shared lock meanwhile. Two processes may render the
 * same tree: the first to finish gives it its name.
 * @throws Failure NOT_FOUND for an image or dependency that is not stored, DIGEST_MISMATCH for an archive that has changed
 */
export async function ensureTree(
  store: Store,
  id: ImageID,
  options: { readonly log: Log; readonly signal?: AbortSignal | undefined },
): Promise<Tree> {
  const lock = await FileLock.acquire(lockOf(store), "shared", { signal: options.signal });
  try {
    const rendered = findTree(store, treeIdOfSync(store, id));
    return rendered ?? (await render(store, id, options));
  } finally {
    lock.release();
  }
}

async function render(
  store: Store,
  id: ImageID,
  { log, signal }: { readonly log: Log; readonly signal?: AbortSignal | undefined },
): Promise<Tree> {
  const { treeId, layers } = planTree(store, id);
  const staging = await makeStaging(store);
  try {
    log.debug(`rendering ${printable(treeId)} of ${layers.length} layers`);
    // Loaded here: it brings the reading of archives along, and run looks for its tree without.
    const [{ renderLayersInto }, { storedArchives }] = await Promise.all([
      import("./rendering.ts"),
      import("./layer-archives.ts"),
    ]);
    await renderLayersInto(storedArchives(store), layers, staging.rootfs, { log, signal, owner: canKeepOwners() });
    await publishTree(
      store,
      staging,
      treeId,
      layers.map((layer) => layer.id),
    );
  } finally {
    await staging.discard().catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
  }
  const tree = findTree(store, treeId);
  if (tree === undefined) throw notStored(treeId);
  return tree;
}

/**
 * Gives the synced rootfs of a working directory its mark and its name. That another process was faster is success; what has
 * the name but no mark was never a tree, and makes room.
 */
export async function publishTree(
  store: Store,
  staging: StagingDirectory,
  treeId: string,
  images: readonly ImageID[],
  onStep: (step: string) => void = () => {},
): Promise<void> {
  const path = treePath(store, treeId);
  if (findTree(store, treeId) === undefined) {
    const size = sizeOnDisk(staging.rootfs) + sizeOfLayers(store, staging.tree);
    await writeNew(treeMarkOf(staging.tree), encodeSelfChecking({ tree: treeId, images, size }));
    await syncDirectory(staging.tree);
    onStep("tree marked");
    await moveTree(store, staging.tree, path);
    onStep("tree named");
  }
  await syncDirectory(treesOf(store));
  onStep("trees synced");
}

/** Bytes that a whole tree took when it was rendered, and the image it is of; undefined for what is no tree, or one of before this was kept. */
export function treeSizeOf(
  store: Store,
  treeId: string,
): { readonly image: string; readonly size: number } | undefined {
  const file = readStateFile(treeMarkOf(treePath(store, treeId)));
  const value = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  if (!isObject(value) || !Array.isArray(value["images"])) return undefined;
  const { images, size } = value;
  const image: unknown = images.at(-1);
  return typeof size === "number" && isText(image) ? { image, size } : undefined;
}

async function moveTree(store: Store, from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "ENOTEMPTY" && errno !== "EEXIST" && errno !== "ENOTDIR") {
        throw ioFailure(error, `cannot name the tree ${to}`, to);
      }
      if (findTree(store, basename(to)) !== undefined) return;
      if (attempt > 3) throw new Failure("WRONG_STATE", `${to} is in the way of a tree`, { subject: to, cause: error });
      await throwAway(store, [to]);
    }
  }
}
