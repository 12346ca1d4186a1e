/**
 * The outermost layer of OpenPGP: how bytes fall into packets, and what a version 4 public key's fingerprint is.
 * It bounds a file before the OpenPGP library sees any of it (T-S24), and it is all that listing trusted keys needs.
 */
import { createHash } from "node:crypto";

export const packetTag = { signature: 2, secretKey: 5, publicKey: 6, publicSubkey: 14 } as const;

export interface Packet {
  readonly tag: number;
  readonly body: Buffer;
  /** Header and body as they were. */
  readonly bytes: Buffer;
}

/**
 * Splits `binary` into at most `limit` packets. Partial and indeterminate lengths, which only data packets of messages use, are refused.
 * @throws Error with a reason in words
 */
export function readPackets(binary: Buffer, limit: number): readonly Packet[] {
  const packets: Packet[] = [];
  let start = 0;
  while (start < binary.length) {
    if (packets.length === limit) throw new Error(`it holds more than ${limit} packets`);
    const { tag, header, length } = readHeader(binary, start);
    const end = start + header + length;
    if (end > binary.length) throw new Error("a packet is longer than the file");
    packets.push({ tag, body: binary.subarray(start + header, end), bytes: binary.subarray(start, end) });
    start = end;
  }
  return packets;
}

interface Header {
  readonly tag: number;
  /** Bytes of the header itself. */
  readonly header: number;
  /** Bytes of the body. */
  readonly length: number;
}

function readHeader(binary: Buffer, start: number): Header {
  const first = byteAt(binary, start);
  if ((first & 0x80) === 0) throw new Error("it is not made of OpenPGP packets");
  if ((first & 0x40) === 0) {
    const bytes = [1, 2, 4][first & 3];
    if (bytes === undefined) throw new Error("a packet has no definite length");
    return { tag: (first >> 2) & 15, header: 1 + bytes, length: number(binary, start + 1, bytes) };
  }
  const tag = first & 63;
  const second = byteAt(binary, start + 1);
  if (second < 192) return { tag, header: 2, length: second };
  if (second < 224) return { tag, header: 3, length: ((second - 192) << 8) + byteAt(binary, start + 2) + 192 };
  if (second < 255) throw new Error("a packet has no definite length");
  return { tag, header: 6, length: number(binary, start + 2, 4) };
}

function byteAt(binary: Buffer, index: number): number {
  const byte = binary[index];
  if (byte === undefined) throw new Error("a packet is cut off");
  return byte;
}

function number(binary: Buffer, start: number, bytes: number): number {
  if (start + bytes > binary.length) throw new Error("a packet is cut off");
  return binary.readUIntBE(start, bytes);
}

/**
 * The fingerprint of a version 4 public key or subkey packet, 40 lower-case hex digits (RFC 4880 section 12.2).
 * @throws Error for other versions
 */
export function fingerprintOf(key: Packet): string {
  if (key.body[0] !== 4) throw new Error(`it is a version ${key.body[0] ?? 0} key; only version 4 is supported`);
  const prefix = Buffer.from([0x99, key.body.length >> 8, key.body.length & 0xff]);
  return createHash("sha1").update(prefix).update(key.body).digest("hex");
}

/** The packets of each key, a primary key packet first. @throws Error when something stands before the first key */
export function splitKeys(packets: readonly Packet[]): readonly (readonly Packet[])[] {
  const keys: Packet[][] = [];
  for (const packet of packets) {
    if (packet.tag === packetTag.publicKey || packet.tag === packetTag.secretKey) keys.push([]);
    const key = keys.at(-1);
    if (key === undefined) throw new Error("it is not a key");
    key.push(packet);
  }
  if (keys.length === 0) throw new Error("it holds no key");
  return keys;
}
