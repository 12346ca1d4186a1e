/** Signs a stream of bytes, read once in constant memory. Knows nothing of files nor of what the bytes are. */
import { createHash, type Hash } from "node:crypto";
import type { AnySecretKeyPacket, SignaturePacket } from "openpgp";
import { Failure } from "../base/failure.ts";
import type { GpgSigning } from "./gpg.ts";
import { loadOpenpgp, makerConfig, type OpenPGP, strictConfig } from "./openpgp.ts";
import { keyWeakness } from "./policy.ts";
import { digestWith, outlineSignatures, type SignatureOutline } from "./signature.ts";
import { digestsOf, keptSignatures, signatureBlock } from "./signature-block.ts";
import { requireCounting } from "./verify.ts";

export interface UnlockedKey {
  readonly fingerprint: string;
  readonly handle: unknown;
}

/** What else goes into the file. */
export interface SignMore {
  /** Signatures by keys of gpg, which sees the same bytes. */
  readonly gpg?: GpgSigning | undefined;
  /** An earlier file, whose signatures by other keys stay. */
  readonly earlier?: Uint8Array | undefined;
}

export interface SignedStream {
  readonly file: Buffer;
  /** How many signatures of the earlier file are in it. */
  readonly kept: number;
}

/**
 * One armoured detached signature block over the stream (ACI-8): a version 4 binary signature with SHA-512 for each key, whatever digests
 * a key says it prefers (T-S31). Behind those that stay of an earlier file.
 * @throws Failure KEY_INVALID when a key may not sign at `now` (revoked, expired, encryption only), SIGNATURE_BAD and SIGNATURE_INVALID when
 * the earlier file is of other bytes or none, LIMIT_EXCEEDED, and what gpg's `finish` throws
 */
export async function signStream(
  source: AsyncIterable<Uint8Array>,
  secretKeys: readonly UnlockedKey[],
  now: Date,
  { gpg, earlier }: SignMore = {},
): Promise<SignedStream> {
  const openpgp = await loadOpenpgp();
  // Asked before the bytes are read: a key that cannot sign is told at once.
  const signers = await Promise.all(secretKeys.map((key) => signerOf(openpgp, key, now)));
  const before = earlier === undefined ? [] : outlineSignatures(openpgp, earlier);
  const hashes = new Map(["sha512", ...digestsOf(before)].map((name) => [name, createHash(name)]));
  for await (const chunk of source) {
    for (const hash of hashes.values()) hash.update(chunk);
    await gpg?.update(chunk);
  }
  const content = hashes.get("sha512") ?? createHash("sha512");
  const packets = new openpgp.PacketList<SignaturePacket>();
  for (const signer of signers) packets.push(await signDigest(openpgp, signer, content, now));
  const theirs = gpg === undefined ? [] : await signaturesOfGpg(openpgp, gpg, hashes);
  const issuers = new Set([
    ...signers.map((signer) => signer.getFingerprint()),
    ...theirs.map(({ issuer }) => issuer ?? ""),
  ]);
  const kept = keptSignatures(before, issuers, hashes);
  const file = Buffer.concat([...kept.map(({ bytes }) => bytes), packets.write(), ...theirs.map(({ bytes }) => bytes)]);
  return { file: signatureBlock(file, kept.length + signers.length + theirs.length), kept: kept.length };
}

/** gpg follows its own configuration; what it made is judged as everybody will judge it. @throws Failure KEY_INVALID */
async function signaturesOfGpg(
  openpgp: OpenPGP,
  gpg: GpgSigning,
  hashes: ReadonlyMap<string, Hash>,
): Promise<readonly SignatureOutline[]> {
  const file = await gpg.finish();
  try {
    await requireCounting(openpgp, file, gpg.keys, hashes);
  } catch (cause) {
    throw new Failure("KEY_INVALID", "gpg made a signature that nobody would accept", {
      cause,
      hint: "look for options in gpg.conf that change signatures",
    });
  }
  return outlineSignatures(openpgp, file);
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
