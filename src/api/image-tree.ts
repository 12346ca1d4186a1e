/** What an image is made of: the graph of its dependencies, and on demand which image every file of its tree comes from. */

import type { Log } from "../base/log.ts";
import { pathText } from "../image/facts.ts";
import { emptyListing } from "../image/listing.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type LayeredImage, withLayers } from "./image-layers.ts";
import type { Settings } from "./settings.ts";

export interface ImageTreeOptions {
  /** A stored image, or the path of an .aci, which is not verified; what it depends on is looked for in the store. */
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

/** @throws Failure as withLayers */
export async function imageTree(settings: Settings, options: ImageTreeOptions): Promise<ImageTree> {
  const { files = false, signal } = options;
  return await withLayers(settings, options, async (layered) => {
    const { root, plan } = layered;
    return {
      root: root.id,
      treeId: plan.treeId,
      images: imagesOf(layered),
      layers: plan.layers.map((layer) => layer.id),
      ...(files ? { files: await filesOf(layered, { log: settings.log, signal }) } : {}),
    };
  });
}

/** From the layers: what lies right below an image in one place lies below it everywhere. */
function imagesOf({ plan: { layers }, factsOf }: LayeredImage): readonly TreeImage[] {
  const below = new Map<ImageID, ImageID[]>();
  const isComplete = new Set<ImageID>();
  for (const { id, context } of layers) {
    const [, parent] = context;
    if (parent !== undefined && !isComplete.has(parent)) below.set(parent, [...(below.get(parent) ?? []), id]);
    // Its dependencies came before it; the same ones come again when it does.
    isComplete.add(id);
  }
  return [...new Set(layers.map((layer) => layer.id))].toReversed().map((id) => {
    const { name, labels, tarSize } = factsOf(id);
    return { id, name, labels, tarSize, dependencies: below.get(id) ?? [] };
  });
}

async function filesOf(
  { plan: { layers }, archiveOf }: LayeredImage,
  options: { readonly log: Log; readonly signal: AbortSignal | undefined },
): Promise<readonly TreeFile[]> {
  const { laidMembers } = await import("../store/rendering.ts");
  const listing = emptyListing();
  for await (const { member, layer } of laidMembers(archiveOf, layers, options)) listing.lay(member, layer);
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
