/** The small fields of an .xz file (its specification 1.2): numbers, flags, filters and sums. Bytes in, values out. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc64 } from "./crc64.ts";
import { damaged, notRead } from "./damage.ts";

/** A sum over the bytes of a block. */
export interface Check {
  readonly size: number;
  begin(): { update(bytes: Uint8Array): void; digest(): Buffer };
}

export interface BlockHeader {
  readonly compressedSize: number | undefined;
  readonly uncompressedSize: number | undefined;
  /** Bytes of history. */
  readonly dictionary: number;
}

export const magic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const lzma2 = 0x21;

const checks: Readonly<Record<number, Check>> = {
  0: { size: 0, begin: () => ({ update: () => {}, digest: () => Buffer.alloc(0) }) },
  1: { size: 4, begin: beginCrc32 },
  4: { size: 8, begin: crc64 },
  10: { size: 32, begin: beginSha256 },
};

function beginCrc32() {
  let sum = 0;
  return {
    update: (bytes: Uint8Array): void => {
      sum = crc32(bytes, sum);
    },
    digest: () => littleEndian(sum),
  };
}

function beginSha256() {
  const hash = createHash("sha256");
  return { update: (bytes: Uint8Array) => void hash.update(bytes), digest: () => hash.digest() };
}

export function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** The two bytes that name the check. @throws Failure ARCHIVE_INVALID, UNSUPPORTED */
export function checkOf(flags: Buffer): Check {
  const [first, kind = 0] = flags;
  if (first !== 0 || kind > 15) throw damaged("xz", "unknown flags");
  const check = checks[kind];
  if (check === undefined) throw notRead("xz", `the check ${kind}`);
  return check;
}

/** A number of 7 bits a byte, the least significant first; undefined when it is longer than it needs to be or not safe. */
export function variableNumber(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = start, factor = 1; at < bytes.length && at < start + 8; at++, factor *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * factor;
    if (byte >= 0x80) continue;
    if ((byte === 0 && at > start) || !Number.isSafeInteger(value)) return undefined;
    return { value, end: at + 1 };
  }
  return undefined;
}

/** The header of a block, CRC and all. @throws Failure ARCHIVE_INVALID, UNSUPPORTED */
export function parseBlockHeader(bytes: Buffer): BlockHeader {
  const end = bytes.length - 4;
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end))
    throw damaged("xz", "the sum of a block header is wrong");
  const flags = bytes[1] as number;
  if ((flags & 0x3c) !== 0) throw notRead("xz", "unknown block flags");
  if ((flags & 3) !== 0) throw notRead("xz", "filters besides LZMA2");
  let at = 2;
  const next = (): number => {
    const number = variableNumber(bytes.subarray(0, end), at);
    if (number === undefined) throw damaged("xz", "a block header has no valid number");
    at = number.end;
    return number.value;
  };
  const compressedSize = (flags & 0x40) === 0 ? undefined : next();
  const uncompressedSize = (flags & 0x80) === 0 ? undefined : next();
  if (next() !== lzma2) throw notRead("xz", "filters besides LZMA2");
  if (next() !== 1 || at >= end) throw damaged("xz", "LZMA2 has one byte of properties");
  const dictionary = dictionarySize(bytes[at++] as number);
  if (bytes.subarray(at, end).some((byte) => byte !== 0))
    throw damaged("xz", "a block header is not filled with zeros");
  return { compressedSize, uncompressedSize, dictionary };
}

/** 4 KiB × 2ⁿ or half as much again. */
function dictionarySize(code: number): number {
  if (code > 40) throw damaged("xz", "an impossible dictionary");
  return code === 40 ? 2 ** 32 - 1 : (2 | (code & 1)) * 2 ** (Math.floor(code / 2) + 11);
}
