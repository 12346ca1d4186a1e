/** What an image is made of: the graph of its dependencies, and on demand which image every file of its tree comes from. */

import type { Log } from "../base/log.ts";
import { pathText } from "../image/facts.ts";
import { emptyListing } from "../image/listing.ts";
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { planTree, type TreePlan } from "../store/layers.ts";
import type { Store } from "../store/layout.ts";
import { notStored, readRecordSync } from "../store/lookup.ts";
import { findStoredImage } from "./image-source.ts";
import type { Settings } from "./settings.ts";

export interface ImageTreeOptions {
  /** `sha512-` and ≥ 8 digits, or NAME[:VERSION][,label=value…]. */
  readonly image: string;
  /** Name the files of the tree, each with its image. */
  readonly files?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TreeImage {
  readonly id: ImageID;
  readonly name: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  /** Bytes of the uncompressed tar. */
  readonly tarSize: number;
  /** In the order in which they are laid. */
  readonly dependencies: readonly ImageID[];
}

export interface TreeFile {
  readonly path: string;
  readonly type: string;
  /** Bytes of content. */
  readonly size: number;
  readonly image: ImageID;
}

export interface ImageTree {
  readonly root: ImageID;
  readonly treeId: string;
  /** Each image once, the root first. */
  readonly images: readonly TreeImage[];
  /** In render order, lowest first (ACE-6). */
  readonly layers: readonly ImageID[];
  /** Undefined unless asked for. */
  readonly files?: readonly TreeFile[] | undefined;
}

/** @throws Failure USAGE, NOT_FOUND, AMBIGUOUS, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH, DIGEST_MISMATCH */
export async function imageTree(settings: Settings, options: ImageTreeOptions): Promise<ImageTree> {
  const { image, files = false, signal } = options;
  const { store, record } = await findStoredImage(
    settings,
    image,
    (file) => `perigee image cat-manifest ${file} lists its dependencies`,
  );
  const lock = await lockStore(store, "shared", { signal, log: settings.log });
  try {
    const plan = planTree(store, record.id);
    return {
      root: record.id,
      treeId: plan.treeId,
      images: imagesOf(store, plan),
      layers: plan.layers.map((layer) => layer.id),
      ...(files ? { files: await filesOf(store, plan, { log: settings.log, signal }) } : {}),
    };
  } finally {
    lock.release();
  }
}

/** From the layers: what lies right below an image in one place lies below it everywhere. */
function imagesOf(store: Store, { layers }: TreePlan): readonly TreeImage[] {
  const below = new Map<ImageID, ImageID[]>();
  const isComplete = new Set<ImageID>();
  for (const { id, context } of layers) {
    const [, parent] = context;
    if (parent !== undefined && !isComplete.has(parent)) below.set(parent, [...(below.get(parent) ?? []), id]);
    // Its dependencies came before it; the same ones come again when it does.
    isComplete.add(id);
  }
  return [...new Set(layers.map((layer) => layer.id))].toReversed().map((id) => {
    const record = readRecordSync(store, id);
    if (record === undefined) throw notStored(id);
    const { name, labels, tarSize } = record;
    return { id, name, labels, tarSize, dependencies: below.get(id) ?? [] };
  });
}

async function filesOf(
  store: Store,
  { layers }: TreePlan,
  options: { readonly log: Log; readonly signal: AbortSignal | undefined },
): Promise<readonly TreeFile[]> {
  const { laidMembers } = await import("../store/rendering.ts");
  const listing = emptyListing();
  for await (const { member, layer } of laidMembers(store, layers, options)) listing.lay(member, layer);
  const ids = layers.map((layer) => layer.id);
  const [root] = ids;
  if (root === undefined) return [];
  return [...listing.paths()].map(({ path, file: { type, size, layer } }) => ({
    path: pathText(path),
    type,
    size,
    image: ids[layer] ?? root,
  }));
}
