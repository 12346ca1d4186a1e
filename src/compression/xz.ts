/** The .xz container, strict: every sum, size and index is compared, streams may follow each other, nothing else may follow. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { cutOff, damaged, tooMuchMemory, trailing } from "./damage.ts";
import { type Input, isAtEnd, openInput, take } from "./input.ts";
import { lzma2 } from "./lzma2.ts";
import { openWindow, type Window } from "./window.ts";
import { type BlockHeader, type Check, checkOf, magic, parseBlockHeader, variableNumber } from "./xz-fields.ts";

export interface XzLimits {
  /** Bytes a dictionary and what belongs to it may take. */
  readonly memory: number;
}

/** What xz itself counts besides the dictionary. */
const overhead = 64 * 1024;

/** Sums of the blocks' sizes, to compare with the index without keeping one entry a block. */
interface Sizes {
  count: number;
  add(unpadded: number, uncompressed: number): void;
  digest(): string;
}

function makeSizes(): Sizes {
  const hash = createHash("sha256");
  const sizes: Sizes = {
    count: 0,
    add(unpadded, uncompressed) {
      sizes.count++;
      hash.update(`${unpadded} ${uncompressed}\n`);
    },
    digest: () => hash.digest("hex"),
  };
  return sizes;
}

/**
 * Plain pieces of at most 2 MiB. Integrity: the CRCs of all headers, the check of every block, the index.
 * @throws Failure ARCHIVE_INVALID, UNSUPPORTED (filters besides LZMA2), LIMIT_EXCEEDED (dictionary)
 */
export async function* unxz(source: AsyncIterable<Uint8Array>, limits: XzLimits): AsyncGenerator<Uint8Array> {
  const input = openInput(source);
  try {
    do yield* stream(input, limits);
    while (await anotherStream(input));
  } finally {
    await input.close();
  }
}

async function must(input: Input, length: number): Promise<Buffer> {
  const bytes = await take(input, length);
  if (bytes === undefined) throw cutOff("xz");
  return bytes;
}

async function* stream(input: Input, limits: XzLimits): AsyncGenerator<Uint8Array> {
  const header = await must(input, 12);
  if (!header.subarray(0, 6).equals(magic)) throw trailing("xz");
  const flags = Buffer.from(header.subarray(6, 8));
  if (crc32(flags) !== header.readUInt32LE(8)) throw damaged("xz", "the sum of the stream header is wrong");
  const check = checkOf(flags);
  const sizes = makeSizes();
  for (let window: Window | undefined; ; ) {
    const length = ((await must(input, 1))[0] as number) * 4;
    if (length === 0) break;
    input.at--; // the header's length is part of it
    const block = parseBlockHeader(await must(input, length + 4));
    if (block.dictionary + overhead > limits.memory)
      throw tooMuchMemory("xz", block.dictionary + overhead, limits.memory);
    if (window?.size !== block.dictionary) window = openWindow(block.dictionary);
    yield* readBlock(input, { block, check, window, sizes, headerSize: length + 4 });
  }
  const indexSize = await readIndex(input, sizes);
  await readFooter(input, flags, indexSize);
}

interface BlockParts {
  readonly block: BlockHeader;
  readonly check: Check;
  readonly window: Window;
  readonly sizes: Sizes;
  readonly headerSize: number;
}

async function* readBlock(input: Input, parts: BlockParts): AsyncGenerator<Uint8Array> {
  const { block, check, window, sizes, headerSize } = parts;
  const sum = check.begin();
  const data = lzma2(input, window);
  let produced = 0;
  for await (const piece of data.chunks) {
    sum.update(piece);
    produced += piece.length;
    yield piece;
  }
  const { consumed } = data;
  if ((block.compressedSize ?? consumed) !== consumed || (block.uncompressedSize ?? produced) !== produced) {
    throw damaged("xz", "a block is not of the size announced");
  }
  requireZeros(await must(input, (4 - (consumed % 4)) % 4));
  if (!sum.digest().equals(await must(input, check.size))) throw damaged("xz", "the sum of a block is wrong");
  sizes.add(headerSize + consumed + check.size, produced);
}

function requireZeros(bytes: Buffer): void {
  if (bytes.some((byte) => byte !== 0)) throw damaged("xz", "it is not filled with zeros");
}

/** The index without its first byte, which was read as the length of a block header; returns its size with it. */
async function readIndex(input: Input, sizes: Sizes): Promise<number> {
  let sum = crc32(Buffer.from([0]));
  let size = 1;
  const advance = (bytes: Buffer): void => {
    sum = crc32(bytes, sum);
    size += bytes.length;
  };
  const number = async (): Promise<number> => {
    await input.need(9);
    const found = variableNumber(input.bytes.subarray(input.at, input.at + 9), 0);
    if (found === undefined) throw damaged("xz", "the index has no valid number");
    advance(await must(input, found.end));
    return found.value;
  };
  const seen = makeSizes();
  const count = await number();
  if (count !== sizes.count) throw damaged("xz", "the index does not count the blocks");
  while (seen.count < count) seen.add(await number(), await number());
  if (seen.digest() !== sizes.digest()) throw damaged("xz", "the index is not that of the blocks");
  const fill = await must(input, (4 - (size % 4)) % 4);
  requireZeros(fill);
  advance(fill);
  if ((await must(input, 4)).readUInt32LE() !== sum) throw damaged("xz", "the sum of the index is wrong");
  return size + 4;
}

async function readFooter(input: Input, flags: Buffer, indexSize: number): Promise<void> {
  const footer = await must(input, 12);
  const isRight =
    crc32(footer.subarray(4, 10)) === footer.readUInt32LE(0) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize &&
    footer.subarray(8, 10).equals(flags) &&
    footer.toString("latin1", 10) === "YZ";
  if (!isRight) throw damaged("xz", "the end is not that of the beginning");
}

/** Streams may be filled up with zeros, four at a time. What follows and is no stream was put there: nothing was cut off. */
async function anotherStream(input: Input): Promise<boolean> {
  while (!(await isAtEnd(input))) {
    if (input.bytes[input.at] !== 0) {
      await input.need(magic.length);
      const begun = input.bytes.subarray(input.at, input.at + magic.length);
      if (begun.equals(magic.subarray(0, begun.length))) return true;
      throw trailing("xz");
    }
    if ((await take(input, 4))?.some((byte) => byte !== 0) !== false) throw trailing("xz");
  }
  return false;
}
