/** Where an image comes from, as far as the import must know: a registry, a directory or a file answer the same questions. */
import { Failure } from "../base/failure.ts";
import { algorithmOf, type Digest } from "./digest.ts";
import { type Descriptor, documentLimit } from "./documents.ts";
import type { Platform } from "./platform.ts";
import { digestOf, requireDigest, verified } from "./verified.ts";

/** The first document of an image: its manifest, or an index of several. */
export interface RootDocument {
  readonly bytes: Buffer;
  /** What it was announced as, if at all. */
  readonly mediaType: string | undefined;
}

/** Nothing that comes out was compared with anything yet: verifiedBytes and verified do that. */
export interface OciSource {
  /** What the image is called there. */
  readonly imageName: string;
  readonly tag: string | undefined;
  /** @throws Failure NOT_FOUND, AMBIGUOUS … */
  root(host: Platform): Promise<RootDocument>;
  /** Whether `open` can begin in the middle. */
  readonly resumes?: boolean | undefined;
  /** @param from bytes that are left out; only of a source that resumes */
  open(blob: Descriptor, kind: "manifest" | "blob", from?: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** The bytes of a document, compared with its descriptor. @throws Failure DIGEST_MISMATCH, LIMIT_EXCEEDED */
export async function verifiedBytes(
  source: OciSource,
  document: Descriptor,
  kind: "manifest" | "blob",
  subject: string,
): Promise<Buffer> {
  return await collect(verified(source.open(document, kind), document, subject), documentLimit, subject);
}

/** @throws Failure LIMIT_EXCEEDED */
export async function collect(source: AsyncIterable<Uint8Array>, limit: number, subject: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > limit) throw new Failure("LIMIT_EXCEEDED", `${subject} has more than ${limit} bytes`, { subject });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Pinned: the root document is what was named, byte for byte (OCI-2). @throws Failure DIGEST_MISMATCH */
export function requirePin(root: RootDocument, digest: Digest | undefined, subject: string): void {
  if (digest !== undefined) requireDigest(digestOf(root.bytes, algorithmOf(digest)), digest, subject);
}
