/** What a command takes for an image: one of the store, by ID or name, or an .aci file. The one place that tells them apart. */
import { createReadStream } from "node:fs";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { parseReference, type Reference } from "../fetch/reference.ts";
import { readArchiveBlob } from "../store/images.ts";
import { blobPath, openStore, type Store } from "../store/layout.ts";
import { findForHostSync, findImageSync, notStored, readRecordSync, resolveImageIdSync } from "../store/lookup.ts";
import type { StoredRecord } from "../store/records.ts";
import type { Settings } from "./settings.ts";

export type ImageSource =
  | {
      readonly kind: "stored";
      readonly store: Store;
      readonly record: StoredRecord;
      /** Of the archive. */
      readonly path: string;
      /** The archive's bytes, compared with the record while they are read. */
      readonly open: () => AsyncIterable<Uint8Array>;
    }
  | { readonly kind: "file"; readonly path: string; readonly open: () => AsyncIterable<Uint8Array> };

/**
 * `image`: `sha512-` and ≥ 8 digits, NAME[:VERSION][,label=value…], or the path of an .aci, which is not verified.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE
 */
export async function findImageSource(settings: Settings, image: string): Promise<ImageSource> {
  const reference = parseReference(image);
  if (reference.kind === "file") {
    const { path } = reference;
    return { kind: "file", path, open: () => told(readFile(path), path, settings.log) };
  }
  const store = await openStore(settings.directories.data);
  const record = findOne(store, reference, image);
  const path = blobPath(store, record.archive.sha512);
  return {
    kind: "stored",
    store,
    record,
    path,
    open: () => told(readArchiveBlob(store, record), record.name, settings.log),
  };
}

/** As findImageSource, for what only an image of the store can do; `instead` is what does the like for a file. @throws Failure USAGE for a file */
export async function findStoredImage(
  settings: Settings,
  image: string,
  instead: (file: string) => string,
): Promise<Extract<ImageSource, { kind: "stored" }>> {
  const source = await findImageSource(settings, image);
  if (source.kind === "stored") return source;
  throw new Failure("USAGE", `${excerpt(image)} is a file; this is for images of the store`, {
    subject: image,
    hint: `${instead(printable(image))}; or perigee fetch ${printable(image)}, and name the image`,
  });
}

function findOne(store: Store, reference: Reference, image: string): StoredRecord {
  if (reference.kind !== "id" && reference.kind !== "name") throw notAStoredImage(image);
  const record =
    reference.kind === "id"
      ? readRecordSync(store, resolveImageIdSync(store, reference.prefix))
      : (findForHostSync(store, reference.name, reference.labels) ??
        findImageSync(store, reference.name, reference.labels));
  if (record === undefined) throw notStored(image);
  return record;
}

export function notAStoredImage(image: string): Failure {
  return new Failure("USAGE", `${excerpt(image)} is not what a stored image is called: its ID or its name`, {
    subject: image,
    hint: "perigee image list",
  });
}

async function* told(bytes: AsyncIterable<Uint8Array>, name: string, log: Log): AsyncGenerator<Uint8Array> {
  const task = `reading ${printable(name)}`;
  let done = 0;
  for await (const chunk of bytes) {
    done += chunk.length;
    log.progress({ task, done });
    yield chunk;
  }
  log.progress({ task, done, finished: true });
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 });
  } catch (error) {
    throw ioFailure(error, `cannot read ${excerpt(path)}`, path);
  }
}
