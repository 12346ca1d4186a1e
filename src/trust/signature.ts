/** A detached signature file, taken apart into the signatures it holds (ACI-8). Decides nothing about trust. */
import type { Hash } from "node:crypto";
import type { SignaturePacket } from "openpgp";
import { Failure } from "../base/failure.ts";
import { readBlocks } from "./armor.ts";
import type { OpenPGP } from "./openpgp.ts";
import { type Packet, packetTag, readPackets } from "./packets.ts";

/** Bytes of a signature file and signatures in it (T-S24): an RSA-4096 signature has less than 1 KiB. */
export const signatureFileLimit = 64 * 1024;
export const signaturePacketLimit = 32;

/** One signature and the key that it says made it. */
export interface NamedSignature {
  readonly packet: SignaturePacket;
  /** Full fingerprint of the signing key or subkey, from the part that is signed (T-S23, T-S26). */
  readonly issuer: string;
}

/**
 * The version 4 signatures of a detached signature file that name their key by its full fingerprint; others cannot be by a trusted key.
 * Anything but one block of signature packets is refused: clear-signed and inline-signed messages bring their own idea of what was signed
 * (T-S12, T-S13).
 * @throws Failure SIGNATURE_INVALID
 */
export function readSignatureFile(openpgp: OpenPGP, bytes: Uint8Array): readonly NamedSignature[] {
  const signatures: NamedSignature[] = [];
  for (const { body } of signaturePackets(bytes)) {
    // Versions 3, 5 and 6 belong to keys that cannot be trusted here.
    if (body[0] !== 4) continue;
    const packet = parse(openpgp, body);
    const { issuerKeyVersion, issuerFingerprint } = packet;
    if (issuerKeyVersion !== 4 || issuerFingerprint?.length !== 20) continue;
    signatures.push({ packet, issuer: Buffer.from(issuerFingerprint).toString("hex") });
  }
  if (signatures.length > 0) return signatures;
  throw new Failure("SIGNATURE_INVALID", "the signature does not name its key by fingerprint", {
    hint: "sign again, with perigee sign or gpg 2.1.16 or newer",
  });
}

/** What can be read of a version 4 signature without a key. */
export interface SignatureOutline {
  /** The packet as it was, header and body. */
  readonly bytes: Buffer;
  /** OpenPGP ids; undefined for other versions than 4, of which no more is known. */
  readonly type?: number | undefined;
  readonly hash?: number | undefined;
  /** The part that the signature's digest ends with. */
  readonly hashedPart?: Buffer | undefined;
  /** The first two bytes of that digest. */
  readonly digestStart?: Buffer | undefined;
  /** Full fingerprint of the signing key, if it names one. */
  readonly issuer?: string | undefined;
}

/** Every signature of a detached signature file, in order. @throws Failure SIGNATURE_INVALID */
export function outlineSignatures(openpgp: OpenPGP, file: Uint8Array): readonly SignatureOutline[] {
  return signaturePackets(file).map(({ bytes, body }) => {
    if (body[0] !== 4) return { bytes };
    const { issuerKeyVersion, issuerFingerprint } = parse(openpgp, body);
    const [hashedEnd, unhashedEnd] = areaEnds(body);
    return {
      bytes,
      type: body[1],
      hash: body[3],
      hashedPart: body.subarray(0, hashedEnd),
      digestStart: body.subarray(unhashedEnd, unhashedEnd + 2),
      issuer: issuerKeyVersion === 4 ? Buffer.from(issuerFingerprint ?? []).toString("hex") : undefined,
    };
  });
}

function signaturePackets(bytes: Uint8Array): readonly Packet[] {
  try {
    if (bytes.length > signatureFileLimit) throw new Error(`it has more than ${signatureFileLimit} bytes`);
    const [block, ...others] = readBlocks(bytes);
    if (block === undefined || others.length > 0) throw new Error("it holds several armoured blocks");
    if (block.type !== undefined && block.type !== "SIGNATURE") throw new Error(`it is a ${block.type.toLowerCase()}`);
    const packets = readPackets(block.binary, signaturePacketLimit);
    if (packets.some(({ tag }) => tag !== packetTag.signature)) throw new Error("it holds more than signatures");
    return packets;
  } catch (cause) {
    throw new Failure("SIGNATURE_INVALID", "this is no detached OpenPGP signature", { cause });
  }
}

function parse(openpgp: OpenPGP, body: Buffer): SignaturePacket {
  try {
    const packet = new openpgp.SignaturePacket();
    packet.read(withoutUnhashed(body));
    return packet;
  } catch (cause) {
    throw new Failure("SIGNATURE_INVALID", "a signature in the file is malformed", { cause });
  }
}

/** The packet with its unhashed area emptied: nobody signed what stands there, so it must not name the key (T-S23). */
function withoutUnhashed(body: Buffer): Buffer {
  const [hashedEnd, unhashedEnd] = areaEnds(body);
  return Buffer.concat([body.subarray(0, hashedEnd), Buffer.alloc(2), body.subarray(unhashedEnd)]);
}

/** Where the hashed and the unhashed area of a version 4 signature end. */
function areaEnds(body: Buffer): readonly [hashed: number, unhashed: number] {
  const hashedEnd = 6 + body.readUInt16BE(4);
  const unhashedEnd = hashedEnd + 2 + body.readUInt16BE(hashedEnd);
  if (unhashedEnd > body.length) throw new Error("its areas are longer than the packet");
  return [hashedEnd, unhashedEnd];
}

/** The digest that a version 4 signature signs: the content, the hashed part of the packet, and their trailer. */
export function digestWith(content: Hash, hashedPart: Uint8Array): Uint8Array {
  const trailer = Buffer.from([4, 0xff, 0, 0, 0, 0]);
  trailer.writeUInt32BE(hashedPart.length, 2);
  return content.copy().update(hashedPart).update(trailer).digest();
}
