/** The files of a stored image that came as layers (LAYER-4): read where they lie, as a pod sees them. For what works on archives otherwise. */
import { Failure, printable } from "../base/failure.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { type ArchiveOf, storedArchives } from "./layer-archives.ts";
import type { Store } from "./layout.ts";
import { readRecordSync } from "./lookup.ts";
import { mergeLayers } from "./merge.ts";
import type { StoredRecord } from "./records.ts";
import { findTree, rootOf } from "./trees.ts";

/**
 * In the order of perigee-shim pack. The caller holds the store, so that no layer is removed meanwhile.
 * @throws Failure NOT_FOUND when a layer is missing; as mergeLayers
 */
export async function* layeredFiles(
  store: Store,
  { id, name }: Pick<StoredRecord, "id" | "name">,
  signal?: AbortSignal,
): AsyncGenerator<PackEntry> {
  const tree = findTree(store, id);
  if (tree === undefined) {
    throw new Failure("NOT_FOUND", `the layers of ${printable(name)} are not complete`, {
      subject: id,
      hint: `perigee image rm ${id.slice(0, 19)}, and fetch it again`,
    });
  }
  const root = rootOf(tree);
  yield* typeof root === "string" ? pack(root, { signal, asPodRoot: true }) : mergeLayers(root, { signal });
}

/** As storedArchives; images of layers have their files. */
export function readableArchives(store: Store): ArchiveOf {
  const archiveOf = storedArchives(store);
  return (id) => {
    const record = readRecordSync(store, id);
    const archive = archiveOf(id);
    return record?.oci === undefined ? archive : { ...archive, files: (signal) => layeredFiles(store, record, signal) };
  };
}
