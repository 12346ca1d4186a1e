/** DER, written: the few ASN.1 types that a certificate needs. Nothing is parsed here; node:crypto reads what we make. */

/** A value with its tag and length. */
export type Der = Buffer;

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utc: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
};

function value(tag: number, ...contents: readonly Uint8Array[]): Der {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes = bigEndian(BigInt(length));
  return [0x80 | bytes.length, ...bytes];
}

function bigEndian(number: bigint): readonly number[] {
  const rest = number >> 8n;
  return [...(rest > 0n ? bigEndian(rest) : []), Number(number & 0xffn)];
}

export const sequence = (...parts: readonly Der[]): Der => value(tags.sequence, ...parts);
export const set = (...parts: readonly Der[]): Der => value(tags.set, ...parts);
export const utf8 = (text: string): Der => value(tags.utf8, Buffer.from(text));
export const octets = (bytes: Uint8Array): Der => value(tags.octets, bytes);
export const yes: Der = value(tags.boolean, Buffer.from([0xff]));

/** A non-negative integer from its big-endian bytes: without leading zeros, but with one where the sign bit would be set. */
export function integer(bytes: Uint8Array): Der {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.from([0]) : bytes.subarray(start);
  return value(tags.integer, ...((digits[0] ?? 0) > 0x7f ? [Buffer.from([0])] : []), digits);
}

/** Bits from whole bytes, or the named bits with these numbers, trailing zeros left out. */
export function bits(content: Uint8Array | readonly number[]): Der {
  if (content instanceof Uint8Array) return value(tags.bits, Buffer.from([0]), content);
  const highest = Math.max(...content);
  const bytes = Buffer.alloc((highest >> 3) + 1);
  for (const bit of content) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return value(tags.bits, Buffer.from([7 - (highest & 7)]), bytes);
}

/** `1.2.840.10045.4.3.2` */
export function oid(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return value(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(number: number): readonly number[] {
  const digits = [number & 0x7f];
  for (let rest = number >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

/** Whole seconds; the form that RFC 5280 asks for the year. */
export function time(date: Date): Der {
  const digits = date.toISOString().replace(/\.\d+Z$|[-:T]/g, "");
  return date.getUTCFullYear() < 2050
    ? value(tags.utc, Buffer.from(`${digits.slice(2)}Z`))
    : value(tags.time, Buffer.from(`${digits}Z`));
}

/** Context tag `number`: around whole values, or in place of the tag of a primitive one. */
export const around = (number: number, ...parts: readonly Der[]): Der => value(0xa0 | number, ...parts);
export const inPlace = (number: number, content: Uint8Array): Der => value(0x80 | number, content);
