/** The list of the images made anew, from the index and the trees, and kept for the next (LIST-5). */
import type { Log } from "../base/log.ts";
import type { FileStamp } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { isSettled, keep, worthKeeping } from "./kept.ts";
import { listedOf, type Store, treesOf } from "./layout.ts";
import { type IndexedImage, keepIndex, readIndex } from "./listing.ts";
import { listNames } from "./lookup.ts";
import type { ImageRecord, StoredRecord } from "./records.ts";
import { treeSizeOf } from "./trees.ts";

export interface ListedImage {
  readonly id: ImageID;
  readonly name: string;
  readonly labels: ImageRecord["labels"];
  /** Bytes of its archive. */
  readonly archiveSize: number;
  /** Bytes that its trees take, each file once; 0 while nothing is rendered. */
  readonly treeSize: number;
  /** Milliseconds since 1970, as the last use. */
  readonly importedAt: number;
  readonly usedAt: number;
  /** Fingerprints of the keys whose signatures were verified at fetch. */
  readonly signers: readonly string[];
}

export interface Listed {
  readonly form: number;
  /** Of `index/`, when every entry in it was whole. */
  readonly index: FileStamp;
  readonly trees: FileStamp;
  readonly images: readonly ListedImage[];
}

export interface RelistOptions {
  /** Of what is kept. */
  readonly form: number;
  /** The stamp of `trees/`, from before anything was read. */
  readonly trees: FileStamp | undefined;
  readonly log: Log;
  /** Milliseconds since 1970, from before anything was read. */
  readonly readAt: number;
}

/** As readListed. */
export async function relist(
  store: Store,
  { form, trees, log, readAt }: RelistOptions,
): Promise<readonly ListedImage[]> {
  const index = { ...readIndex(store, log), readAt };
  await keepIndex(store, index, log);
  const sizes = treeSizes(store, index.images);
  const images = index.images.map((image) => describe(image, sizes)).sort((a, b) => a.importedAt - b.importedAt);
  const { stamp } = index;
  const isWorthIt = images.length >= worthKeeping && index.broken.length === 0;
  if (
    isWorthIt &&
    stamp !== undefined &&
    trees !== undefined &&
    [stamp, trees].every((one) => isSettled(one, readAt))
  ) {
    const listed: Listed = { form, index: stamp, trees, images };
    await keep(listedOf(store), listed, log);
  }
  return images;
}

function describe({ record, usedAt }: IndexedImage, trees: ReadonlyMap<string, number>): ListedImage {
  const { id, name, labels } = record;
  return {
    id,
    name,
    labels,
    archiveSize: archiveSizeOf(record),
    treeSize: trees.get(id) ?? 0,
    importedAt: Date.parse(record.importedAt),
    usedAt,
    signers: record.signers.map(({ fingerprint }) => fingerprint),
  };
}

/** With the layers of an image that has no archive but them. */
function archiveSizeOf({ archive, oci }: StoredRecord): number {
  return (
    archive.size + [...(oci === undefined ? [] : [oci.config, ...oci.layers])].reduce((sum, one) => sum + one.size, 0)
  );
}

/** By image, what its trees take. One of an image alone is told by its record; the others tell of themselves. */
function treeSizes(store: Store, images: readonly IndexedImage[]): ReadonlyMap<string, number> {
  const known = new Map(images.map(({ record }) => [record.id as string, record.treeSize]));
  const sizes = new Map<string, number>();
  for (const name of listNames(treesOf(store))) {
    const size = known.get(name);
    const tree = size === undefined ? treeSizeOf(store, name) : { image: name, size };
    if (tree !== undefined) sizes.set(tree.image, (sizes.get(tree.image) ?? 0) + tree.size);
  }
  return sizes;
}
