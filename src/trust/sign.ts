/** Signs a stream of bytes, read once in constant memory. Knows nothing of files nor of what the bytes are. */
import { createHash, type Hash } from "node:crypto";
import type { AnySecretKeyPacket, SignaturePacket } from "openpgp";
import { Failure } from "../base/failure.ts";
import { armor } from "./armor.ts";
import { loadOpenpgp, makerConfig, type OpenPGP, strictConfig } from "./openpgp.ts";
import { keyWeakness } from "./policy.ts";

export interface UnlockedKey {
  readonly fingerprint: string;
  readonly handle: unknown;
}

/**
 * One armoured detached signature block over the stream (ACI-8): a version 4 binary signature with SHA-512 for each key, whatever digests
 * a key says it prefers (T-S31).
 * @throws Failure KEY_INVALID when a key may not sign at `now` (revoked, expired, encryption only)
 */
export async function signStream(
  source: AsyncIterable<Uint8Array>,
  secretKeys: readonly UnlockedKey[],
  now: Date,
): Promise<Buffer> {
  const openpgp = await loadOpenpgp();
  // Asked before the bytes are read: a key that cannot sign is told at once.
  const signers = await Promise.all(secretKeys.map((key) => signerOf(openpgp, key, now)));
  const content = createHash("sha512");
  for await (const chunk of source) content.update(chunk);
  const packets = new openpgp.PacketList<SignaturePacket>();
  for (const signer of signers) packets.push(await signDigest(openpgp, signer, content, now));
  return Buffer.from(armor("SIGNATURE", packets.write()));
}

async function signerOf(openpgp: OpenPGP, key: UnlockedKey, now: Date): Promise<AnySecretKeyPacket> {
  const { fingerprint, handle } = key;
  if (!(handle instanceof openpgp.PrivateKey)) throw new Failure("INTERNAL", "not a key that unlockKey opened");
  try {
    const { keyPacket } = await handle.getSigningKey(undefined, now, undefined, strictConfig(openpgp));
    const isSecret = keyPacket instanceof openpgp.SecretKeyPacket || keyPacket instanceof openpgp.SecretSubkeyPacket;
    const weakness = keyWeakness(keyPacket.getAlgorithmInfo());
    if (weakness !== undefined) throw new Error(weakness);
    if (!isSecret || keyPacket.isMissingSecretKeyMaterial()) throw new Error("its secret part is not in the file");
    return keyPacket;
  } catch (cause) {
    throw new Failure("KEY_INVALID", "the key may not sign", { subject: fingerprint, cause });
  }
}

/** What the library's `sign` takes at run time; its type lacks the configuration. */
interface Signing {
  sign(key: AnySecretKeyPacket, data: Uint8Array, date: Date, detached: boolean, config: object): Promise<void>;
}

/**
 * The library hashes what it signs from memory, or from a stream once for each signature. This packet takes the digest of the content,
 * hashed once by node:crypto, and completes it with its own trailer (RFC 4880 section 5.2.4).
 */
async function signDigest(
  openpgp: OpenPGP,
  key: AnySecretKeyPacket,
  content: Hash,
  now: Date,
): Promise<SignaturePacket> {
  class DigestSignature extends openpgp.SignaturePacket {
    toHash(): undefined {
      return undefined;
    }
    async hash(): Promise<Uint8Array> {
      return digestWith(content, this.signatureData ?? new Uint8Array(0));
    }
  }
  const packet = new DigestSignature();
  packet.signatureType = openpgp.enums.signature.binary;
  packet.hashAlgorithm = openpgp.enums.hash.sha512;
  packet.publicKeyAlgorithm = key.algorithm;
  const signing: Signing = packet;
  await signing.sign(key, new Uint8Array(0), now, true, makerConfig(openpgp));
  return packet;
}

/** The digest that a version 4 signature signs: the content, the hashed part of the packet, and their trailer. */
export function digestWith(content: Hash, hashedPart: Uint8Array): Uint8Array {
  const trailer = Buffer.from([4, 0xff, 0, 0, 0, 0]);
  trailer.writeUInt32BE(hashedPart.length, 2);
  return content.copy().update(hashedPart).update(trailer).digest();
}
