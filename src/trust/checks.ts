/**
 * Checks 2 to 5 of spec/trust.md on one signature and one copy of the key it names, one function each. They throw SIGNATURE_INVALID when
 * the signature does not count, and SIGNATURE_BAD when it is not of the bytes.
 */
import type { Hash } from "node:crypto";
import type { Key } from "openpgp";
import { Failure, printable } from "../base/failure.ts";
import { formatFingerprint } from "./keys.ts";
import type { TrustedKey } from "./keystore.ts";
import { type OpenPGP, strictConfig } from "./openpgp.ts";
import { digestName, keyWarning, keyWeakness, refusedDigestName, untimely } from "./policy.ts";
import { digestWith, type NamedSignature } from "./signature.ts";
import { isRevoked, type KeyPacket, signingKeyOf } from "./signing-key.ts";
import type { Signer } from "./verify.ts";

/** The time of a verification. */
export interface Clock {
  readonly now: Date;
  /** --allow-expired-key (T-S08). */
  readonly allowExpiredKey?: boolean | undefined;
}

/** A signature that says it was made by a key that is trusted. */
export interface Claim extends NamedSignature {
  readonly openpgp: OpenPGP;
  readonly copy: TrustedKey;
  readonly key: Key;
}

function refused({ copy }: Claim, reason: string, cause?: unknown): Failure {
  const sentence = `the signature by ${formatFingerprint(copy.fingerprint)} does not count: ${reason}`;
  return new Failure("SIGNATURE_INVALID", sentence, { subject: copy.path, cause });
}

/** T-S09: a key or subkey that its owner took back. */
export async function requireUnrevoked(claim: Claim): Promise<void> {
  if (await isRevoked(claim.openpgp, claim.key, claim.issuer)) throw refused(claim, "the key is revoked");
}

/** T-S19, T-S20: the key or subkey that is named, if the trusted key lets it sign. */
export async function requireMaySign(claim: Claim): Promise<KeyPacket> {
  try {
    return await signingKeyOf(claim.openpgp, claim.key, claim.issuer, null);
  } catch (cause) {
    throw refused(claim, "the key may not sign", cause);
  }
}

/** T-S05, T-S06, T-S07, T-S21, T-S22: the kind of signature and of keys. */
export function requireStrong(claim: Claim, signing: KeyPacket): void {
  const { packet, key } = claim;
  const digest = packet.hashAlgorithm ?? 0;
  if (digestName(digest) === undefined) throw refused(claim, `its digest, ${refusedDigestName(digest)}, is too weak`);
  for (const part of [key.keyPacket, signing]) {
    const weakness = keyWeakness(part.getAlgorithmInfo());
    if (weakness !== undefined) throw refused(claim, weakness);
  }
  // Type 0x00. A text signature covers the text with its line ends changed, not the bytes of the image.
  if (packet.signatureType !== 0) throw refused(claim, "it is not a signature of a binary document");
  const conditions = [...packet.rawNotations, ...packet.unknownSubpackets];
  if (conditions.some(({ critical }) => critical))
    throw refused(claim, "it carries a condition that perigee does not know");
}

/** T-S04, T-S13: the mathematics, over the digest of the bytes that we were given. @throws Failure SIGNATURE_BAD */
export async function requireValid(claim: Claim, signing: KeyPacket, hashes: ReadonlyMap<string, Hash>): Promise<void> {
  const { openpgp, packet, copy } = claim;
  const content = hashes.get(digestName(packet.hashAlgorithm ?? 0) ?? "");
  const { signatureData, created } = packet;
  if (content === undefined || signatureData === null || created === null) throw refused(claim, "it is incomplete");
  // The library takes a finished digest from here, as it does for the signatures of messages that it streams.
  Object.assign(packet, { hashed: digestWith(content, signatureData) });
  const type = openpgp.enums.signature.binary;
  try {
    // At its own time: whether that time is acceptable is requireTimely's.
    await packet.verify(signing, type, new Uint8Array(0), created, true, strictConfig(openpgp));
  } catch (cause) {
    throw new Failure(
      "SIGNATURE_BAD",
      `the signature by ${formatFingerprint(copy.fingerprint)} is not of these bytes`,
      {
        subject: copy.path,
        cause,
        hint: "the image or its signature was changed or damaged on the way; do not use it",
      },
    );
  }
}

/**
 * T-S08, T-S10, T-S11: expiry of signature and key, and dates in the future. An expired key counts with `allowExpiredKey`, if the signature
 * says that it is older than that; undefined: it has not expired.
 */
export async function requireTimely(
  claim: Claim,
  signing: KeyPacket,
  { now, allowExpiredKey = false }: Clock,
): Promise<string | undefined> {
  const { openpgp, packet, key, issuer } = claim;
  const created = packet.created ?? new Date(0);
  const expires = packet.getExpirationTime();
  const reason = untimely(
    {
      created,
      expires: expires instanceof Date ? expires.getTime() : expires,
      keyCreated: signing.created,
    },
    now,
  );
  if (reason !== undefined) throw refused(claim, reason);
  try {
    // A key as new as the signature has its dates from the same clock, which may be ahead of ours.
    await signingKeyOf(openpgp, key, issuer, created > now ? created : now);
    return undefined;
  } catch (cause) {
    // A thief of an expired key can date his signatures back, so being older than the expiry is no excuse unless the caller says so.
    if (allowExpiredKey && (await maySignAt(claim, created))) {
      return `the key ${formatFingerprint(claim.copy.fingerprint)} has expired; whether its signature is as old as it says cannot be known`;
    }
    throw refused(claim, "the key has expired or is not valid yet", cause);
  }
}

async function maySignAt({ openpgp, key, issuer }: Claim, when: Date): Promise<boolean> {
  return await signingKeyOf(openpgp, key, issuer, when).then(
    () => true,
    () => false,
  );
}

/** `warning`: what more there is to say than that the key is short. */
export function signerOf({ packet, copy, key }: Claim, warning: string | undefined): Signer {
  return {
    fingerprint: copy.fingerprint,
    identity: printable(key.getUserIDs()[0] ?? ""),
    signedAt: packet.created ?? new Date(0),
    keyDigest: copy.digest,
    keyPath: copy.path,
    scope: copy.scope,
    warning: [warning, keyWarning(key.getAlgorithmInfo())].filter((one) => one !== undefined).join("; ") || undefined,
  };
}
