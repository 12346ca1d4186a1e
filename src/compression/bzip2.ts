/** bzip2, strict: the sum of every block and of every stream is compared; streams may follow each other, nothing else may. */
import { type Bits, bitsAt, endOf, readBits } from "./bzip2-bits.ts";
import { readBlock, type SortedBlock } from "./bzip2-block.ts";
import { cutOff, damaged, trailing } from "./damage.ts";
import { type Input, isAtEnd, openInput, take } from "./input.ts";

/** No block is longer than this: 900 000 symbols of 20 bits, and their codes. */
const mostInBlock = 3 * 1024 * 1024;
const pieceSize = 256 * 1024;

const blockMagic = [0x314159, 0x265359] as const;
const endMagic = [0x177245, 0x385090] as const;

let table: Uint32Array | undefined;

/** CRC-32 with the most significant bit first. */
function crcTable(): Uint32Array {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte << 24;
    for (let i = 0; i < 8; i++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
    return value >>> 0;
  });
  return table;
}

function updateCrc(sum: number, bytes: Uint8Array): number {
  const values = crcTable();
  let crc = sum;
  for (let at = 0; at < bytes.length; at++) crc = (crc << 8) ^ (values[(crc >>> 24) ^ (bytes[at] as number)] as number);
  return crc;
}

/**
 * Plain pieces of 256 KiB. Memory: 4 bytes for each of a block's at most 900 000, and the block.
 * @throws Failure ARCHIVE_INVALID, UNSUPPORTED (randomised blocks, which nothing has written since 1997)
 */
export async function* unbzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = openInput(source);
  try {
    do yield* stream(input);
    while (!(await isAtEnd(input)));
  } finally {
    await input.close();
  }
}

async function* stream(input: Input): AsyncGenerator<Uint8Array> {
  const header = await take(input, 4);
  const isOther = header === undefined && input.bytes[input.at] !== 0x42;
  if (isOther) throw trailing("bzip2");
  if (header === undefined) throw cutOff("bzip2");
  const level = (header[3] as number) - 0x30;
  if (header.toString("latin1", 0, 3) !== "BZh" || level < 1 || level > 9) throw trailing("bzip2");
  const sorted = new Uint32Array(level * 100_000);
  let bits = bitsAt(input.bytes, input.at);
  let sum = 0;
  for (;;) {
    bits = await wholeBlock(input, bits);
    const found = [readBits(bits, 24), readBits(bits, 24)] as const;
    if (found[0] === endMagic[0] && found[1] === endMagic[1]) break;
    if (found[0] !== blockMagic[0] || found[1] !== blockMagic[1]) throw damaged("bzip2", "a block without a beginning");
    const block = readBlock(bits, sorted);
    let crc = -1;
    for (const piece of unsorted(sorted, block)) {
      crc = updateCrc(crc, piece);
      yield piece;
    }
    if (~crc >>> 0 !== block.sum) throw damaged("bzip2", "the sum of a block is wrong");
    sum = ((sum << 1) | (sum >>> 31)) ^ block.sum;
  }
  const expected = ((readBits(bits, 16) << 16) | readBits(bits, 16)) >>> 0;
  if (sum >>> 0 !== expected) throw damaged("bzip2", "the sum of a stream is wrong");
  input.at = endOf(bits);
}

/** Reads on when less than a block is at hand; the bits held go on where they were. */
async function wholeBlock(input: Input, bits: Bits): Promise<Bits> {
  input.at = endOf(bits);
  const odd = bits.count % 8;
  // The byte that is begun is read again.
  if (odd > 0) input.at--;
  if (input.bytes.length - input.at < mostInBlock) await input.need(2 * mostInBlock);
  const next = bitsAt(input.bytes, input.at);
  if (odd > 0) readBits(next, 8 - odd);
  return next;
}

/** Undoes the sorting, then the runs: four equal bytes are followed by how many more there are. */
function* unsorted(sorted: Uint32Array, { origin, length, counts }: SortedBlock): Generator<Uint8Array> {
  let place = link(sorted, length, counts, origin);
  let piece = Buffer.allocUnsafe(pieceSize);
  let filled = 0;
  let before = -1;
  let equal = 0;
  for (let i = 0; i < length; i++) {
    const entry = sorted[place] as number;
    const byte = entry & 0xff;
    place = entry >>> 8;
    if (equal === 4) {
      piece.fill(before, filled, filled + byte);
      filled += byte;
      equal = 0;
      before = -1;
    } else {
      piece[filled++] = byte;
      equal = byte === before ? equal + 1 : 1;
      before = byte;
    }
    if (filled >= pieceSize - 256) {
      yield piece.subarray(0, filled);
      piece = Buffer.allocUnsafe(pieceSize);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Writes above each byte where the one after it is; returns the place of the first. */
function link(sorted: Uint32Array, length: number, counts: Uint32Array, origin: number): number {
  const starts = new Uint32Array(256);
  for (let byte = 1; byte < 256; byte++) starts[byte] = (starts[byte - 1] as number) + (counts[byte - 1] as number);
  for (let at = 0; at < length; at++) {
    const byte = (sorted[at] as number) & 0xff;
    const place = starts[byte] as number;
    starts[byte] = place + 1;
    sorted[place] = (sorted[place] as number) | (at << 8);
  }
  return (sorted[origin] as number) >>> 8;
}
