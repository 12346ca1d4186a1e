/** The words for digests of OCI content, parsed strictly before they become a path or a URL (T-D17). Computes none: run reads references. */
import { excerpt, Failure } from "../base/failure.ts";

/** `sha256:…` or `sha512:…`, lower-case hex of the right length. */
export type Digest = `sha256:${string}` | `sha512:${string}`;

/** OCI-3: nothing else is a digest; other algorithms are refused, not skipped. */
export function isDigest(text: string): text is Digest {
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text);
}

/** @throws Failure IMAGE_INVALID */
export function parseDigest(text: unknown, subject: string): Digest {
  if (typeof text === "string" && isDigest(text)) return text;
  throw new Failure("IMAGE_INVALID", `${subject} has no digest that can be checked`, {
    subject,
    cause: `${typeof text === "string" ? excerpt(text) : "nothing"} is neither sha256: nor sha512: with lower-case hex (OCI-3)`,
  });
}

export function algorithmOf(digest: Digest): "sha256" | "sha512" {
  return digest[3] === "2" ? "sha256" : "sha512";
}
