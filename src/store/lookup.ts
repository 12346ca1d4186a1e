/**
 * Reading the index: synchronous, without schemas and without locks, because `run` waits for it and readers never wait for
 * writers. A broken record is passed over with a warning; it never breaks a listing.
 */

import { lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { type Log, silentLog } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile, type StateFile } from "../base/state-file.ts";
import { manifestLimit } from "../schema/grammar.ts";
import type { ImageID } from "../schema/image-id.ts";
import { hostLabels } from "../schema/platform.ts";
import { sha512 } from "../shim/sha512.ts";
import { blobsOf, indexOf, manifestPath, recordPath, type Store } from "./layout.ts";
import { decodeRecord, isImageID, isLabel, isText, type StoredRecord } from "./records.ts";

type Labels = readonly { readonly name: string; readonly value: string }[];

/** The record of an image; undefined when there is none, or none that is whole. */
export function readRecordSync(store: Store, id: ImageID, log: Log = silentLog): StoredRecord | undefined {
  const file = readEntry(store, id);
  return file && decodeOrWarn(file.bytes, id, log);
}

/** The file of the index that is named after an image; undefined when there is none. What is no file reads as empty. */
export function readEntry(store: Store, id: ImageID): StateFile | undefined {
  return readIfThere(recordPath(store, id));
}

/** The record in the bytes of an entry; undefined, with a warning, when they are not whole. */
export function decodeOrWarn(bytes: Buffer, id: ImageID, log: Log): StoredRecord | undefined {
  const record = decodeRecord(bytes, id);
  if (record === undefined) {
    log.warn(
      `the index entry of ${id} is broken and left out; perigee store check --repair mends it, or fetch the image again`,
    );
  }
  return record;
}

/** IDs that the index has a file for, whole or not, sorted. */
export function listIdsSync(store: Store): readonly ImageID[] {
  return listNames(indexOf(store))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .filter(isImageID)
    .sort();
}

/** Every whole record, by ID; each entry is read. listing.ts knows them sooner. */
export function listRecordsSync(store: Store, log: Log = silentLog): readonly StoredRecord[] {
  return listIdsSync(store).flatMap((id) => readRecordSync(store, id, log) ?? []);
}

/**
 * Full ID for `sha512-` and ≥ 8 hex digits, or the digits alone (T-D13).
 * @throws Failure NOT_FOUND, AMBIGUOUS (listing), USAGE
 */
export function resolveImageIdSync(store: Store, prefix: string): ImageID {
  const digits = prefix.replace(/^sha512-/, "");
  if (!/^[0-9a-f]{8,128}$/.test(digits)) {
    throw new Failure("USAGE", `${excerpt(prefix)} is no image ID: sha512- and 8 to 128 hex digits`, {
      subject: prefix,
      hint: "perigee image list",
    });
  }
  const matches = listIdsSync(store).filter(
    (id) => id.slice("sha512-".length, "sha512-".length + digits.length) === digits,
  );
  const [first, second] = matches;
  if (first === undefined) throw notStored(prefix);
  if (second !== undefined) throw ambiguous(store, prefix, matches);
  return first;
}

/** Every image with that name and at least those labels, the one meant first (see findImageSync). */
export function matchingRecordsSync(store: Store, name: string, labels: Labels): readonly StoredRecord[] {
  return matchesOf(recordsNamedSync(store, name), labels);
}

/** Every image with that name. */
export function recordsNamedSync(store: Store, name: string): readonly StoredRecord[] {
  const mark = Buffer.from(JSON.stringify(name));
  const matches: StoredRecord[] = [];
  for (const id of listIdsSync(store)) {
    const bytes = readIfThere(recordPath(store, id))?.bytes;
    // A look for the name spares hashing and parsing all the others.
    if (bytes === undefined || !bytes.includes(mark)) continue;
    const record = decodeRecord(bytes, id);
    if (record !== undefined && record.name === name) matches.push(record);
  }
  return matches;
}

/** Those of `records`, all of one name, that have at least `labels`, the one meant first (see findImageSync). */
export function matchesOf(records: readonly StoredRecord[], labels: Labels): readonly StoredRecord[] {
  const anyVersion = !labels.some((label) => label.name === "version");
  return records
    .filter((record) => hasLabels(record.labels, labels))
    .toSorted((a, b) => (anyVersion ? Number(b.latest) - Number(a.latest) : 0) || newestFirst(a, b));
}

/** Somebody's unsigned image of the same name must not stand in the way of the one that is vouched for. */
function bySigned(a: StoredRecord, b: StoredRecord): number {
  return Number(b.signers.length > 0) - Number(a.signers.length > 0);
}

/** The image with that name and at least those labels; signed ones win, without a version label `latest` ones win, then the newest import. */
export function findImageSync(store: Store, name: string, labels: Labels): StoredRecord | undefined {
  return matchingRecordsSync(store, name, labels).toSorted(bySigned)[0];
}

/** As findImageSync, of the images for this host or for any: os and arch that were not asked for must not contradict (DISC-10). */
export function findForHostSync(store: Store, name: string, labels: Labels): StoredRecord | undefined {
  const host = hostLabels(labels);
  const found = matchingRecordsSync(store, name, labels).toSorted(bySigned);
  return found.find((record) =>
    host.every((want) => record.labels.every((has) => has.name !== want.name || has.value === want.value)),
  );
}

/**
 * The raw manifest bytes as they were in the archive; they say what is executed, so their digest is compared first.
 * @throws Failure NOT_FOUND, DIGEST_MISMATCH
 */
export function readManifestSync(store: Store, id: ImageID): Buffer {
  const record = readRecordSync(store, id);
  if (record === undefined) throw notStored(id);
  return readManifestOf(store, record);
}

/** As readManifestSync, of a record that was read already. */
export function readManifestOf(store: Store, record: StoredRecord): Buffer {
  const path = manifestPath(store, record.id);
  const bytes = readIfThere(path)?.bytes;
  if (bytes === undefined) {
    throw new Failure("NOT_FOUND", `the stored manifest of ${excerpt(record.name)} is gone`, {
      subject: path,
      cause: `${path} is not there`,
      hint: "perigee store check --repair makes it anew from the stored archive",
    });
  }
  if (sha512(bytes) !== record.manifest.sha512) {
    throw new Failure("DIGEST_MISMATCH", `the stored manifest of ${excerpt(record.name)} was changed`, {
      subject: path,
      cause: `${path} is not what was in the archive`,
      hint: "perigee store check --repair makes it anew from the stored archive",
    });
  }
  return bytes;
}

export interface StoredDependency {
  readonly name: string;
  readonly labels: Labels;
  /** `sha512-` and 8 to 128 digits. */
  readonly idPrefix: string | undefined;
  /** Bytes (ACI-47). */
  readonly size: number | undefined;
}

/** What rendering asks of a manifest. It was validated whole at import, so absent and null are all that is left to tell apart. */
export interface RenderFacts {
  readonly dependencies: readonly StoredDependency[];
  /** Empty: everything is kept (ACI-49). */
  readonly whitelist: readonly string[];
}

/** @throws Failure MANIFEST_INVALID for bytes that never were a validated manifest */
export function renderFacts(manifest: Buffer, subject: string): RenderFacts {
  const value: unknown = JSON.parse(manifest.toString("utf8"));
  if (!isObject(value)) throw unreadable(subject);
  return {
    dependencies: list(value["dependencies"]).map((item) => dependencyOf(item, subject)),
    whitelist: list(value["pathWhitelist"]).filter(isText),
  };
}

function dependencyOf(item: unknown, subject: string): StoredDependency {
  if (!isObject(item) || !isText(item["imageName"])) throw unreadable(subject);
  const { imageID: id, size } = item;
  return {
    name: item["imageName"],
    labels: list(item["labels"]).filter(isLabel),
    idPrefix: isText(id) && id !== "" ? id : undefined,
    size: typeof size === "number" ? size : undefined,
  };
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function unreadable(subject: string): Failure {
  return new Failure("MANIFEST_INVALID", `the stored manifest of ${subject} is none`, { subject });
}

export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return wanted.every((want) => labels.some((label) => label.name === want.name && label.value === want.value));
}

/** The failure for an image that is not in the store. */
export function notStored(reference: string): Failure {
  return new Failure("NOT_FOUND", `no stored image is ${excerpt(reference)}`, {
    subject: reference,
    hint: "perigee image list shows what there is, perigee fetch gets more",
  });
}

/** The failure for a reference that means several images, naming each. */
export function ambiguous(store: Store, reference: string, ids: readonly ImageID[]): Failure {
  const lines = ids.map((id) => `${id.slice(0, 27)} ${describe(readRecordSync(store, id))}`);
  return new Failure("AMBIGUOUS", `${ids.length} stored images are ${excerpt(reference)}: ${lines.join(", ")}`, {
    subject: reference,
    hint: "give more digits of the image ID",
  });
}

function describe(record: StoredRecord | undefined): string {
  if (record === undefined) return "(broken)";
  const version = record.labels.find((label) => label.name === "version");
  return printable(version === undefined ? record.name : `${record.name}:${version.value}`);
}

function newestFirst(a: StoredRecord, b: StoredRecord): number {
  return Date.parse(b.importedAt) - Date.parse(a.importedAt);
}

/** A file of the index; undefined when there is none. Whatever else stands there reads as empty, which no digest fits. */
function readIfThere(path: string): StateFile | undefined {
  const file = readStateFile(path, manifestLimit);
  if (!("problem" in file)) return file;
  if (file.problem === "not readable") throw notYours(path);
  return file.problem === "missing" ? undefined : { bytes: Buffer.alloc(0), writtenAt: new Date(0), stamp: noStamp };
}

/** Of no file. */
const noStamp = { inode: 0, size: 0, changedAt: 0 };

function notYours(path: string): Failure {
  return new Failure("NOT_ROOT", `${path} is not yours to read`, {
    subject: path,
    hint: "run it as the owner of the store, for example with sudo, or use a directory of your own: --dir DIRECTORY",
  });
}

/** The directories that archives lie in, by the first digits of their digests; anything else beside them is the sweep's. */
export function shelvesOf(store: Store): readonly string[] {
  return listNames(blobsOf(store))
    .filter((name) => /^[0-9a-f]{2}$/.test(name))
    .map((name) => join(blobsOf(store), name))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
}

/**
 * Names in one of the directories that every store has. That one is gone, or is something else, is damage: an empty list in its
 * place would have the sweep remove whatever is listed there.
 * @throws Failure WRONG_STATE, IO_FAILED
 */
export function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOENT" && errno !== "ENOTDIR") throw ioFailure(error, `cannot list ${directory}`, directory);
    throw new Failure(
      "WRONG_STATE",
      `the store is damaged: ${directory} is ${errno === "ENOENT" ? "gone" : "no directory"}`,
      {
        subject: directory,
        hint: `put it back, or give the store up: rm -r ${dirname(directory)}`,
      },
    );
  }
}
