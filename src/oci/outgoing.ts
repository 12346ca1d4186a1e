/**
 * An OCI image on its way out: its documents, and blobs that can be read as often as it takes. One of the store that came as one is handed on byte
 * for byte (OCI-80). What it is written to or sent to is not known here.
 */
import { readFile } from "node:fs/promises";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readDigestBlob } from "../store/digest-blobs.ts";
import { verifyAndFetchAgain } from "../store/fetch-again.ts";
import { blobPath, type Store } from "../store/layout.ts";
import type { OciFacts, StoredRecord } from "../store/records.ts";
import { parseConfig } from "./config.ts";
import { algorithmOf, type Digest, parseDigest } from "./digest.ts";
import { type Descriptor, documentLimit, parseDocument } from "./documents.ts";
import { type OutgoingName, outgoingName } from "./export-names.ts";
import type { Platform } from "./platform.ts";
import { collect } from "./source.ts";
import { digestOf, requireDigest, verified } from "./verified.ts";

/** Compared with its digest while it is read: whoever acts on the bytes waits for the end. */
export interface OutgoingBlob extends Descriptor {
  open(): AsyncIterable<Uint8Array>;
}

export interface OutgoingImage {
  readonly manifest: Descriptor & { readonly bytes: Buffer };
  readonly config: OutgoingBlob;
  /** Lowest first; one may come more than once. */
  readonly layers: readonly OutgoingBlob[];
  /** Of the uncompressed layers. */
  readonly diffIds: readonly Digest[];
  readonly platform: Platform;
  readonly name: OutgoingName;
  /** What of the image OCI has no words for. */
  readonly lost: readonly string[];
}

/** Config, layers and manifest, each digest once: in the order in which they may be written so that nothing is named before it is there. */
export function blobsOf({ config, layers, manifest }: OutgoingImage): readonly OutgoingBlob[] {
  const { bytes, ...descriptor } = manifest;
  const all = [...layers, config, { ...descriptor, open: () => once(bytes) }];
  return [...new Map(all.map((blob) => [blob.digest, blob])).values()];
}

export async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * An image of the store that came as one. The caller holds the store, so that no layer is removed meanwhile.
 * @throws Failure DIGEST_MISMATCH, NOT_FOUND when the store has rotted
 */
export async function storedOutgoing(
  store: Store,
  record: StoredRecord & { readonly oci: OciFacts },
): Promise<OutgoingImage> {
  const subject = `the stored manifest of ${printable(record.name)}`;
  const hint = verifyAndFetchAgain(record);
  const path = blobPath(store, record.archive.sha512);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${subject}`, path);
  });
  const digest = parseDigest(record.oci.manifest, subject);
  requireDigest(digestOf(bytes, algorithmOf(digest)), digest, subject, hint);
  const manifest = parseDocument(bytes, subject, record.oci.mediaType);
  if (manifest.kind === "index") throw new Failure("INTERNAL", "an index is stored as a manifest");
  const blob = (descriptor: Descriptor): OutgoingBlob => ({
    ...descriptor,
    open: () =>
      verified(readDigestBlob(store, descriptor.digest), descriptor, `the stored blob ${descriptor.digest}`, hint),
  });
  const config = blob(manifest.config);
  const document = await collect(config.open(), documentLimit, subject);
  const { diffIds, platform } = parseConfig(document, manifest.layers.length, subject);
  return {
    manifest: { mediaType: manifest.mediaType, digest, size: bytes.length, bytes },
    ...{ config, layers: manifest.layers.map(blob), diffIds, platform, name: outgoingName(record), lost: [] },
  };
}
