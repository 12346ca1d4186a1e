/**
 * What a list of the images shows, in one file: a third of what the index says of them, and what their trees take. A list of thousands is mostly
 * the reading of such a file, so it is kept apart from `listing`, which has all that the sweep needs.
 */
import { type Log, silentLog } from "../base/log.ts";
import { type FileStamp, isSameStamp, lookAtState } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { isSettled, keep, readKept, worthKeeping } from "./kept.ts";
import { indexOf, listedOf, type Store, treesOf } from "./layout.ts";
import { type IndexedImage, keepIndex, readIndex } from "./listing.ts";
import { listNames } from "./lookup.ts";
import { type ImageRecord, isObject } from "./records.ts";
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

interface Listed {
  readonly form: number;
  /** Of `index/`, when every entry in it was whole. */
  readonly index: FileStamp;
  readonly trees: FileStamp;
  readonly images: readonly ListedImage[];
}

/** Changes when what is kept means something else. */
const form = 1;

/** Every image whose entry is whole, oldest import first; a broken one is left out with a warning (LIST-5). */
export async function readListed(
  store: Store,
  log: Log = silentLog,
  readAt = Date.now(),
): Promise<readonly ListedImage[]> {
  const kept = readKept(listedOf(store));
  const trees = lookAtState(treesOf(store))?.stamp;
  if (isListed(kept) && isStill(kept.index, lookAtState(indexOf(store))?.stamp) && isStill(kept.trees, trees)) {
    return kept.images;
  }
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

const isStill = (before: FileStamp, now: FileStamp | undefined): boolean =>
  now !== undefined && isSameStamp(before, now);

function isListed(value: unknown): value is Listed {
  return (
    isObject(value) &&
    value["form"] === form &&
    isObject(value["index"]) &&
    isObject(value["trees"]) &&
    Array.isArray(value["images"])
  );
}

function describe({ record, usedAt }: IndexedImage, trees: ReadonlyMap<string, number>): ListedImage {
  const { id, name, labels, archive } = record;
  return {
    id,
    name,
    labels,
    archiveSize: archive.size,
    treeSize: trees.get(id) ?? 0,
    importedAt: Date.parse(record.importedAt),
    usedAt,
    signers: record.signers.map(({ fingerprint }) => fingerprint),
  };
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
