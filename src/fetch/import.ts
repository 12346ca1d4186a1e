/**
 * One image, from its location to the edge of the store: signature first, then the bytes, verified before anything is unpacked,
 * unpacked and checked before anything is stored (architecture 10). Knows neither discovery nor dependencies.
 */
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { HttpResponse } from "../http/client.ts";
import type { ImageLimits } from "../image/limits.ts";
import { beginImport, type Staging } from "../store/blobs.ts";
import { type ImageRecord, touchImage } from "../store/images.ts";
import { blobPath, type Store } from "../store/layout.ts";
import type { Keystore } from "../trust/keystore.ts";
import type { SignatureCheck } from "../trust/verify.ts";
import { acquireArchive, acquireSignature, isThere, stagedBytes } from "./acquire.ts";
import { conditions, revalidated } from "./answers.ts";
import { confirmArchive } from "./confirm.ts";
import { type Acquired, type AcquireOptions, askWhetherChanged, type Downloaded, notThere, where } from "./download.ts";
import type { Location, Place } from "./locate.ts";
import { requireMatch } from "./match.ts";
import { type PendingImage, pendingImage } from "./pending.ts";
import { type Recalled, recallSigners, rememberVerdict } from "./recall.ts";
import { isSettled, type KnownArchive, storedDependencies } from "./stored.ts";
import { unpack } from "./unpack.ts";
import { chooseWay } from "./way.ts";

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
  /** As of chooseWay. */
  readonly holdsNothing?: boolean | undefined;
  /** As of chooseWay. */
  readonly since?: Date | undefined;
}

export interface WantedImage {
  readonly location: Location;
  /** What was asked for by name; a file or URL may hold any image. */
  readonly named?: { readonly name: string; readonly labels: Labels; readonly hostLabels: Labels } | undefined;
}

/**
 * @throws Failure SIGNATURE_MISSING, KEY_UNTRUSTED (before the image is downloaded), SIGNATURE_BAD, SIGNATURE_INVALID,
 * NAME_MISMATCH, and what acquiring and extracting throw; the store is then as it was
 */
export async function importImage(wanted: WantedImage, options: ImportOptions): Promise<PendingImage> {
  const { image } = wanted.location;
  const signature = options.insecureImage ? undefined : await signatureFirst(wanted, options);
  const way = await chooseWay(image, options);
  if (way.kind === "stored") {
    options.answers?.noteShortcut();
    return await takeStored(wanted, options, signature, way.known.record);
  }
  if (way.kind === "shared") return await takeShared(way.place, wanted, options, signature);
  try {
    const answer = way.known && (await askWhetherChanged(image, conditions(way.known.answer), options));
    if (way.known === undefined || answer?.status !== 304) {
      return await importBytes(wanted, options, signature, answer, way.release);
    }
    answer.discard();
    await noteUnchanged(answer, way.known, options);
    await way.release();
    return await takeStored(wanted, options, signature, way.known.record);
  } finally {
    await way.release();
  }
}

/** Working directories are made only for bytes that come: most of the time nothing changed. */
async function importBytes(
  wanted: WantedImage,
  options: ImportOptions,
  signature: Early | "later" | undefined,
  answer: HttpResponse | undefined,
  release: () => Promise<void>,
): Promise<PendingImage> {
  const { image } = wanted.location;
  let staging: Staging | undefined;
  try {
    staging = await beginImport(options.store, undefined, image.kind === "url" ? image.url : undefined);
    const taken = await acquire(image, wanted, options, signature, staging, answer);
    await release();
    return await finishImport(wanted, options, staging, taken);
  } catch (error) {
    answer?.discard();
    await staging?.abandon(error instanceof Failure && canGoOn.has(error.code));
    throw error;
  }
}

async function noteUnchanged(answer: HttpResponse, known: KnownArchive, { answers }: ImportOptions): Promise<void> {
  const { url, image } = known.answer;
  await answers?.keep(url, revalidated(answer, known.answer), { image });
}

/** What another process has just downloaded, as if it had come from the server. */
async function takeShared(
  place: Place,
  wanted: WantedImage,
  options: ImportOptions,
  signature: Early | "later" | undefined,
): Promise<PendingImage> {
  options.answers?.noteShortcut();
  try {
    return await importCopy(place, wanted, options, signature);
  } catch (error) {
    const isGone = error instanceof Failure && error.code === "NOT_FOUND" && error.subject === where(place);
    if (!isGone) throw error;
    // Its owner was faster: he has stored it, or given it up.
    return await importImage(wanted, options);
  }
}

/** Imports a file that stands for what a server has; nothing of it is believed. */
async function importCopy(
  place: Place,
  wanted: WantedImage,
  options: ImportOptions,
  signature: Early | "later" | undefined,
): Promise<PendingImage> {
  const staging = await beginImport(options.store);
  try {
    return await finishImport(wanted, options, staging, await acquire(place, wanted, options, signature, staging));
  } catch (error) {
    await staging.abandon();
    throw error;
  }
}

/** After these the part of a download that came is kept for the next time. */
const canGoOn: ReadonlySet<string> = new Set(["HTTP_FAILED", "TLS_FAILED", "TIMED_OUT", "INTERRUPTED"]);

async function finishImport(
  wanted: WantedImage,
  options: ImportOptions,
  staging: Staging,
  { check, bytes, acquired }: Taken,
): Promise<PendingImage> {
  const signers = check === undefined ? [] : await check.finish(await nameForTrust(wanted, options, staging));
  for (const { warning } of signers) if (warning !== undefined) options.log.warn(warning);
  staging.beginSync();
  const summary = await unpack(wanted, options, staging);
  return pendingImage(wanted, staging, { acquired, summary, signers, signature: bytes }, options.answers);
}

/**
 * The image whose archive the server says is still the one: its stored bytes are those that were verified (VERIFY-5), and its signature is verified
 * as if they had just come (T-D14). Where the record would not stay as it is, it is imported from those bytes.
 */
async function takeStored(
  wanted: WantedImage,
  options: ImportOptions,
  early: Early | "later" | undefined,
  record: ImageRecord,
): Promise<PendingImage> {
  const { store } = options;
  const signature = early === "later" ? await signatureNow(wanted, options) : early;
  const recalled = signature?.recalled?.archive === record.archive.sha512 ? signature.recalled : undefined;
  const check = signature && recalled === undefined ? await signature.check() : undefined;
  const hashed = await confirmArchive(record, check, options);
  const signers = recalled?.signers ?? (await check?.finish(wanted.named?.name ?? record.name)) ?? [];
  if (wanted.named !== undefined) requireMatch(record, wanted.named);
  if (isSettled(store, record, signers, wanted.named)) {
    await rememberVerdict(record.archive.sha512, { verdict: await check?.verdict(), hashed }, options);
    const commit = async (): Promise<ImageRecord> => {
      touchImage(store, record.id);
      return record;
    };
    const dependencies = await storedDependencies(store, record);
    return { record, dependencies, commit, abandon: async () => {} };
  }
  const again = signature && (await verifiable(signature.bytes, wanted, options));
  return await importCopy({ kind: "file", path: blobPath(store, record.archive.sha512) }, wanted, options, again);
}

/** A signature that could count. */
interface Early {
  readonly bytes: Buffer;
  /** A new one, which has seen nothing of the archive. */
  check(): Promise<SignatureCheck>;
  /** Of the same signature before: it could count then, so it can now. */
  readonly recalled?: Recalled | undefined;
}

/** Nothing of an image is downloaded that nobody trusted could have signed. */
async function signatureFirst(wanted: WantedImage, options: ImportOptions): Promise<Early | "later"> {
  const { location, named } = wanted;
  const bytes = await acquireSignature(location.signature, options);
  if (bytes === "later") return bytes;
  if (bytes === undefined) {
    if (!(await isThere(location.image, options))) throw notThere(location.image, named?.name);
    throw missing(wanted);
  }
  const recalled = await recallSigners(bytes, named?.name, location.image, options);
  if (recalled === undefined) return await verifiable(bytes, wanted, options);
  return { bytes, recalled, check: () => begin(bytes, wanted, options) };
}

/** @throws Failure KEY_UNTRUSTED when nobody who is trusted could have made it */
async function verifiable(bytes: Buffer, wanted: WantedImage, options: ImportOptions): Promise<Early> {
  const first = await begin(bytes, wanted, options);
  return { bytes, check: async () => first };
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

interface Taken {
  readonly check?: SignatureCheck;
  readonly bytes?: Buffer;
  readonly acquired: Acquired | Downloaded;
}

/** The archive in staging, and the check that has seen all of its bytes. */
async function acquire(
  image: Place,
  wanted: WantedImage,
  options: ImportOptions,
  signature: Early | "later" | undefined,
  staging: Staging,
  answer?: HttpResponse,
): Promise<Taken> {
  const early = signature === "later" ? undefined : signature;
  let check: SignatureCheck | undefined;
  const witness = early && (async () => (check = await early.check()));
  const acquired = await acquireArchive(image, staging, options, witness, answer);
  if (signature !== "later") return { ...(early && check && { check, bytes: early.bytes }), acquired };
  const late = await signatureNow(wanted, options);
  const lateCheck = await late.check();
  for await (const chunk of stagedBytes(staging.archive)) lateCheck.update(chunk);
  return { check: lateCheck, bytes: late.bytes, acquired };
}

/** The server makes the signature when the image is asked for (rkt-and-appc.md 4.6); it is asked once more. */
async function signatureNow(wanted: WantedImage, options: ImportOptions): Promise<Early> {
  const bytes = await acquireSignature(wanted.location.signature, options);
  if (bytes === undefined || bytes === "later") throw missing(wanted);
  return await verifiable(bytes, wanted, options);
}

/** Trust is by name: the one asked for (which the manifest must then have), else the manifest's own. */
async function nameForTrust({ named }: WantedImage, options: ImportOptions, staging: Staging): Promise<string> {
  if (named !== undefined) return named.name;
  const { peekManifest } = await import("../image/archive.ts");
  const { manifest } = await peekManifest(stagedBytes(staging.archive), options);
  return manifest.name;
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
