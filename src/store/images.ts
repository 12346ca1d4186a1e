/**
 * The index of stored images: one small file an image. Reading waits for nobody (lookup.ts does it); changes are made by
 * imports (blobs.ts), removal.ts and gc.ts.
 */
import { utimesSync } from "node:fs";
import { constants, open, stat } from "node:fs/promises";
import { verifying } from "../base/digest.ts";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { readStateFile } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { blobPath, indexOf, recordPath, type Store, signaturePath } from "./layout.ts";
import { findImageSync, listRecordsSync, readManifestSync, readRecordSync, resolveImageIdSync } from "./lookup.ts";
import type { ImageRecord } from "./records.ts";

export type { ImageRecord, Vouching } from "./records.ts";

export async function readRecord(store: Store, id: ImageID): Promise<ImageRecord | undefined> {
  return readRecordSync(store, id);
}

/** Every whole record, by ID; a broken one is left out with a warning. */
export async function listRecords(store: Store, log?: Log): Promise<readonly ImageRecord[]> {
  return listRecordsSync(store, log);
}

/** Full ID for a prefix of ≥ 8 hex digits. @throws Failure NOT_FOUND, AMBIGUOUS (listing), USAGE */
export async function resolveImageId(store: Store, prefix: string): Promise<ImageID> {
  return resolveImageIdSync(store, prefix);
}

/** Images with that name and at least those labels; without a version label `latest` ones win, then the newest import. */
export async function findImage(
  store: Store,
  name: string,
  labels: readonly { readonly name: string; readonly value: string }[],
): Promise<ImageRecord | undefined> {
  return findImageSync(store, name, labels);
}

/** The raw manifest bytes as they were in the archive. @throws Failure NOT_FOUND, DIGEST_MISMATCH */
export async function readManifest(store: Store, id: ImageID): Promise<Buffer> {
  return readManifestSync(store, id);
}

/**
 * The archive as downloaded, re-hashed while it is read (T-D14): whoever acts on the bytes waits for the end.
 * @throws Failure NOT_FOUND, DIGEST_MISMATCH
 */
export async function* readArchiveBlob(
  store: Store,
  record: Pick<ImageRecord, "name" | "archive" | "oci">,
): AsyncGenerator<Uint8Array> {
  if (record.oci !== undefined) throw notAnArchive(record.name);
  const path = blobPath(store, record.archive.sha512);
  const subject = `the stored archive of ${printable(record.name)}`;
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) => {
    throw ioFailure(error, `cannot open ${subject}`, path);
  });
  try {
    if (!(await handle.stat()).isFile())
      throw new Failure("IO_FAILED", `${subject} is no regular file`, { subject: path });
    yield* verifying(handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 }), record.archive, subject);
  } finally {
    await handle.close();
  }
}

/** LAYER-4. */
function notAnArchive(name: string): Failure {
  return new Failure("UNSUPPORTED", `${printable(name)} is an OCI image: it has layers, and no archive to read`, {
    subject: name,
    hint: "perigee image export --as aci",
  });
}

/** The detached signature stored beside, if any. */
export async function readSignature(store: Store, record: ImageRecord): Promise<Buffer | undefined> {
  const file = readStateFile(signaturePath(store, record.archive.sha512));
  return "problem" in file ? undefined : file.bytes;
}

/** Notes that an image was used by run or fetch; the time of the record's file, which costs no write of ours. */
export function touchImage(store: Store, id: ImageID): void {
  const now = new Date();
  try {
    utimesSync(recordPath(store, id), now, now);
    // So that whoever kept a list of the index looks at its entries again (LIST-1).
    utimesSync(indexOf(store), now, now);
  } catch (error) {
    // Removed meanwhile, or a store that is only read: no reason to fail.
    if (!["ENOENT", "EROFS", "EPERM", "EACCES"].includes(errnoOf(error) ?? ""))
      throw ioFailure(error, `cannot note the use of ${id}`, id);
  }
}

/** When an image was last used by run or fetch; its import counts. */
export async function lastUsed(store: Store, id: ImageID): Promise<Date | undefined> {
  try {
    return (await stat(recordPath(store, id))).mtime;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot look at ${id}`, id);
  }
}
