/** One file of several signatures (TRUST-23): which of an earlier file stay, that all are of the bytes, and that a reader will take the file. */
import { createHash, type Hash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import { armor } from "./armor.ts";
import { formatFingerprint } from "./keys.ts";
import { loadOpenpgp } from "./openpgp.ts";
import { digestName } from "./policy.ts";
import {
  digestWith,
  outlineSignatures,
  type SignatureOutline,
  signatureFileLimit,
  signaturePacketLimit,
} from "./signature.ts";

/** node:crypto names of the digests that `signatures` are checked with. */
export function digestsOf(signatures: readonly SignatureOutline[]): readonly string[] {
  return signatures.flatMap(({ hash }) => digestName(hash ?? 0) ?? []);
}

/**
 * The signatures of an earlier file that stay beside new ones by `issuers`: those by other keys. Each carries the beginning of its digest, which
 * must be that of the bytes: a file left over from an older archive would make everybody who trusts its key refuse the new one (TRUST-15).
 * @throws Failure SIGNATURE_BAD
 */
export function keptSignatures(
  earlier: readonly SignatureOutline[],
  issuers: ReadonlySet<string>,
  hashes: ReadonlyMap<string, Hash>,
): readonly SignatureOutline[] {
  const kept = earlier.filter(({ issuer }) => issuer === undefined || !issuers.has(issuer));
  for (const signature of kept) {
    const { type, hash, hashedPart, digestStart, issuer } = signature;
    const content = hashes.get(digestName(hash ?? 0) ?? "");
    // Those that never count, by their type or digest, refuse nothing either.
    if (type !== 0 || content === undefined || hashedPart === undefined || digestStart === undefined) continue;
    if (digestStart.equals(digestWith(content, hashedPart).subarray(0, 2))) continue;
    const by = issuer === undefined ? "" : ` by ${formatFingerprint(issuer)}`;
    throw new Failure("SIGNATURE_BAD", `the signature${by} that is there is not of this image`, {
      subject: issuer,
      hint: "--overwrite replaces the file by new signatures only",
    });
  }
  return kept;
}

/**
 * Whether every signature of a file that could count is of these bytes, as far as the beginning of its digest tells. Whose they are is not asked.
 * @throws Failure SIGNATURE_INVALID when it holds none
 */
export async function isSignatureOf(file: Uint8Array, source: AsyncIterable<Uint8Array>): Promise<boolean> {
  const signatures = outlineSignatures(await loadOpenpgp(), file);
  const hashes = new Map(digestsOf(signatures).map((name) => [name, createHash(name)]));
  for await (const chunk of source) for (const hash of hashes.values()) hash.update(chunk);
  try {
    keptSignatures(signatures, new Set(), hashes);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "SIGNATURE_BAD") return false;
    throw error;
  }
}

/** `count` signature packets, armoured. @throws Failure LIMIT_EXCEEDED when no verification would read them (T-S24) */
export function signatureBlock(packets: Uint8Array, count: number): Buffer {
  const file = Buffer.from(armor("SIGNATURE", packets));
  if (count <= signaturePacketLimit && file.length <= signatureFileLimit) return file;
  throw new Failure("LIMIT_EXCEEDED", `a signature file holds at most ${signaturePacketLimit} signatures`, {
    hint: "--overwrite, and sign with the keys that matter",
  });
}
