/**
 * Records of OCI images made anew. Their archive is a manifest that does not say which image it became; the image manifest beside it does, whose
 * digest is the image's ID and which names the digest of the other (OCI-40).
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { errnoOf } from "../base/failure.ts";
import { writeAtomic } from "../base/files.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { sha512 } from "../shim/sha512.ts";
import { lostSource } from "./fetch-again.ts";
import { blobPath, manifestPath, manifestsOf, recordPath, type Store } from "./layout.ts";
import { listNames, readRecordSync, shelvesOf } from "./lookup.ts";
import { decodeRecord, encodeSelfChecking, isImageID, isLabel, isText } from "./records.ts";
import { throwAway } from "./staging.ts";
import { treeSizeOf } from "./trees.ts";

/** Of a manifest, of either kind. */
const documentLimit = 4 * 1024 * 1024;

/** Writes the records of those of `ids` that are OCI images, if all that says so is whole. @returns those that were mended */
export async function mendOciRecords(store: Store, ids: Iterable<ImageID>): Promise<readonly ImageID[]> {
  const mended: ImageID[] = [];
  let archives: ReadonlyMap<string, string> | undefined;
  for (const id of ids) {
    const said = readImageManifest(store, id);
    if (said === undefined) continue;
    archives ??= ociArchives(store);
    const archive = archives.get(said.manifestHash);
    if (archive !== undefined && (await writeRecord(store, id, said, archive))) mended.push(id);
  }
  return mended;
}

/** As mendOciRecords, for images without any record whose archive is `digest`. @returns the first */
export async function mendOciOrphan(store: Store, digest: string): Promise<ImageID | undefined> {
  const bytes = readDocument(blobPath(store, digest));
  if (bytes === undefined || sha512(bytes) !== digest) return undefined;
  const hash = ociDigest(bytes);
  const ids = listNames(manifestsOf(store)).filter(
    (name): name is ImageID => isImageID(name) && readRecordSync(store, name) === undefined,
  );
  const wanted = ids.filter((id) => readImageManifest(store, id)?.manifestHash === hash);
  return (await mendOciRecords(store, wanted))[0];
}

/** Whether the archive of that digest is no tar but a document: not one that is read for an image manifest. */
export function isOciArchive(store: Store, digest: string): boolean {
  return readDocument(blobPath(store, digest)) !== undefined;
}

interface SaidImage {
  readonly bytes: Buffer;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly manifestHash: string;
}

function readImageManifest(store: Store, id: ImageID): SaidImage | undefined {
  const file = readStateFile(manifestPath(store, id), documentLimit);
  if ("problem" in file || `sha512-${sha512(file.bytes)}` !== id) return undefined;
  const fields: unknown = JSON.parse(file.bytes.toString("utf8"));
  if (!isObject(fields) || !Array.isArray(fields["annotations"])) return undefined;
  const annotations = new Map(
    fields["annotations"].filter(isLabel).map(({ name, value }): [string, string] => [name, value]),
  );
  const manifestHash = annotations.get("appc.io/docker/manifesthash");
  return manifestHash === undefined ? undefined : { bytes: file.bytes, fields, annotations, manifestHash };
}

/** OCI digest of the manifest → digest by which the store has it. */
function ociArchives(store: Store): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const names = shelvesOf(store).flatMap((shelf) => listNames(shelf));
  for (const digest of names.filter((name) => /^[0-9a-f]{128}$/.test(name))) {
    const bytes = readDocument(blobPath(store, digest));
    if (bytes !== undefined && sha512(bytes) === digest) found.set(ociDigest(bytes), digest);
  }
  return found;
}

function ociDigest(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A short file that begins as JSON; of a longer one only the first byte is read. */
function readDocument(path: string): Buffer | undefined {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile() || stats.size > documentLimit) return undefined;
      const bytes = readFileSync(file);
      return /^\s*\{/.test(bytes.toString("latin1", 0, 64)) ? bytes : undefined;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (["ENOENT", "ELOOP"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

async function writeRecord(store: Store, id: ImageID, said: SaidImage, archive: string): Promise<boolean> {
  const file = await lstat(blobPath(store, archive));
  const document: unknown = JSON.parse(readFileSync(blobPath(store, archive), "utf8"));
  if (!isObject(document) || !Array.isArray(document["layers"])) return false;
  const { fields, annotations, manifestHash, bytes } = said;
  const layers = document["layers"].map(blobOf);
  const treeSize = treeSizeOf(store, id)?.size;
  const tag = annotations.get("appc.io/docker/tag");
  const record: unknown = {
    ...{ id, name: fields["name"], labels: fields["labels"] },
    archive: { sha512: archive, size: file.size },
    tarSize: layers.reduce((sum, { size }) => sum + Number(size), 0),
    ...(treeSize !== undefined && { treeSize }),
    importedAt: file.mtime.toISOString(),
    signers: [],
    source: sourceOf(annotations, manifestHash),
    latest: tag === undefined || tag === "latest",
    hasDependencies: false,
    oci: {
      manifest: manifestHash,
      mediaType: document["mediaType"] ?? "application/vnd.oci.image.manifest.v1+json",
      ...{ config: blobOf(document["config"]), layers },
      entrypoint: lengthOf(annotations.get("appc.io/docker/entrypoint")),
      // Who vouched for it stood in the record only.
      pinned: false,
    },
    manifest: { sha512: sha512(bytes) },
  };
  const text = encodeSelfChecking(record);
  // Read as it will be read: what does not have the form of a record is none.
  if (decodeRecord(Buffer.from(text), id) === undefined) return false;
  await throwAway(store, [recordPath(store, id)]);
  await writeAtomic(recordPath(store, id), text, 0o600);
  return true;
}

function blobOf(value: unknown) {
  return isObject(value) ? { digest: value["digest"], size: value["size"] } : { digest: "", size: -1 };
}

/** A registry has it by its digest; of a directory or an archive nothing says where it was. */
function sourceOf(annotations: ReadonlyMap<string, string>, manifestHash: string): string {
  const host = annotations.get("appc.io/docker/registryurl");
  const repository = annotations.get("appc.io/docker/repository");
  const tag = annotations.get("appc.io/docker/tag");
  if (host === undefined || repository === undefined) return lostSource;
  return `docker://${host}/${repository}${tag === undefined ? `@${manifestHash}` : `:${tag}`}`;
}

function lengthOf(list: string | undefined): number {
  const words: unknown = list === undefined ? [] : JSON.parse(list);
  return Array.isArray(words) && words.every(isText) ? words.length : 0;
}
