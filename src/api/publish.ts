import { sha512 } from "../base/digest.ts";
import { makeDirectories } from "../base/directories.ts";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";
import { peekManifest } from "../image/archive.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import { labelValue } from "../schema/labels.ts";
import { linkedSbom, sbomKinds, sbomLinks, sbomPath } from "../schema/sbom-link.ts";
import { FileLock } from "../shim/flock.ts";
import { parseSiteUrl } from "../site/layout.ts";
import { type ImageToPublish, type KeyToPublish, type PublishedSite, publishSite } from "../site/publish.ts";
import { openFile, readChunks } from "../trust/files.ts";
import { readSecretKeys } from "../trust/key-directory.ts";
import type { Keystore, TrustedKey } from "../trust/keystore.ts";
import { signatureFileLimit } from "../trust/signature.ts";
import { keyDirectory, readKeyBytes } from "./keys.ts";
import type { Settings } from "./settings.ts";

export type { PublishedImage, PublishedSite } from "../site/publish.ts";

export interface PublishOptions {
  /** Paths of .aci files; a signature is looked for at PATH.asc (ACI-9). */
  readonly images: readonly string[];
  /** The site's directory; made if missing, added to if not. */
  readonly out: string;
  /** https://HOST/PATH where the directory will be served. */
  readonly url: string;
  /** Files of public keys, besides the caller's own keys. Those that made a signature are published. */
  readonly keys?: readonly string[] | undefined;
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a bill of materials. */
const sbomLimit = 128 * 1024 * 1024;

/**
 * An image without signature, or by a key that is not at hand, is published with a warning: clients say what is missing.
 * @throws Failure NOT_FOUND, SIGNATURE_BAD, SIGNATURE_INVALID, USAGE, UNSUPPORTED, and what peekManifest throws; nothing is written then
 */
export async function publishImages(settings: Settings, options: PublishOptions): Promise<PublishedSite> {
  const { images, out, url, now = new Date(), signal } = options;
  parseSiteUrl(url);
  const keys = await candidates(settings, options.keys ?? []);
  const ready: ImageToPublish[] = [];
  for (const path of images) ready.push(await prepare(settings, path, keys, now, signal));
  const used = new Set(ready.flatMap(({ signers }) => signers));
  try {
    makeDirectories(out, 0o755);
  } catch (error) {
    throw ioFailure(error, `cannot make ${out}`, out);
  }
  const lock = await FileLock.acquire(out, "exclusive", {
    signal,
    onWait: () => settings.log.info(`waiting for another publish into ${out}`),
  });
  try {
    const published = keys.filter(({ fingerprint }) => used.has(fingerprint));
    return await publishSite({ directory: out, url, images: ready, keys: published });
  } finally {
    lock.release();
  }
}

/** The caller's own public keys and those of `files`, each by itself. @throws Failure NOT_FOUND, KEY_INVALID */
async function candidates(settings: Settings, files: readonly string[]): Promise<readonly KeyToPublish[]> {
  const { publicPart, readKeyFile } = await import("../trust/keys.ts");
  const found = new Map<string, KeyToPublish>();
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

async function prepare(
  settings: Settings,
  path: string,
  keys: readonly KeyToPublish[],
  now: Date,
  signal: AbortSignal | undefined,
): Promise<ImageToPublish> {
  const handle = await openFile(path);
  try {
    const { manifest } = await peekManifest(readChunks(handle, signal), { limits: await settings.limits(), signal });
    const { name, labels } = manifest;
    const [version, os, arch] = ["version", "os", "arch"].map((label) => labelValue(labels, label));
    const image = { path, name, version, os, arch, documents: await linkedDocuments(settings, path, manifest) };
    const signature = await readIfExists(`${path}.asc`, signatureFileLimit);
    if (signature !== undefined) {
      const signers = await signersOf(settings, { path, name, signature }, keys, now, signal);
      return { ...image, signature, signers };
    }
    settings.log.warn(`${printable(path)} is not signed: nobody can fetch it without --insecure-options=image`);
    return { ...image, signature, signers: [] };
  } finally {
    await handle.close();
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

interface SignedFile {
  readonly path: string;
  readonly name: string;
  readonly signature: Buffer;
}

/** Which of `keys` made the signature, by the same checks that every client will make. */
async function signersOf(
  { log }: Settings,
  { path, name, signature }: SignedFile,
  keys: readonly KeyToPublish[],
  now: Date,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { beginVerification } = await import("../trust/verify.ts");
  const handle = await openFile(path);
  try {
    const check = await beginVerification(signature, { name, keystore: keystoreWith(keys), now });
    for await (const chunk of readChunks(handle, signal)) check.update(chunk);
    return [...new Set((await check.finish(name)).map(({ fingerprint }) => fingerprint))];
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "KEY_UNTRUSTED") throw error;
    log.warn(
      `${printable(path)}: the key that signed it is not at hand, so clients will not find it; --key FILE adds it`,
    );
    return [];
  } finally {
    await handle.close();
  }
}

/** As if each of `keys` were trusted for everything: what is asked is who signed, not whether to believe it. */
function keystoreWith(keys: readonly KeyToPublish[]): Keystore {
  const trusted = keys.map(({ fingerprint, armored }): TrustedKey => {
    return { fingerprint, armored, path: "", digest: sha512(armored), scope: "root" };
  });
  return { keysFor: async () => trusted, vouches: async () => "no" };
}
