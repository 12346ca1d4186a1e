/**
 * Makes broken records of the index whole again from the archives, which are the truth. Who vouched for an image is not in its
 * archive, so a mended image counts as unsigned until it is fetched again.
 */
import { lstat } from "node:fs/promises";
import { sha512 } from "../base/digest.ts";
import { excerpt, Failure } from "../base/failure.ts";
import { writeAtomic } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { type ArchiveSummary, readArchive } from "../image/archive.ts";
import { acceptedLimits } from "../image/limits.ts";
import type { ImageID } from "../schema/image-id.ts";
import { fetchAgain } from "./fetch-again.ts";
import { readArchiveBlob } from "./images.ts";
import { blobPath, manifestPath, recordPath, type Store } from "./layout.ts";
import { listNames, listRecordsSync, readRecordSync, shelvesOf } from "./lookup.ts";
import { isOciArchive, mendOciOrphan, mendOciRecords } from "./mend-oci.ts";
import { encodeSelfChecking, type StoredRecord } from "./records.ts";
import { throwAway } from "./staging.ts";
import { treeSizeOf } from "./trees.ts";

/**
 * Mends or removes the records `ids`, which are broken; with the store's exclusive lock. One without an archive is removed:
 * there is nothing left to list.
 */
export async function mendIndex(
  store: Store,
  ids: readonly ImageID[],
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  const broken = new Set(ids);
  const tellMended = (id: ImageID): void =>
    log.warn(`the index entry of ${id} was broken and is mended; it counts as unsigned until it is fetched again`);
  for (const id of await mendOciRecords(store, ids)) {
    broken.delete(id);
    tellMended(id);
  }
  const owned = new Set(listRecordsSync(store).map((record) => record.archive.sha512));
  for (const digest of archiveDigests(store)) {
    if (owned.has(digest) || broken.size === 0) continue;
    const id = await mendFrom(store, digest, (image) => broken.has(image), log, signal);
    if (id === undefined) continue;
    broken.delete(id);
    tellMended(id);
  }
  for (const id of broken) {
    log.warn(`the index entry of ${id} was broken and what it was made of is not there; it is removed`);
    await throwAway(store, [recordPath(store, id)]);
  }
}

/** Lists again what lies in an archive that no record owns. @returns the image of the archive; undefined when it is listed with another, or is none */
export async function mendOrphan(
  store: Store,
  digest: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<ImageID | undefined> {
  const oci = await mendOciOrphan(store, digest);
  if (oci !== undefined) return oci;
  return await mendFrom(store, digest, (image) => readRecordSync(store, image) === undefined, log, signal);
}

/** Makes manifests anew that are gone or were changed; with the store's exclusive lock. The records say what they must be. @returns how many */
export async function mendManifests(
  store: Store,
  records: readonly StoredRecord[],
  log: Log,
  signal: AbortSignal | undefined,
): Promise<number> {
  let mended = 0;
  for (const record of records) {
    const name = excerpt(record.name);
    if (record.oci !== undefined) {
      log.warn(`the stored manifest of ${name} is broken: ${fetchAgain(record)}`);
      continue;
    }
    try {
      const { id, manifestBytes } = await readArchive(readArchiveBlob(store, record), undefined, {
        limits: acceptedLimits,
        signal,
      });
      if (id !== record.id) throw new Failure("DIGEST_MISMATCH", `its archive is ${id}`);
      await throwAway(store, [manifestPath(store, id)]);
      await writeAtomic(manifestPath(store, id), manifestBytes, 0o600);
      log.warn(`the stored manifest of ${name} was broken and is mended`);
      mended += 1;
    } catch (error) {
      if (!(error instanceof Failure) || signal?.aborted) throw error;
      log.warn(
        `the stored manifest of ${name} is broken: ${error.message}; perigee image rm ${record.id.slice(0, 19)}`,
      );
    }
  }
  return mended;
}

function archiveDigests(store: Store): readonly string[] {
  return shelvesOf(store)
    .flatMap((shelf) => listNames(shelf))
    .filter((name) => /^[0-9a-f]{128}$/.test(name));
}

/** Writes the record of the image in one archive, if that is wanted. @returns its ID */
async function mendFrom(
  store: Store,
  digest: string,
  isWanted: (id: ImageID) => boolean,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<ImageID | undefined> {
  const file = await lstat(blobPath(store, digest));
  if (!file.isFile() || isOciArchive(store, digest)) return undefined;
  const archive = { sha512: digest, size: file.size };
  let summary: ArchiveSummary;
  try {
    summary = await readArchive(readArchiveBlob(store, { name: digest, archive }), undefined, {
      limits: acceptedLimits,
      signal,
    });
  } catch (error) {
    if (!(error instanceof Failure) || signal?.aborted) throw error;
    log.warn(`an archive of the store is broken: ${error.message}`);
    return undefined;
  }
  if (!isWanted(summary.id)) return undefined;
  // What stands there may be a directory, which no file replaces.
  await throwAway(store, [recordPath(store, summary.id), manifestPath(store, summary.id)]);
  await writeAtomic(manifestPath(store, summary.id), summary.manifestBytes, 0o600);
  const treeSize = treeSizeOf(store, summary.id)?.size;
  const record = { ...mendedRecord(summary, archive, file.mtime), ...(treeSize !== undefined && { treeSize }) };
  await writeAtomic(recordPath(store, summary.id), encodeSelfChecking(record), 0o600);
  return summary.id;
}

function mendedRecord(summary: ArchiveSummary, archive: StoredRecord["archive"], importedAt: Date): StoredRecord {
  return {
    id: summary.id,
    name: summary.manifest.name,
    labels: summary.manifest.labels,
    archive,
    tarSize: summary.tarSize,
    importedAt: importedAt.toISOString(),
    signers: [],
    source: "the archive in the store",
    latest: false,
    hasDependencies: summary.manifest.dependencies.length > 0,
    manifest: { sha512: sha512(summary.manifestBytes) },
  };
}
