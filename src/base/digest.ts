/** Digests of raw bytes, and a stream that refuses to end on the wrong ones. */
import { createHash, type Hash } from "node:crypto";
import { Failure } from "./failure.ts";

/** Hashes everything that passes; `value()` may be read once the source has ended. */
export async function* hashing(
  source: AsyncIterable<Uint8Array>,
  ...hashes: readonly Hash[]
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    for (const hash of hashes) hash.update(chunk);
    yield chunk;
  }
}

export interface Expected {
  /** Lower-case hex. */
  readonly sha512: string;
  /** Bytes; more than this is refused before it is handed on. */
  readonly size?: number | undefined;
}

/**
 * Hands on at most `expected.size` bytes and throws at the end unless the digest is the expected one.
 * A consumer that must not act on unverified bytes waits for the end (umoci's verified reader).
 * @throws Failure DIGEST_MISMATCH
 */
export async function* verifying(
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
  subject: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha512");
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (expected.size !== undefined && size > expected.size) {
      throw new Failure("DIGEST_MISMATCH", `${subject} is longer than the ${expected.size} bytes it should have`, {
        subject,
      });
    }
    hash.update(chunk);
    yield chunk;
  }
  if (expected.size !== undefined && size !== expected.size) {
    throw new Failure("DIGEST_MISMATCH", `${subject} has ${size} bytes instead of ${expected.size}`, { subject });
  }
  const actual = hash.digest("hex");
  if (actual !== expected.sha512) {
    throw new Failure("DIGEST_MISMATCH", `${subject} has another digest than expected`, {
      subject,
      cause: `expected sha512-${expected.sha512}, got sha512-${actual}`,
    });
  }
}

/** Lower-case hex SHA-512 of `bytes`. */
export function sha512(bytes: Uint8Array | string): string {
  return createHash("sha512").update(bytes).digest("hex");
}
