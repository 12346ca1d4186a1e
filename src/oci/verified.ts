/** Digests computed and compared, before a byte is used (OCI-9). */
import { createHash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import { algorithmOf, type Digest } from "./digest.ts";

/** The digest of bytes that are at hand, by the algorithm of `like`. */
export function digestOf(bytes: Uint8Array, like: "sha256" | "sha512" = "sha256"): Digest {
  return `${like}:${createHash(like).update(bytes).digest("hex")}`;
}

export interface Expected {
  readonly digest: Digest;
  /** Undefined: not known, as of a manifest that is pinned; `limit` holds then. */
  readonly size?: number | undefined;
}

const fetchAgain = "fetch it again; if it stays so, ask who published the image";

/**
 * Hands on at most the expected bytes and throws at the end unless they are those expected.
 * @throws Failure DIGEST_MISMATCH
 */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  { digest, size }: Expected,
  subject: string,
  hint = fetchAgain,
): AsyncGenerator<Uint8Array> {
  const hash = createHash(algorithmOf(digest));
  let count = 0;
  for await (const chunk of source) {
    count += chunk.length;
    if (size !== undefined && count > size) throw longer(subject, size, hint);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && count !== size) {
    throw new Failure("DIGEST_MISMATCH", `${subject} has ${count} bytes instead of ${size}`, { subject, hint });
  }
  requireDigest(`${algorithmOf(digest)}:${hash.digest("hex")}`, digest, subject, hint);
}

/** @throws Failure DIGEST_MISMATCH */
export function requireDigest(actual: string, expected: Digest, subject: string, hint = fetchAgain): void {
  if (actual === expected) return;
  throw new Failure("DIGEST_MISMATCH", `${subject} has another digest than expected`, {
    subject,
    cause: `expected ${expected}, got ${actual}`,
    hint,
  });
}

function longer(subject: string, size: number, hint: string): Failure {
  const message = `${subject} is longer than the ${size} bytes it should have`;
  return new Failure("DIGEST_MISMATCH", message, { subject, hint });
}
