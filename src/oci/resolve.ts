/** From a reference to the one image that is meant: index, platform, manifest, config, each compared with its digest before it is read (OCI-4…8). */
import { excerpt, Failure } from "../base/failure.ts";
import { type ImageConfig, parseConfig } from "./config.ts";
import type { Digest } from "./digest.ts";
import { type Index, type Manifest, parseDocument } from "./documents.ts";
import { choosePlatform, hostPlatform, type Platform, showPlatform } from "./platform.ts";
import { type OciReference, showOciReference } from "./reference.ts";
import { type OciSource, requirePin, verifiedBytes } from "./source.ts";
import { digestOf } from "./verified.ts";

export interface ResolvedImage {
  readonly manifest: Manifest;
  readonly manifestBytes: Buffer;
  readonly manifestDigest: Digest;
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  /** Of what the reference leads to: an index, or the manifest. It is what a digest pins. */
  readonly rootDigest: Digest;
}

/** Indexes inside of each other. */
const deepestIndex = 4;

/** @throws Failure NOT_FOUND, DIGEST_MISMATCH, IMAGE_INVALID, NAME_MISMATCH for a config of another platform, UNSUPPORTED */
export async function resolveImage(
  reference: OciReference,
  source: OciSource,
  host: Platform = hostPlatform(),
): Promise<ResolvedImage> {
  const subject = excerpt(showOciReference(reference));
  const root = await source.root(host);
  requirePin(root, reference.digest, subject);
  let bytes = root.bytes;
  let document: Index | Manifest = parseDocument(bytes, subject, root.mediaType);
  let chosen: Platform | undefined;
  for (let depth = 0; document.kind === "index"; depth += 1) {
    if (depth === deepestIndex) throw new Failure("IMAGE_INVALID", `${subject}: an index in an index in an index`);
    const entry = choosePlatform(document.entries, host, subject);
    chosen = entry.platform ?? chosen;
    bytes = await verifiedBytes(source, entry, "manifest", `the manifest of ${subject}`);
    document = parseDocument(bytes, `the manifest of ${subject}`, entry.mediaType === "" ? undefined : entry.mediaType);
  }
  const configBytes = await verifiedBytes(source, document.config, "blob", `the config of ${subject}`);
  const config = parseConfig(configBytes, document.layers.length, `the config of ${subject}`);
  requirePlatform(config.platform, chosen ?? host, subject);
  return {
    manifest: document,
    manifestBytes: bytes,
    manifestDigest: digestOf(bytes),
    config,
    configBytes,
    rootDigest: reference.digest ?? digestOf(root.bytes),
  };
}

/** T-D17: what the index promised, and what runs here. The variant is the index's to say: configs leave it out. */
function requirePlatform(actual: Platform, wanted: Platform, subject: string): void {
  if (actual.os === wanted.os && actual.architecture === wanted.architecture) return;
  throw new Failure("NAME_MISMATCH", `${subject} is made for ${showPlatform(actual)}`, {
    subject,
    cause: `${showPlatform(wanted)} was asked for`,
    hint: "ask who publishes it for an image of this platform",
  });
}
