/** What of the store an unchanged server may stand for: which image a URL brought, and whether fetching it again would change a thing. */
import { existsSync } from "node:fs";
import type { Dependency } from "../schema/image-manifest.ts";
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

/** Its record tells whether it has any; the schemas, which take longer to load than all else of an image that is up to date, only when it has. */
export async function storedDependencies(store: Store, record: ImageRecord): Promise<readonly Dependency[]> {
  if (!record.hasDependencies) return [];
  const { ImageManifest } = await import("../schema/image-manifest.ts");
  const { parseDocument } = await import("../schema/validate.ts");
  const bytes = readManifestSync(store, record.id);
  return parseDocument(ImageManifest, bytes, `the manifest of ${record.name}`).dependencies;
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
