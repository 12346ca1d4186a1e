/** publish: images, with what belongs to them, become a site. What is in it already is neither read nor copied again. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { sha512 } from "../base/digest.ts";
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { peekManifest } from "../image/archive.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import { labelValue } from "../schema/labels.ts";
import { linkedSbom, sbomKinds, sbomLinks, sbomPath } from "../schema/sbom-link.ts";
import { type Catalogue, type CatalogueImage, readCatalogue } from "../site/catalogue.ts";
import { factsForm, readContentFacts, type SignatureFacts } from "../site/facts.ts";
import { keyFile, parseSiteUrl } from "../site/layout.ts";
import {
  type ImageToPublish,
  isPlaced,
  type KeyToPublish,
  type KnownImage,
  type PublishedSite,
  publishSite,
} from "../site/publish.ts";
import { stampOfSource } from "../site/stamp.ts";
import { readSecretKeys } from "../trust/key-directory.ts";
import type { Keystore, TrustedKey } from "../trust/keystore.ts";
import { signatureFileLimit } from "../trust/signature.ts";
import type { SignatureCheck } from "../trust/verify.ts";
import { keyDirectory, readKeyBytes } from "./keys.ts";
import { type PublishSource, publishSources } from "./publish-sources.ts";
import type { Settings } from "./settings.ts";
import { lockSite, makeAndLock, removeEmpty } from "./site-lock.ts";

export type { PublishedImage, PublishedSite } from "../site/publish.ts";

export interface PublishOptions {
  /** Paths of .aci files, with a signature at PATH.asc (ACI-9), directories of them, and stored images by ID or NAME[:VERSION][,label=value…]. */
  readonly images: readonly string[];
  /** The site's directory; made if missing, added to if not. */
  readonly out: string;
  /** https://HOST/PATH where the directory will be served. */
  readonly url: string;
  /** Files of public keys, besides the caller's own keys. Those that made a signature are published. */
  readonly keys?: readonly string[] | undefined;
  /** The site is these images and no others. */
  readonly prune?: boolean | undefined;
  /** Read and compare every byte, also of what seems not to have changed. */
  readonly recheck?: boolean | undefined;
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a bill of materials. */
const sbomLimit = 128 * 1024 * 1024;

/** What is the same for all images of one call. */
interface Work {
  readonly settings: Settings;
  readonly options: PublishOptions;
  readonly keys: readonly KeyToPublish[];
  readonly now: Date;
  /** Images of the site by the stamp of what they were published from. */
  readonly known: ReadonlyMap<string, CatalogueImage>;
  /** What the result depends on besides the files of an image. */
  readonly salt: string;
}

/**
 * An image without signature, or by a key that is not at hand, is published with a warning: clients say what is missing.
 * @throws Failure NOT_FOUND, SIGNATURE_BAD, SIGNATURE_INVALID, USAGE, UNSUPPORTED, and what readArchive throws; nothing is written then
 */
export async function publishImages(settings: Settings, options: PublishOptions): Promise<PublishedSite> {
  const { out, url, prune, recheck = false, now = new Date(), signal } = options;
  parseSiteUrl(url);
  const sources = (await Promise.all(options.images.map((image) => publishSources(settings, image)))).flat();
  const own = await candidates(settings, options.keys ?? [], sources);
  // A site that is there is locked before it is looked at; one that is not has nothing to look at, and is not made for a failure.
  let lock = await lockSite(settings, out, signal);
  const made = new Set<string>();
  try {
    const catalogue = lock === undefined ? undefined : await readCatalogue(out);
    const keys = [...own, ...(await keysOfSite(out, catalogue, own))];
    const unread = recheck ? [] : (catalogue?.images ?? []);
    const known = new Map(unread.flatMap((image) => (image.source === undefined ? [] : [[image.source, image]])));
    const salt = [factsForm, ...keys.map(({ armored }) => sha512(armored)).sort()].join(" ");
    const ready: (ImageToPublish | KnownImage)[] = [];
    for (const source of sources) ready.push(await prepare({ settings, options, keys, now, known, salt }, source));
    lock ??= await makeAndLock(settings, out, made, signal);
    const used = new Set(ready.flatMap((image) => ("known" in image ? (image.known.signers ?? []) : image.signers)));
    const published = keys.filter(({ fingerprint }) => used.has(fingerprint));
    const site = await publishSite({ directory: out, url, images: ready, keys: published, prune });
    made.clear();
    return site;
  } finally {
    removeEmpty(made);
    lock?.release();
  }
}

/** Keys that signed what is in the site: who publishes an image again need not have the key of who published it first. */
async function keysOfSite(
  out: string,
  catalogue: Catalogue | undefined,
  own: readonly KeyToPublish[],
): Promise<readonly KeyToPublish[]> {
  const signers = new Set(catalogue?.images.flatMap((image) => image.signers ?? []));
  for (const { fingerprint } of own) signers.delete(fingerprint);
  const keys: KeyToPublish[] = [];
  for (const fingerprint of signers) {
    const armored = await readIfExists(join(out, keyFile(fingerprint)), signatureFileLimit);
    if (armored !== undefined) keys.push({ fingerprint, armored });
  }
  return keys;
}

/** Keys that vouched for stored images, the caller's own public keys, and those of `files`, each by itself. @throws Failure NOT_FOUND, KEY_INVALID */
async function candidates(
  settings: Settings,
  files: readonly string[],
  sources: readonly PublishSource[],
): Promise<readonly KeyToPublish[]> {
  const { publicPart, readKeyFile } = await import("../trust/keys.ts");
  const found = new Map<string, KeyToPublish>();
  for (const { fingerprint, armored } of sources.flatMap(({ keys }) => keys)) {
    found.set(fingerprint, { fingerprint, armored });
  }
  const add = async (bytes: Buffer): Promise<void> => {
    for (const { info, armored } of await readKeyFile(bytes)) {
      const key = info.hasSecret ? Buffer.from(await publicPart(armored)) : armored;
      found.set(info.fingerprint, { fingerprint: info.fingerprint, armored: key });
    }
  };
  for (const { bytes } of await readSecretKeys(keyDirectory(settings))) await add(bytes);
  for (const file of files) {
    await add(await readKeyBytes(file));
  }
  return [...found.values()];
}

async function prepare(work: Work, source: PublishSource): Promise<ImageToPublish | KnownImage> {
  const { settings, options, known, salt } = work;
  const { path, called } = source;
  const stamp = await stampOfSource(path, salt);
  const there = stamp === undefined ? undefined : known.get(stamp);
  const image = there !== undefined && (await isPlaced(options.out, there)) ? { path, known: there } : undefined;
  const ready = image ?? (await read(work, source, stamp));
  const isSigned = "known" in ready ? ready.known.signers !== undefined : ready.signature !== undefined;
  const signers = "known" in ready ? ready.known.signers : ready.signers;
  if (!isSigned) {
    settings.log.warn(`${printable(called)} is not signed: nobody can fetch it without --insecure-options=image`);
  } else if (signers?.length === 0) {
    settings.log.warn(
      `${printable(called)}: the key that signed it is not at hand, so clients will not find it; --key FILE adds it`,
    );
  }
  return ready;
}

/** One pass over the whole image, for its signature and its page. */
async function read(work: Work, source: PublishSource, stamp: string | undefined): Promise<ImageToPublish> {
  const { settings, options } = work;
  const { signal } = options;
  const { path } = source;
  const limits = await settings.limits();
  const manifest = await readingAll(
    source.open(signal),
    async (bytes) => (await peekManifest(bytes(), { limits, signal })).manifest,
  );
  const { name, labels } = manifest;
  const [version, os, arch] = ["version", "os", "arch"].map((label) => labelValue(labels, label));
  const documents = await linkedDocuments(settings, path, manifest);
  const signature = await readIfExists(`${path}.asc`, signatureFileLimit);
  const check = signature && (await beginCheck(work, name, signature));
  const content = await told(work, source, check, (bytes) => readContentFacts(bytes, { limits, signal }));
  const signatures = (await check?.finish(name))?.map(({ fingerprint, identity, signedAt }): SignatureFacts => {
    return { fingerprint, identity, signedAt: signedAt.toISOString() };
  });
  const signers = [...new Set((signatures ?? []).map(({ fingerprint }) => fingerprint))];
  const facts = { ...content, signatures: signatures ?? [], documents: documents?.map(({ suffix }) => suffix) ?? [] };
  return { path, name, version, os, arch, documents, signature, signers, facts, stamp };
}

/** What `take` makes of the archive's bytes, all of which `check` sees and the user is told of. */
async function told<T>(
  { settings: { log }, options: { signal } }: Work,
  { path, called, open }: PublishSource,
  check: SignatureCheck | undefined,
  take: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const task = `reading ${printable(called)}`;
  const { size: total } = await stat(path);
  let done = 0;
  return await readingAll(open(signal), async (bytes) => {
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of bytes()) {
        check?.update(chunk);
        done += chunk.length;
        log.progress({ task, done, total });
        yield chunk;
      }
    };
    const taken = await take(chunks());
    // The signature and the digest are of every byte, also of those behind the end of the archive.
    for await (const _ of chunks());
    log.progress({ task, done, total, finished: true });
    return taken;
  });
}

/** Leaving a loop over what `take` is given does not end `source`: a second one goes on from there. */
async function readingAll<T>(
  source: AsyncIterable<Uint8Array>,
  take: (bytes: () => AsyncGenerator<Uint8Array>) => Promise<T>,
): Promise<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    return await take(async function* () {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    });
  } finally {
    await iterator.return?.();
  }
}

/** The bills of materials beside the image that its manifest names. */
async function linkedDocuments(
  { log }: Settings,
  path: string,
  { annotations }: ImageManifest,
): Promise<ImageToPublish["documents"]> {
  const documents: { suffix: string; bytes: Buffer }[] = [];
  for (const kind of sbomKinds) {
    const digest = linkedSbom(annotations, kind);
    const file = sbomPath(path, kind);
    const bytes = digest === undefined ? undefined : await readIfExists(file, sbomLimit);
    if (bytes === undefined) continue;
    if (sha512(bytes) === digest) documents.push({ suffix: sbomLinks[kind].suffix, bytes });
    else log.warn(`${printable(file)} is not the one that the image names, and is left out`);
  }
  return documents;
}

/** Which of the keys made the signature, by the same checks that every client will make. Undefined: none of them says it did. */
async function beginCheck({ keys, now }: Work, name: string, signature: Buffer): Promise<SignatureCheck | undefined> {
  const { beginVerification } = await import("../trust/verify.ts");
  try {
    return await beginVerification(signature, { name, keystore: keystoreWith(keys), now });
  } catch (error) {
    if (error instanceof Failure && error.code === "KEY_UNTRUSTED") return undefined;
    throw error;
  }
}

/** As if each of `keys` were trusted for everything: what is asked is who signed, not whether to believe it. */
function keystoreWith(keys: readonly KeyToPublish[]): Keystore {
  const trusted = keys.map(({ fingerprint, armored }): TrustedKey => {
    return { fingerprint, armored, path: "", digest: sha512(armored), scope: "root" };
  });
  return { keysFor: async () => trusted, vouches: async () => "no" };
}
