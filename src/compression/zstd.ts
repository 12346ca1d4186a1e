/** Zstandard (RFC 8878), strict: frames and their sums, no dictionaries, nothing behind the last frame. */
import { cutOff, damaged, notRead, tooMuchMemory, trailing } from "./damage.ts";
import { type Input, isAtEnd, openInput, take } from "./input.ts";
import { makeRoom, openWindow, takeWritten, type Window } from "./window.ts";
import { xxh64 } from "./xxh64.ts";
import { type Block, makeBlock, mostInBlock, setBlock } from "./zstd-bits.ts";
import { type Literals, makeLiterals, readLiterals } from "./zstd-literals.ts";
import { type History, makeHistory, maximumOut, runSequences } from "./zstd-sequences.ts";

export interface ZstdLimits {
  /** Bytes of history a frame may ask for. */
  readonly window: number;
}

const magic = 0xfd2fb528;
const skippable = 0x184d2a50;

interface FrameHeader {
  readonly window: number;
  readonly contentSize: number | undefined;
  readonly hasSum: boolean;
}

/** What the blocks of one frame share. */
interface Frame {
  window: Window;
  readonly block: Block;
  readonly literals: Literals;
  readonly history: History;
}

/**
 * Plain pieces of at most 128 KiB. Integrity: the sum of each frame where it has one, its size where it is given.
 * @throws Failure ARCHIVE_INVALID, UNSUPPORTED (dictionaries), LIMIT_EXCEEDED (window)
 */
export async function* unzstd(source: AsyncIterable<Uint8Array>, limits: ZstdLimits): AsyncGenerator<Uint8Array> {
  const input = openInput(source);
  // Of all frames: a frame of ten bytes, a hundred thousand times, must not make a window each.
  const parts: Frame = { window: openWindow(0), block: makeBlock(), literals: makeLiterals(), history: makeHistory() };
  try {
    while (!(await isAtEnd(input))) {
      const number = (await take(input, 4))?.readUInt32LE();
      if (number === magic) yield* frame(input, limits, parts);
      else if (number !== undefined && (number & 0xfffffff0) >>> 0 === skippable) await skip(input);
      else throw trailing("zstd");
    }
  } finally {
    await input.close();
  }
}

async function must(input: Input, length: number): Promise<Buffer> {
  const bytes = await take(input, length);
  if (bytes === undefined) throw cutOff("zstd");
  return bytes;
}

/** A frame of somebody's own, such as an index: not part of the content. */
async function skip(input: Input): Promise<void> {
  const size = (await must(input, 4)).readUInt32LE();
  for (let left = size; left > 0; ) left -= (await must(input, Math.min(left, mostInBlock))).length;
}

async function* frame(input: Input, limits: ZstdLimits, room: Frame): AsyncGenerator<Uint8Array> {
  const { window: size, contentSize, hasSum } = await readHeader(input);
  if (size > limits.window) throw tooMuchMemory("zstd", size, limits.window);
  const parts = newFrame(size, room);
  const sum = hasSum ? xxh64() : undefined;
  let produced = 0;
  for (let isLast = false; !isLast; ) {
    // Three bytes may be a block that gives nothing: a promise and a piece for each would make a small archive slow.
    if (!isBlockAtHand(input)) await needBlock(input);
    isLast = readBlock(input, parts);
    if (parts.window.at === parts.window.taken) continue;
    const piece = takeWritten(parts.window);
    sum?.update(piece);
    produced += piece.length;
    if (produced > (contentSize ?? produced)) throw damaged("zstd", "a frame is not of the size announced");
    yield piece;
  }
  if (produced !== (contentSize ?? produced)) throw damaged("zstd", "a frame is not of the size announced");
  if (sum !== undefined && (await must(input, 4)).readUInt32LE() !== sum.digest()) {
    throw damaged("zstd", "the sum of a frame is wrong");
  }
}

/** Nothing of the last frame can be asked for: no history, no tables. The memory stays, and with a window that grew. */
function newFrame(size: number, room: Frame): Frame {
  const { block, literals } = room;
  literals.table = undefined;
  literals.size = 0;
  room.window = openWindow(size, room.window.bytes);
  return { window: room.window, block, literals, history: makeHistory() };
}

async function readHeader(input: Input): Promise<FrameHeader> {
  const flags = (await must(input, 1))[0] as number;
  const isSingle = (flags & 0x20) !== 0;
  if ((flags & 0x08) !== 0) throw notRead("zstd", "an unknown kind of frame");
  const descriptor = isSingle ? 0 : ((await must(input, 1))[0] as number);
  const dictionary = await must(input, [0, 1, 2, 4][flags & 3] as number);
  if (dictionary.some((byte) => byte !== 0)) throw notRead("zstd", "a dictionary");
  const contentSize = await readContentSize(input, flags >> 6, isSingle);
  const base = 2 ** (10 + (descriptor >> 3));
  const window = isSingle ? (contentSize ?? 0) : base + (base / 8) * (descriptor & 7);
  return { window, contentSize, hasSum: (flags & 4) !== 0 };
}

async function readContentSize(input: Input, kind: number, isSingle: boolean): Promise<number | undefined> {
  if (kind === 0) return isSingle ? ((await must(input, 1))[0] as number) : undefined;
  if (kind === 1) return (await must(input, 2)).readUInt16LE() + 256;
  if (kind === 2) return (await must(input, 4)).readUInt32LE();
  return Number((await must(input, 8)).readBigUInt64LE());
}

const blockHeadSize = 3;

/** The header of the next block, which is at hand, and the bytes behind it. */
function blockHead(input: Input) {
  const header = input.bytes.readUIntLE(input.at, blockHeadSize);
  const kind = (header >> 1) & 3;
  const size = header >> 3;
  return { kind, size, stored: kind === 1 ? 1 : size, isLast: (header & 1) === 1 };
}

function isBlockAtHand(input: Input): boolean {
  const there = input.bytes.length - input.at;
  return there >= blockHeadSize && there >= blockHeadSize + blockHead(input).stored;
}

/** Makes the next block be at hand. What is larger than any block is left to readBlock to refuse. */
async function needBlock(input: Input): Promise<void> {
  const isThere = (await input.need(blockHeadSize)) && (await input.need(blockHeadSize + storedAtMost(input)));
  if (!isThere) throw cutOff("zstd");
}

function storedAtMost(input: Input): number {
  const { kind, stored } = blockHead(input);
  return kind === 3 || stored > mostInBlock ? 0 : stored;
}

/** Writes the content of the block at hand into the window; whether it was the last. */
function readBlock(input: Input, parts: Frame): boolean {
  const { window, block, literals, history } = parts;
  const { kind, size, stored, isLast } = blockHead(input);
  if (kind === 3 || size > maximumOut(window)) throw damaged("zstd", "a block is larger than allowed");
  makeRoom(window, mostInBlock);
  const start = input.at + blockHeadSize;
  const content = input.bytes.subarray(start, start + stored);
  input.at = start + stored;
  if (kind === 2) {
    setBlock(block, content);
    const before = window.at;
    runSequences(block, readLiterals(block, literals), literals, history, window);
    if (window.at - before > maximumOut(window)) throw damaged("zstd", "a block gives more than allowed");
  } else {
    if (kind === 0) window.bytes.set(content, window.at);
    else window.bytes.fill(content[0] as number, window.at, window.at + size);
    window.at += size;
  }
  return isLast;
}
