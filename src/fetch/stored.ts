/** What of the store an unchanged server may stand for: which image a URL brought, and whether fetching it again would change a thing. */
import { existsSync } from "node:fs";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import type { KeptAnswer } from "../store/answers.ts";
import type { ImageRecord } from "../store/images.ts";
import { blobPath, type Store } from "../store/layout.ts";
import { findForHostSync, readManifestSync, readRecordSync } from "../store/lookup.ts";
import { isImageID } from "../store/records.ts";
import type { Answers } from "./answers.ts";
import type { Place } from "./locate.ts";

type Labels = readonly { readonly name: string; readonly value: string }[];

export interface KnownArchive {
  readonly record: ImageRecord;
  readonly answer: KeptAnswer;
  readonly isFresh: boolean;
}

/** The stored image whose archive came from that URL the last time; undefined when it is not stored, or stored with another archive. */
export function knownArchive(store: Store, place: Place, answers: Answers | undefined): KnownArchive | undefined {
  const kept = place.kind === "url" ? answers?.recall(place.url) : undefined;
  const image = kept?.answer.image;
  if (kept === undefined || image === undefined || !isImageID(image.id)) return undefined;
  const record = readRecordSync(store, image.id);
  if (record?.archive.sha512 !== image.sha512 || !existsSync(blobPath(store, image.sha512))) return undefined;
  return { record, ...kept };
}

export function storedManifest(store: Store, record: ImageRecord): ImageManifest {
  return parseDocument(ImageManifest, readManifestSync(store, record.id), `the manifest of ${record.name}`);
}

/** Whether the record knows these signers already, and the name leads to it. */
export function isSettled(
  store: Store,
  record: ImageRecord,
  signers: readonly { readonly fingerprint: string; readonly keyDigest: string; readonly signedAt: Date }[],
  named: { readonly name: string; readonly labels: Labels } | undefined,
): boolean {
  const isKnown = signers.every(({ fingerprint, keyDigest, signedAt }) =>
    record.signers.some(
      (known) =>
        known.fingerprint === fingerprint &&
        known.keyDigest === keyDigest &&
        Date.parse(known.signedAt) === signedAt.getTime(),
    ),
  );
  if (named === undefined) return isKnown;
  const isFound = findForHostSync(store, named.name, named.labels)?.id === record.id;
  const hasVersion = named.labels.some((label) => label.name === "version");
  return isKnown && isFound && (record.latest || hasVersion);
}
