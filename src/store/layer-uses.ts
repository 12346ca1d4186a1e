/** What only one image still has of what images share: it goes with it, so that fetching the image again brings it anew. */

import { existsSync } from "node:fs";
import { digestBlobPath, digestBlobsOf } from "./digest-blobs.ts";
import { type Store, treePath, treesOf } from "./layout.ts";
import { listNames } from "./lookup.ts";
import type { StoredRecord } from "./records.ts";
import { layerPath, layersOf, readStackNames } from "./shared-layers.ts";

export interface LayerUses {
  /** Blobs and layers that no other image and no other tree has; from then on the image counts no more. */
  release(record: StoredRecord): readonly string[];
}

/** As the store is when it is opened; the caller holds its exclusive lock. A store without OCI images is not looked through. */
export function openLayerUses(store: Store, records: readonly StoredRecord[]): LayerUses {
  const blobs = countAll(records.flatMap((record) => [...blobsOf(record)]));
  let stacks: ReadonlyMap<string, readonly string[] | "broken"> | undefined;
  let layers = new Map<string, number>();
  const read = (): void => {
    if (stacks !== undefined) return;
    stacks = stacksOf(store);
    layers = countAll([...stacks.values()].flatMap((names) => (names === "broken" ? [] : names)));
  };
  const lastOf = (counts: Map<string, number>, names: Iterable<string>): readonly string[] =>
    [...names].filter((name) => {
      const left = (counts.get(name) ?? 0) - 1;
      counts.set(name, left);
      return left <= 0;
    });
  return {
    release: (record) => {
      if (record.oci === undefined) return [];
      read();
      const own = stacks?.get(record.id) ?? [];
      // A tree that cannot say what it lies on may lie on anything.
      const isKnown = [...(stacks?.values() ?? [])].every((names) => names !== "broken");
      const freeLayers = own === "broken" || !isKnown ? [] : lastOf(layers, own);
      return [
        ...lastOf(blobs, blobsOf(record)).map((digest) => digestBlobPath(store, digest)),
        ...freeLayers.map((id) => layerPath(store, id)),
      ];
    },
  };
}

function blobsOf({ oci }: StoredRecord): ReadonlySet<string> {
  return new Set(oci === undefined ? [] : [oci.config, ...oci.layers].map(({ digest }) => digest));
}

function stacksOf(store: Store): ReadonlyMap<string, readonly string[] | "broken"> {
  if (!existsSync(layersOf(store)) && !existsSync(digestBlobsOf(store))) return new Map();
  const trees = listNames(treesOf(store));
  return new Map(trees.map((tree) => [tree, readStackNames(treePath(store, tree)) ?? []]));
}

function countAll(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
