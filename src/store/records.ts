/**
 * A record on disk: JSON that carries the digest of its own bytes, so that a torn, rotten or foreign file is recognised
 * without anything else. Pure; shapes are checked by hand because the hot path of `run` loads no schema library.
 */
import { isObject } from "../base/objects.ts";
import type { ImageID } from "../schema/image-id.ts";
import { sha512 } from "../shim/sha512.ts";

export interface Vouching {
  readonly fingerprint: string;
  readonly keyDigest: string;
  /** RFC 3339. */
  readonly signedAt: string;
}

/** A small self-checking file of the index, made at import; rebuildable from the blobs. */
export interface ImageRecord {
  readonly id: ImageID;
  readonly name: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly archive: { readonly sha512: string; readonly size: number };
  readonly tarSize: number;
  /** Bytes that its tree took on the disk when it was imported; undefined when it came without one, or before this was kept. */
  readonly treeSize?: number | undefined;
  readonly importedAt: string;
  /** Empty: stored without a verified signature; run asks for --insecure-options=image. */
  readonly signers: readonly Vouching[];
  /** Where it came from: a URL without credentials, or a path. */
  readonly source: string;
  /** Asked for without a version. */
  readonly latest: boolean;
  readonly hasDependencies: boolean;
  /** Of an image of Docker or OCI: `archive` is its manifest, and the rest lies beside. */
  readonly oci?: OciFacts | undefined;
}

/** What an image of Docker or OCI is made of, as it came. */
export interface OciFacts {
  /** Digest of the manifest. */
  readonly manifest: string;
  readonly mediaType: string;
  readonly config: { readonly digest: string; readonly size: number };
  /** Lowest first. */
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
  /** Words of `exec` that are the entrypoint, which arguments do not replace. */
  readonly entrypoint: number;
  /** Whoever fetched it named it by its digest, and so vouched for it. */
  readonly pinned: boolean;
}

/** What the index keeps: the record, and the digest of the manifest's bytes, which say what will be executed. */
export interface StoredRecord extends ImageRecord {
  readonly manifest: { readonly sha512: string };
}

const head = '{"sha512":"';
const middle = '","record":';
const tail = "}\n";
const bodyStart = head.length + 128 + middle.length;

/** `value` with the digest of its JSON text in front; the whole is JSON too. */
export function encodeSelfChecking(value: unknown): string {
  const body = JSON.stringify(value);
  return `${head}${sha512(body)}${middle}${body}${tail}`;
}

/** The value inside; undefined when a single byte is not as it was written. */
export function decodeSelfChecking(bytes: Buffer): unknown {
  // Nothing is copied but the frame: a listing comes through here for every image.
  const frame = bytes.toString("latin1", 0, bodyStart);
  const digest = frame.slice(head.length, head.length + 128);
  const isFramed =
    frame === `${head}${digest}${middle}` && bytes.toString("latin1", bytes.length - tail.length) === tail;
  if (!isFramed || bytes.length < bodyStart + tail.length) return undefined;
  const body = bytes.subarray(bodyStart, -tail.length);
  return sha512(body) === digest ? JSON.parse(body.toString("utf8")) : undefined;
}

/** The image record in a file of the index that is named after `id`; undefined when it is torn, foreign or another image's. */
export function decodeRecord(bytes: Buffer, id: ImageID): StoredRecord | undefined {
  const value = decodeSelfChecking(bytes);
  return isRecord(value) && value.id === id ? value : undefined;
}

/**
 * The record after an image that may be stored already was imported again. What was vouched for stays vouched for: the image
 * ID is that of the same tar, so an import without signers keeps the archive the signers signed. An image that was last asked
 * for without a version keeps its place among those when it is then fetched by version.
 */
export function mergeRecords(previous: StoredRecord | undefined, next: StoredRecord): StoredRecord {
  if (previous === undefined) return next;
  const merged = merge(previous, next);
  if (previous.oci?.pinned !== true || merged.oci === undefined) return merged;
  return { ...merged, oci: { ...merged.oci, pinned: true } };
}

function merge(previous: StoredRecord, next: StoredRecord): StoredRecord {
  const keepsPlace = previous.latest && !next.latest;
  const place = {
    latest: previous.latest || next.latest,
    importedAt: keepsPlace ? previous.importedAt : next.importedAt,
  };
  if (next.signers.length === 0 && previous.signers.length > 0) return { ...previous, ...place };
  if (next.archive.sha512 !== previous.archive.sha512) return { ...next, ...place };
  const again = new Set(next.signers.map((signer) => signer.fingerprint));
  const earlier = previous.signers.filter((signer) => !again.has(signer.fingerprint));
  return { ...next, ...place, signers: [...next.signers, ...earlier] };
}

/** A whole image ID (TYPE-6), and nothing else: it becomes a file name. */
export function isImageID(text: string): text is ImageID {
  return /^sha512-[0-9a-f]{128}$/.test(text);
}

function isRecord(value: unknown): value is StoredRecord {
  return (
    isObject(value) &&
    isText(value["id"]) &&
    isText(value["name"]) &&
    isListOf(value["labels"], isLabel) &&
    isObject(value["archive"]) &&
    isDigest(value["archive"]["sha512"]) &&
    isSize(value["archive"]["size"]) &&
    isSize(value["tarSize"]) &&
    (value["treeSize"] === undefined || isSize(value["treeSize"])) &&
    isTime(value["importedAt"]) &&
    isListOf(value["signers"], isVouching) &&
    isText(value["source"]) &&
    typeof value["latest"] === "boolean" &&
    typeof value["hasDependencies"] === "boolean" &&
    (value["oci"] === undefined || isOciFacts(value["oci"])) &&
    isObject(value["manifest"]) &&
    isDigest(value["manifest"]["sha512"])
  );
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

export function isLabel(value: unknown): value is { readonly name: string; readonly value: string } {
  return isObject(value) && isText(value["name"]) && isText(value["value"]);
}

function isOciFacts(value: unknown): value is OciFacts {
  return (
    isObject(value) &&
    isForeignDigest(value["manifest"]) &&
    isText(value["mediaType"]) &&
    isBlob(value["config"]) &&
    isListOf(value["layers"], isBlob) &&
    isSize(value["entrypoint"]) &&
    typeof value["pinned"] === "boolean"
  );
}

function isBlob(value: unknown): boolean {
  return isObject(value) && isForeignDigest(value["digest"]) && isSize(value["size"]);
}

/** Becomes a path, too. */
function isForeignDigest(value: unknown): boolean {
  return isText(value) && /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(value);
}

function isVouching(value: unknown): boolean {
  return isObject(value) && isText(value["fingerprint"]) && isDigest(value["keyDigest"]) && isTime(value["signedAt"]);
}

/** The digest becomes a path, so nothing but hex gets through. */
function isDigest(value: unknown): value is string {
  return isText(value) && /^[0-9a-f]{128}$/.test(value);
}

function isSize(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: unknown): boolean {
  return isText(value) && !Number.isNaN(Date.parse(value));
}
