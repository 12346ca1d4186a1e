/**
 * One image, from its location to the edge of the store: signature first, then the bytes, verified before anything is unpacked,
 * unpacked and checked before anything is stored (architecture 10). Knows neither discovery nor dependencies.
 */
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { type ArchiveSummary, peekManifest } from "../image/archive.ts";
import { extractArchive } from "../image/extract.ts";
import type { ImageLimits } from "../image/limits.ts";
import { beginImport, type Staging } from "../store/blobs.ts";
import type { ImageRecord } from "../store/images.ts";
import type { Store } from "../store/layout.ts";
import type { Keystore } from "../trust/keystore.ts";
import type { SignatureCheck, Signer } from "../trust/verify.ts";
import {
  type Acquired,
  type AcquireOptions,
  acquireArchive,
  acquireSignature,
  isThere,
  notThere,
  stagedBytes,
} from "./acquire.ts";
import type { Location, Place } from "./locate.ts";
import { requireMatch } from "./match.ts";

type Labels = readonly { readonly name: string; readonly value: string }[];

export interface ImportOptions extends AcquireOptions {
  readonly store: Store;
  readonly keystore: Keystore;
  /** --insecure-options=image: no signature is asked for; the record has no signers. */
  readonly insecureImage: boolean;
  readonly keepOwners: boolean;
  /** Of the archive; those of spec/image.md when absent. */
  readonly limits?: ImageLimits | undefined;
  readonly now: () => Date;
  /** --allow-expired-key. */
  readonly allowExpiredKey?: boolean | undefined;
  readonly log: Log;
}

export interface WantedImage {
  readonly location: Location;
  /** What was asked for by name; a file or URL may hold any image. */
  readonly named?: { readonly name: string; readonly labels: Labels; readonly hostLabels: Labels } | undefined;
}

/** A verified, unpacked image that is not in the store yet. */
export interface PendingImage {
  readonly record: Omit<ImageRecord, "importedAt">;
  readonly manifest: ArchiveSummary["manifest"];
  commit(): Promise<ImageRecord>;
  /** Removes it; nothing after `commit`. */
  abandon(): Promise<void>;
}

/**
 * @throws Failure SIGNATURE_MISSING, KEY_UNTRUSTED (before the image is downloaded), SIGNATURE_BAD, SIGNATURE_INVALID,
 * NAME_MISMATCH, and what acquiring and extracting throw; the store is then as it was
 */
export async function importImage(wanted: WantedImage, options: ImportOptions): Promise<PendingImage> {
  const signature = options.insecureImage ? undefined : await signatureFirst(wanted, options);
  const staging = await beginImport(options.store);
  try {
    const { check, bytes, acquired } = await acquire(wanted, options, signature, staging);
    const signers = check === undefined ? [] : await check.finish(await nameForTrust(wanted, options, staging));
    for (const { warning } of signers) if (warning !== undefined) options.log.warn(warning);
    staging.beginSync();
    const summary = await unpack(wanted, options, staging);
    return pendingImage(wanted, staging, acquired, summary, signers, bytes);
  } catch (error) {
    await staging.abandon();
    throw error;
  }
}

/** D01, X01: somebody has to be told; a hostile image must not fill the screen. */
function few(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(printable).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

/** A signature that could count, or `later`. */
type Early = { readonly bytes: Buffer; readonly check: SignatureCheck } | "later";

/** Nothing of an image is downloaded that nobody trusted could have signed. */
async function signatureFirst(wanted: WantedImage, options: ImportOptions): Promise<Early> {
  const { location, named } = wanted;
  const bytes = await acquireSignature(location.signature, options);
  if (bytes === "later") return bytes;
  if (bytes === undefined) {
    if (!(await isThere(location.image, options))) throw notThere(location.image, named?.name);
    throw missing(wanted);
  }
  return { bytes, check: await begin(bytes, wanted, options) };
}

async function begin(bytes: Buffer, wanted: WantedImage, options: ImportOptions): Promise<SignatureCheck> {
  const { named, location } = wanted;
  const { beginVerification } = await import("../trust/verify.ts");
  const file = named === undefined && location.image.kind === "file" ? location.image.path : undefined;
  return await beginVerification(bytes, {
    name: named?.name,
    keystore: options.keystore,
    now: options.now(),
    allowExpiredKey: options.allowExpiredKey,
  }).catch((error: unknown) => rejectNaming(error, file));
}

/** Throws `error`; that a file's signer is not trusted is told with the name that the file's manifest has, unverified as it is. */
export async function rejectNaming(error: unknown, file: string | undefined): Promise<never> {
  if (file === undefined || !(error instanceof Failure) || error.code !== "KEY_UNTRUSTED") throw error;
  const { createReadStream } = await import("node:fs");
  const { peekManifest } = await import("../image/archive.ts");
  const name = await peekManifest(createReadStream(file)).then(
    ({ manifest }) => manifest.name,
    () => undefined,
  );
  if (name === undefined) throw error;
  const { message, subject, cause } = error;
  throw new Failure("KEY_UNTRUSTED", message, { subject, cause, hint: `perigee trust --prefix ${name}` });
}

/** The archive in staging, and the check that has seen all of its bytes. */
async function acquire(
  wanted: WantedImage,
  options: ImportOptions,
  signature: Early | undefined,
  staging: Staging,
): Promise<{ readonly check?: SignatureCheck; readonly bytes?: Buffer; readonly acquired: Acquired }> {
  const { image } = wanted.location;
  if (signature === undefined) return { acquired: await acquireArchive(image, staging, options, undefined) };
  if (signature !== "later") {
    const { check, bytes } = signature;
    const acquired = await acquireArchive(image, staging, options, check);
    return { check, bytes, acquired };
  }
  // The server makes the signature when the image is asked for (rkt-and-appc.md 4.6); it is asked once more.
  const acquired = await acquireArchive(image, staging, options, undefined);
  const bytes = await acquireSignature(wanted.location.signature, options);
  if (bytes === undefined || bytes === "later") throw missing(wanted);
  const check = await begin(bytes, wanted, options);
  for await (const chunk of stagedBytes(staging.archive)) check.update(chunk);
  return { check, bytes, acquired };
}

/** Trust is by name: the one asked for (which the manifest must then have), else the manifest's own. */
async function nameForTrust({ named }: WantedImage, options: ImportOptions, staging: Staging): Promise<string> {
  if (named !== undefined) return named.name;
  const { manifest } = await peekManifest(stagedBytes(staging.archive), options);
  return manifest.name;
}

async function unpack(wanted: WantedImage, options: ImportOptions, staging: Staging): Promise<ArchiveSummary> {
  const summary = await extractArchive(stagedBytes(staging.archive), staging.rootfs, {
    owner: options.keepOwners,
    sync: true,
    limits: options.limits,
    signal: options.signal,
  });
  // DISC-10, whether or not anybody signed it: a server must not hand out one image as another.
  if (wanted.named !== undefined) requireMatch(summary.manifest, wanted.named);
  if (summary.skipped.length > 0) {
    options.log.warn(`${summary.manifest.name}: left out of the tree: ${few(summary.skipped)}`);
  }
  return summary;
}

function pendingImage(
  { location, named }: WantedImage,
  staging: Staging,
  archive: Acquired,
  summary: ArchiveSummary,
  signers: readonly Signer[],
  signature: Buffer | undefined,
): PendingImage {
  const { manifest } = summary;
  const record = {
    id: summary.id,
    name: manifest.name,
    labels: manifest.labels,
    archive: { sha512: archive.sha512, size: archive.size },
    tarSize: summary.tarSize,
    signers: signers.map(({ fingerprint, keyDigest, signedAt }) => ({
      fingerprint,
      keyDigest,
      signedAt: signedAt.toISOString(),
    })),
    source: where(location.image),
    latest: named?.labels.every((label) => label.name !== "version") ?? false,
    hasDependencies: manifest.dependencies.length > 0,
  };
  let isCommitted = false;
  return {
    record,
    manifest,
    commit: async () => {
      const stored = await staging.commit(record, { manifest: summary.manifestBytes, signature });
      isCommitted = true;
      return stored;
    },
    abandon: async () => {
      if (!isCommitted) await staging.abandon();
    },
  };
}

function where(place: Place): string {
  return place.kind === "file" ? place.path : place.url;
}

function missing({ location, named }: WantedImage): Failure {
  const image = named?.name ?? where(location.image);
  return new Failure("SIGNATURE_MISSING", `${image} has no signature`, {
    subject: where(location.image),
    cause: `there is nothing at ${where(location.signature)}`,
    hint:
      location.image.kind === "file"
        ? `perigee sign ${location.image.path}, or --signature FILE; --insecure-options=image stores it unverified`
        : "ask the publisher for one; --insecure-options=image stores it unverified",
  });
}
