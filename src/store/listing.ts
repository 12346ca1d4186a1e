/**
 * All of the index at once, for those who need every record: opening, hashing and parsing each entry takes most of the time of a list of
 * thousands. So what was read is kept in one file, with the stamps of what it was read from: while `index/` is as it was, nothing else is
 * looked at; else every entry is, and those are read that changed.
 */

import { Failure } from "../base/failure.ts";
import { type Log, silentLog } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { type FileStamp, isSameStamp, lookAtState } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { isSettled, keep, readKept, worthKeeping } from "./kept.ts";
import { indexOf, listingOf, manifestsOf, recordPath, type Store } from "./layout.ts";
import { decodeOrWarn, listIdsSync, readEntry, readManifestOf } from "./lookup.ts";
import type { StoredRecord } from "./records.ts";

/** What an entry of the index said, and when it need not be read again. */
export interface IndexedImage {
  readonly record: StoredRecord;
  /** The last use, which is the time of the entry's file: milliseconds since 1970. */
  readonly usedAt: number;
  /** Of the file that the record was read from. */
  readonly entry: FileStamp;
}

/** What the file keeps. */
interface Listing {
  readonly form: number;
  /** Of `index/` when every entry in it was whole. */
  readonly index: FileStamp;
  /** Of `manifests/` when every manifest had the digest of its record; absent while nobody compared them. */
  readonly manifests?: FileStamp | undefined;
  /** Ids of the trees of images that have dependencies; absent while nobody asked (LIST-6). */
  readonly trees?: readonly string[] | undefined;
  /** By ID. */
  readonly images: readonly IndexedImage[];
}

export interface Index {
  /** By ID. */
  readonly images: readonly IndexedImage[];
  /** IDs whose entry is not whole. */
  readonly broken: readonly ImageID[];
  /** What was kept before, as far as it still holds. */
  readonly kept: Listing | undefined;
  /** Of `index/` before its names were read. */
  readonly stamp: FileStamp | undefined;
  /** Milliseconds since 1970, from before anything was read. */
  readonly readAt: number;
}

/** Changes when what is kept means something else. */
const form = 1;

/** Every whole record; a broken one is left out with a warning (LIST-1). */
export function readIndex(store: Store, log: Log = silentLog): Index {
  const readAt = Date.now();
  const kept = readListing(store);
  const stamp = lookAtState(indexOf(store))?.stamp;
  if (kept !== undefined && stamp !== undefined && isSameStamp(stamp, kept.index)) {
    return { images: kept.images, broken: [], kept, stamp, readAt };
  }
  const before = new Map(kept?.images.map((image) => [image.record.id, image]));
  const images: IndexedImage[] = [];
  const broken: ImageID[] = [];
  for (const id of listIdsSync(store)) {
    const image = readImage(store, id, before.get(id), log);
    if (image === "broken") broken.push(id);
    else if (image !== undefined) images.push(image);
  }
  return { images, broken, kept: undefined, stamp, readAt };
}

function readImage(
  store: Store,
  id: ImageID,
  before: IndexedImage | undefined,
  log: Log,
): IndexedImage | "broken" | undefined {
  const now = before && lookAtState(recordPath(store, id));
  if (before !== undefined && now !== undefined && isSameStamp(now.stamp, before.entry)) return before;
  const file = readEntry(store, id);
  if (file === undefined) return undefined;
  const record = decodeOrWarn(file.bytes, id, log);
  return record === undefined ? "broken" : { record, usedAt: file.writtenAt.getTime(), entry: file.stamp };
}

/**
 * Records whose manifest is gone or changed. All are compared, unless `manifests/` is as it was when all had been (LIST-3). What was
 * compared and found whole is kept as keepIndex does.
 */
export async function compareManifests(
  store: Store,
  index: Index,
  log: Log = silentLog,
): Promise<readonly StoredRecord[]> {
  const manifests = lookAtState(manifestsOf(store))?.stamp;
  const known = index.kept?.manifests;
  if (manifests !== undefined && known !== undefined && isSameStamp(manifests, known)) return [];
  const unsaid = index.images.map(({ record }) => record).filter((record) => !isManifestWhole(store, record));
  await keepListing(store, index, unsaid.length === 0 ? manifests : undefined, log);
  return unsaid;
}

function isManifestWhole(store: Store, record: StoredRecord): boolean {
  try {
    readManifestOf(store, record);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** Keeps which trees the images with dependencies have, beside what is kept of the index as it is now (LIST-6). */
export async function keepTrees(
  store: Store,
  { stamp }: Index,
  trees: readonly string[],
  log: Log = silentLog,
): Promise<void> {
  const listing = readListing(store);
  const isOfIndex = listing !== undefined && stamp !== undefined && isSameStamp(listing.index, stamp);
  if (isOfIndex) await keep(listingOf(store), { ...listing, trees }, log);
}

/** Keeps what was read anew, when that spares the next reader enough (LIST-2). */
export async function keepIndex(store: Store, index: Index, log: Log = silentLog): Promise<void> {
  if (index.kept === undefined) await keepListing(store, index, undefined, log);
}

async function keepListing(store: Store, index: Index, manifests: FileStamp | undefined, log: Log): Promise<void> {
  const { images, broken, stamp, readAt } = index;
  // An entry is only as old as the last change of its directory, but for its time of use, whose change touches the directory too.
  if (images.length < worthKeeping || broken.length > 0 || stamp === undefined || !isSettled(stamp, readAt)) return;
  const settled = manifests !== undefined && isSettled(manifests, readAt) ? manifests : undefined;
  const listing: Listing = { form, index: stamp, manifests: settled, images };
  await keep(listingOf(store), listing, log);
}

function readListing(store: Store): Listing | undefined {
  const value = readKept(listingOf(store));
  return isListing(value) ? value : undefined;
}

function isListing(value: unknown): value is Listing {
  return (
    isObject(value) &&
    value["form"] === form &&
    isObject(value["index"]) &&
    Array.isArray(value["images"]) &&
    (value["trees"] === undefined || Array.isArray(value["trees"]))
  );
}
