/** The layers of a stored image made once more from its blobs, as an import makes them, to be compared with those that are there (LAYER-5). */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../base/failure.ts";
import { acceptedLimits } from "../image/limits.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import { readDigestBlob } from "../store/digest-blobs.ts";
import type { LayerAgain, UnpackAgain } from "../store/verify-layers.ts";
import { parseConfig } from "./config.ts";
import { parseDigest } from "./digest.ts";
import { documentLimit } from "./documents.ts";
import { chainIds, unpackLayer } from "./layers.ts";
import { type LayerIndexes, lowerView } from "./lower.ts";
import { collect } from "./source.ts";
import { distinctOf, layTree, mostLowers } from "./tree.ts";

/** The blobs were compared with their digests. @throws Failure as an import; LIMIT_EXCEEDED never, what was accepted once is */
export const unpackAgain: UnpackAgain = async (store, { name, oci }, staging, { sync, log, signal }) => {
  const blobs = oci?.layers ?? [];
  const subject = `the config of ${printable(name)}`;
  const bytes = await collect(readDigestBlob(store, oci?.config.digest ?? ""), documentLimit, subject);
  const { diffIds } = parseConfig(bytes, blobs.length, subject);
  const chains = chainIds(diffIds);
  const keepOwners = canKeepOwners();
  const indexes: LayerIndexes = new Map();
  const layers: LayerAgain[] = [];
  const quiet = { ...log, warn: () => {} }; // of what is left out the import told
  for (const [index, { digest, size }] of blobs.entries()) {
    const tree = join(staging.path, "layers", String(index));
    const rootfs = join(tree, "rootfs");
    await mkdir(rootfs, { recursive: true, mode: 0o700 });
    const diffId = diffIds[index] ?? parseDigest("", subject);
    const under = layers.slice();
    const unpacked = await unpackLayer(
      {
        blob: { mediaType: "", digest: parseDigest(digest, subject), size },
        ...{ diffId, chainId: chains[index] ?? diffId },
        below: () => lowerView(under, indexes),
        budget: { left: Number.POSITIVE_INFINITY },
      },
      rootfs,
      { store, log: quiet, keepOwners, signal, sync, limits: acceptedLimits },
    );
    layers.push({ ...unpacked, tree, rootfs });
  }
  await layTree(staging.tree, layers, { keepOwners, signal });
  const distinct = distinctOf(layers);
  return distinct.length > mostLowers ? [] : distinct;
};
