/** The tree of an image of layers: what lies on top of them, and their names; or all of them in one directory when they are too many (OCI-16). */
import { join } from "node:path";
import { unpackMembers } from "../image/extract.ts";
import type { PackEntry } from "../shim/pack.ts";
import { mergeLayers } from "../store/merge.ts";
import { writeStack } from "../store/shared-layers.ts";
import type { Layer } from "../store/stack.ts";
import type { TarMember } from "../tar/entry.ts";
import { directoryFromBelow, plainDirectory } from "./below.ts";
import { attributesOf } from "./lower.ts";

/** Lower directories that one overlay has room for; an image of more is laid into one directory. */
export const mostLowers = 300;

export interface TreeLayer extends Layer {
  /** Whether the layer says what the root directory is like. */
  readonly hasRoot: boolean;
}

/**
 * Fills `tree`, a directory with an empty rootfs: a root directory as the topmost layer that describes it says, on the layers.
 * @throws Failure SHIM_FAILED, DISK_FULL, INTERRUPTED
 */
export async function layTree(
  tree: string,
  layers: readonly TreeLayer[],
  { keepOwners, signal }: { readonly keepOwners: boolean; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const distinct = distinctOf(layers);
  const isFlat = distinct.length > mostLowers;
  const members = isFlat ? flat(layers, mergeLayers(distinct, { signal })) : rootOnly(layers);
  await unpackMembers(members, join(tree, "rootfs"), { owner: keepOwners, sync: true, signal });
  if (isFlat) return;
  await writeStack(
    tree,
    distinct.map(({ id }) => id),
  );
}

/** The kernel takes a directory once. Of two layers with the same content the upper one hides all that the lower one could show. */
export function distinctOf<L extends Layer>(layers: readonly L[]): readonly L[] {
  return layers.filter(({ id }, index) => layers.findLastIndex((other) => other.id === id) === index);
}

async function* flat(layers: readonly TreeLayer[], entries: AsyncIterable<PackEntry>): AsyncGenerator<TarMember> {
  yield* rootOnly(layers);
  for await (const entry of entries) if (!isRoot(entry)) yield { ...entry, size: Number(entry.size) };
}

function isRoot({ path }: PackEntry): boolean {
  return path.length === 1 && path[0] === 0x2e;
}

async function* rootOnly(layers: readonly TreeLayer[]): AsyncGenerator<TarMember> {
  const top = layers.findLast(({ hasRoot }) => hasRoot);
  yield top === undefined ? plainDirectory(".") : directoryFromBelow(attributesOf(top.rootfs), ".");
}
