/** Verifies an image file against its detached signature and the keystore, in one pass over its bytes. Nothing is stored. */
import { Failure } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { rejectNaming } from "../fetch/import.ts";
import { type ArchiveOptions, peekManifest } from "../image/archive.ts";
import { openFile, readChunks } from "../trust/files.ts";
import { signatureFileLimit } from "../trust/signature.ts";
import { beginVerification, type SignatureCheck, type Signer } from "../trust/verify.ts";
import { keystoreOf } from "./keystore.ts";
import type { Settings } from "./settings.ts";

export interface VerifyOptions {
  readonly image: string;
  /** Default: the image's path and `.asc` (ACI-9). */
  readonly signature?: string | undefined;
  /** The name that the image must have; undefined: whatever its manifest says. */
  readonly name?: string | undefined;
  /** A signature by a key that has expired since counts (T-S08). */
  readonly allowExpiredKey?: boolean | undefined;
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface VerifiedImage {
  readonly image: string;
  readonly signature: string;
  readonly name: string;
  readonly signers: readonly Signer[];
}

/**
 * The name is read from the very bytes that are hashed, so that no other file can lend it (T-S29), and must be `name` when that is given (T-S30).
 * @throws Failure NOT_FOUND, SIGNATURE_MISSING, KEY_UNTRUSTED, SIGNATURE_INVALID, SIGNATURE_BAD, NAME_MISMATCH, and what readArchive throws
 */
export async function verifyImage(settings: Settings, options: VerifyOptions): Promise<VerifiedImage> {
  const { image, name: expected, now = new Date(), signal } = options;
  const handle = await openFile(image);
  try {
    const { path: signature, bytes } = await readSignature(image, options.signature);
    const check = await beginVerification(bytes, {
      name: expected,
      keystore: keystoreOf(settings),
      now,
      allowExpiredKey: options.allowExpiredKey,
    }).catch((error: unknown) => rejectNaming(error, expected === undefined ? image : undefined));
    const look = await hashAndPeek(readChunks(handle, signal), check, { limits: await settings.limits(), signal });
    if (expected === undefined && look.name === undefined) throw look.error;
    // The signature first: of an image that was changed, a broken archive is not the news.
    const signers = await check.finish(expected ?? look.name ?? "");
    if (look.name === undefined) throw look.error;
    const { name } = look;
    if (expected !== undefined && name !== expected) {
      throw new Failure("NAME_MISMATCH", `${image} is the image ${name}, not ${expected}`, { subject: image });
    }
    for (const { warning } of signers) if (warning !== undefined) settings.log.warn(warning);
    return { image, signature, name, signers };
  } finally {
    await handle.close();
  }
}

async function readSignature(image: string, given: string | undefined): Promise<{ path: string; bytes: Buffer }> {
  const path = given ?? `${image}.asc`;
  const bytes = await readIfExists(path, signatureFileLimit);
  if (bytes !== undefined) return { path, bytes };
  if (given !== undefined) throw new Failure("NOT_FOUND", `${path} is not there`, { subject: path });
  throw new Failure("SIGNATURE_MISSING", `${image} has no signature beside it`, {
    subject: path,
    hint: `sign it with perigee sign ${image}, or name the signature with --signature`,
  });
}

/** The image's name, or why it cannot be read. */
type Look = { readonly name: string } | { readonly name: undefined; readonly error: unknown };

/** Feeds every byte to `check` and looks for the name on the way; the manifest's reader stops early, the hashing does not. */
async function hashAndPeek(
  chunks: AsyncGenerator<Uint8Array>,
  check: SignatureCheck,
  options: ArchiveOptions,
): Promise<Look> {
  // Made by hand from the one iterator, so that a reader that ends its view of it does not end the reading.
  const hashed: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = await chunks.next();
        if (step.done !== true) check.update(step.value);
        return step;
      },
    }),
  };
  const look = await peekManifest(hashed, options).then(
    ({ manifest }): Look => ({ name: manifest.name }),
    (error: unknown): Look => ({ name: undefined, error }),
  );
  for await (const _ of hashed);
  return look;
}
