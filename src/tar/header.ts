/** One 512-byte tar header: its fields as they stand, checked for form only. Knows nothing of PAX or of what an entry means. */
import { Failure } from "../base/failure.ts";
import { blockSize } from "./entry.ts";

/** [offset, length] of the fields that are read and written. */
export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

export type FieldName = keyof typeof fields;

const zeroBlock = Buffer.alloc(blockSize);

export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeroBlock);
}

/** A block whose bytes can be summed four at a time. */
export interface SummedBlock {
  readonly block: Buffer;
  readonly words: Uint32Array;
}

export function summedBlock(): SummedBlock {
  const bytes = new ArrayBuffer(blockSize);
  return { block: Buffer.from(bytes), words: new Uint32Array(bytes) };
}

/** Sum of the bytes of one block. Two sums run in the halves of a word: 256 bytes of 255 each fit into one. */
export function sumOfWords(words: Uint32Array): number {
  let sums = 0;
  for (let at = 0; at < blockSize / 4; at++) {
    const word = words[at] ?? 0;
    sums = (sums + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0;
  }
  return (sums & 0xffff) + (sums >>> 16);
}

/** What the checksum field itself counts for: it is summed as blanks. */
export const checksumBlanks = 8 * 0x20;

const summed = summedBlock();

/** Sum of all bytes with the checksum field as blanks. */
export function checksumOf(block: Buffer): number {
  summed.block.set(block);
  // The eight bytes of the field.
  summed.words[fields.checksum[0] / 4] = 0;
  summed.words[fields.checksum[0] / 4 + 1] = 0;
  return sumOfWords(summed.words) + checksumBlanks;
}

/** Whether the block is a header of one of the known forms with a right checksum (N27, N28). */
export function isHeader(block: Buffer): boolean {
  return magicOf(block) !== undefined && numberOf(block, "checksum") === checksumOf(block);
}

const usta = 0x75737461;

type Magic = "ustar" | "gnu" | "old";

function magicOf(block: Buffer): Magic | undefined {
  const at = fields.magic[0];
  const first = block.readUInt32BE(at);
  const second = block.readUInt32BE(at + 4);
  if (first === usta && second >>> 16 === 0x7200) return "ustar"; // "r\0" and any version
  if (first === usta && second === 0x72202000) return "gnu"; // "r  \0"
  return first === 0 && second === 0 ? "old" : undefined;
}

export function typeOf(block: Buffer): string {
  return String.fromCharCode(block[fields.type[0]] ?? 0);
}

const empty = Buffer.alloc(0);

/** The bytes of a text field up to the first NUL. One view, and none of what is empty: there are three of these fields for each entry. */
export function textOf(block: Buffer, field: FieldName): Buffer {
  const [offset, length] = fields[field];
  let end = offset;
  while (end < offset + length && block[end] !== 0) end++;
  return end === offset ? empty : block.subarray(offset, end);
}

/** `prefix/name`; GNU headers keep times where ustar has the prefix. */
export function nameOf(block: Buffer): Buffer {
  const name = textOf(block, "name");
  if (magicOf(block) !== "ustar") return name;
  const prefix = textOf(block, "prefix");
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/**
 * A number field: octal digits between blanks and NULs, or base-256 as a bigint; undefined when it is neither, `blank` when it is empty.
 * A wrong number is never read as 0 (N04, N10).
 */
export function numberOf(block: Buffer, field: FieldName, blank?: number): number | bigint | undefined {
  const [offset, length] = fields[field];
  return numberAt(block, offset, length, blank);
}

/** As numberOf, for a field that is only in some headers. */
export function numberAt(block: Buffer, offset: number, length: number, blank?: number): number | bigint | undefined {
  const first = block[offset] ?? 0;
  if (first >= 0x80) return base256(block.subarray(offset, offset + length));
  return octal(block, offset, offset + length, blank);
}

/** Without strings and patterns: an archive has a dozen of these fields for each entry. */
function octal(block: Buffer, start: number, end: number, blank: number | undefined): number | undefined {
  let at = start;
  while (at < end && block[at] === 0x20) at++;
  const first = at;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  const isBlank = at === first;
  for (; at < end; at++) if (block[at] !== 0x20 && block[at] !== 0) return undefined;
  return isBlank ? blank : value;
}

/** GNU's two's complement with the top bit as a mark: 0x80… is positive, 0xff… negative, other marks are nothing. */
function base256(bytes: Buffer): bigint | undefined {
  const mark = bytes[0];
  if (mark !== 0x80 && mark !== 0xff) return undefined;
  return BigInt.asIntN(8 * (bytes.length - 1), BigInt(`0x${bytes.toString("hex", 1)}`));
}

/** Writes `value` in octal with a NUL at the end. @throws Failure INTERNAL when it does not fit: the caller uses PAX then */
export function putOctal(block: Buffer, field: FieldName, value: number): void {
  const [offset, length] = fields[field];
  if (!putOctalAt(block, offset, length, value)) {
    throw new Failure("INTERNAL", `${value} does not fit the field ${field}`);
  }
}

/** As putOctal; false when `value` does not fit. */
export function putOctalAt(block: Buffer, offset: number, length: number, value: number): boolean {
  let rest = value;
  let at = offset + length - 2;
  for (; at >= offset && rest > 0x7fffffff; at--) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  for (; at >= offset; at--) {
    block[at] = 0x30 | (rest & 7);
    rest >>>= 3;
  }
  block[offset + length - 1] = 0;
  return rest === 0;
}
