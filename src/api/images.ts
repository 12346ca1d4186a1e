/** The stored images: what one says of itself, its files, and taking one out. */
import { Failure } from "../base/failure.ts";
import { parseReference } from "../fetch/reference.ts";
import { findPods, openPods } from "../pod/pod.ts";
import { findPodRecord } from "../pod/record.ts";
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { touchImage } from "../store/images.ts";
import { openStore, type Store } from "../store/layout.ts";
import { ambiguous, matchesOf, notStored, readManifestSync, resolveImageIdSync } from "../store/lookup.ts";
import type { StoredRecord } from "../store/records.ts";
import { openRemoval, type TreeUsers } from "../store/removal.ts";
import { emptyTrash } from "../store/staging.ts";
import { findImageSource, notAStoredImage } from "./image-source.ts";
import { readImage } from "./read-image.ts";
import type { Settings } from "./settings.ts";
import { unpackImage } from "./unpack-to.ts";

export interface ShowImageOptions {
  /** `sha512-` and ≥ 8 digits, NAME[:VERSION][,label=value…], or the path of an .aci. */
  readonly image: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of an image's manifest, as they are in the archive. A file is not verified.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE; for a file MANIFEST_INVALID, ARCHIVE_INVALID …
 */
export async function showImage(settings: Settings, { image, signal }: ShowImageOptions): Promise<Buffer> {
  const source = await findImageSource(settings, image);
  if (source.kind === "stored") return readManifestSync(source.store, source.record.id);
  const { peekManifest } = await import("../image/archive.ts");
  return (await peekManifest(source.open(), { limits: await settings.limits(), signal })).manifestBytes;
}

export interface ExtractImageOptions extends ShowImageOptions {
  /** Not there yet, or empty. */
  readonly directory: string;
  /** The files themselves in `directory`, without `manifest` and `rootfs/`. */
  readonly rootfsOnly?: boolean | undefined;
  /** Replace what is in `directory`. */
  readonly overwrite?: boolean | undefined;
}

export interface ExtractedImage {
  readonly id: ImageID;
  readonly name: string;
  readonly directory: string;
  /** Entries of rootfs, itself included, and the bytes of its files. */
  readonly entries: number;
  readonly fileBytes: number;
  /** What could not be made, `path: what`; device nodes always. */
  readonly skipped: readonly string[];
}

/**
 * Unpacks one image, without its dependencies, to DIRECTORY/manifest and DIRECTORY/rootfs. The directory is for its owner alone,
 * so that set-user-id programs of the image are nobody else's (T-R50). Whole at return, or as it was before.
 * @throws Failure USAGE for `/`; ALREADY_EXISTS; NOT_FOUND; whatever is wrong with the archive
 */
export async function extractImage(settings: Settings, options: ExtractImageOptions): Promise<ExtractedImage> {
  const { image, signal } = options;
  const source = await findImageSource(settings, image);
  if (source.kind === "stored") touchImage(source.store, source.record.id);
  const { summary, directory, skipped } = await unpackImage((visit) => readImage(settings, source, visit, signal), {
    directory: options.directory,
    layout: options.rootfsOnly === true ? "rootfs" : "image",
    overwrite: options.overwrite === true,
    // What holds the store is not something to replace.
    keep: settings.directories.data,
    owner: settings.caller.isRoot,
    devices: settings.insecure.has("device-nodes"),
    signal,
  });
  for (const what of skipped) settings.log.warn(`left out: ${what}`);
  const { id, manifest, entries, fileBytes } = summary;
  return { id, name: manifest.name, directory, entries, fileBytes, skipped };
}

export interface RemoveImagesOptions {
  /** Each `sha512-` and ≥ 8 digits, or a name that means one stored image. */
  readonly images: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface RemovedImage {
  readonly id: ImageID;
  readonly name: string;
}

/**
 * Takes images out of the store, all or none of them.
 * @throws Failure NOT_FOUND, AMBIGUOUS listing what a name means, USAGE, LOCKED naming the pods that use one
 */
export async function removeImages(settings: Settings, options: RemoveImagesOptions): Promise<readonly RemovedImage[]> {
  const store = await openStore(settings.directories.data);
  const lock = await lockStore(store, "exclusive", { signal: options.signal, log: settings.log });
  let removed: readonly RemovedImage[];
  try {
    // Users are gathered with the lock held: a pod that is being prepared records its trees under the shared lock.
    const removal = openRemoval(store, treeUsers(settings.directories.data));
    const records = removal.records();
    const ids = [...new Set(options.images.map((image) => findToRemove(store, records, image)))];
    for (const id of ids) removal.requireUnused(id);
    removed = ids.map((id) => ({ id, name: records.find((record) => record.id === id)?.name ?? "" }));
    for (const id of ids) await removal.remove(id);
  } finally {
    lock.release();
  }
  await emptyTrash(store);
  return removed;
}

/** Which pods recorded which trees; pods of any phase, since one that ended may still have its root mounted. */
export function treeUsers(data: string): TreeUsers {
  const users = new Map<string, string[]>();
  for (const { uuid, directory, state } of findPods(openPods(data))) {
    const { record, problem } = findPodRecord(directory);
    if (problem !== undefined && state === "running") {
      throw new Failure("LOCKED", `pod ${uuid} runs and its record is ${problem}: nobody knows of which images`, {
        subject: uuid,
        hint: `perigee stop ${uuid}`,
      });
    }
    for (const { treeId } of record?.apps ?? []) {
      users.set(treeId, [...(users.get(treeId) ?? []), uuid]);
    }
  }
  return users;
}

/** removeImages for one. */
export async function removeImage(
  settings: Settings,
  { image, ...options }: Omit<RemoveImagesOptions, "images"> & { readonly image: string },
): Promise<void> {
  await removeImages(settings, { ...options, images: [image] });
}

/** Removing is not undone, so here a name never means the newest of several. */
function findToRemove(store: Store, records: readonly StoredRecord[], image: string): ImageID {
  const reference = parseReference(image);
  if (reference.kind === "id") return resolveImageIdSync(store, reference.prefix);
  if (reference.kind !== "name") throw notAStoredImage(image);
  const named = records.filter((record) => record.name === reference.name);
  const matches = matchesOf(named, reference.labels).map((record) => record.id);
  const [first, second] = matches;
  if (first === undefined) throw notStored(image);
  if (second !== undefined) throw ambiguous(store, image, matches);
  return first;
}
