/** A detached signature file, taken apart into the signatures it holds (ACI-8). Decides nothing about trust. */
import type { SignaturePacket } from "openpgp";
import { Failure } from "../base/failure.ts";
import { readBlocks } from "./armor.ts";
import type { OpenPGP } from "./openpgp.ts";
import { packetTag, readPackets } from "./packets.ts";

/** Bytes of a signature file and signatures in it (T-S24): an RSA-4096 signature has less than 1 KiB. */
export const signatureFileLimit = 64 * 1024;
const packetLimit = 32;

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
  const bodies = signatureBodies(bytes);
  const signatures: NamedSignature[] = [];
  for (const body of bodies) {
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

function signatureBodies(bytes: Uint8Array): readonly Buffer[] {
  try {
    if (bytes.length > signatureFileLimit) throw new Error(`it has more than ${signatureFileLimit} bytes`);
    const [block, ...others] = readBlocks(bytes);
    if (block === undefined || others.length > 0) throw new Error("it holds several armoured blocks");
    if (block.type !== undefined && block.type !== "SIGNATURE") throw new Error(`it is a ${block.type.toLowerCase()}`);
    const packets = readPackets(block.binary, packetLimit);
    if (packets.some(({ tag }) => tag !== packetTag.signature)) throw new Error("it holds more than signatures");
    return packets.map(({ body }) => body);
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
  const hashedEnd = 6 + body.readUInt16BE(4);
  const unhashedEnd = hashedEnd + 2 + body.readUInt16BE(hashedEnd);
  if (unhashedEnd > body.length) throw new Error("its areas are longer than the packet");
  return Buffer.concat([body.subarray(0, hashedEnd), Buffer.alloc(2), body.subarray(unhashedEnd)]);
}
