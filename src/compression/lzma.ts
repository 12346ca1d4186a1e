/** LZMA: literals and repetitions out of range-coded bits. Knows chunks of it only as LZMA2 has them. */
import {
  beginRange,
  bit,
  bitTree,
  directBits,
  initialProbability,
  matchedLiteral,
  normalise,
  type RangeCoder,
  reverseTree,
} from "./range-coder.ts";
import { repeat, type Window } from "./window.ts";

export interface Lzma {
  readonly coder: RangeCoder;
  /** 0–11: what the last few symbols were; below 7 the last was a literal. */
  state: number;
  /** The last four distances, less one. */
  rep0: number;
  rep1: number;
  rep2: number;
  rep3: number;
  literalContext: number;
  literalMask: number;
  positionMask: number;
}

/** Places in the table of probabilities. */
const isMatch = 0;
const isRep = isMatch + 12 * 16;
const isRep0 = isRep + 12;
const isRep1 = isRep0 + 12;
const isRep2 = isRep1 + 12;
const isRep0Long = isRep2 + 12;
const slots = isRep0Long + 12 * 16;
const special = slots + 4 * 64;
const align = special + 115;
const matchLength = align + 16;
/** Of a length: is it above 9, above 17; then its bits. */
const mid = 2 + 16 * 8;
const high = mid + 16 * 8;
const repLength = matchLength + high + 256;
const literals = repLength + high + 256;
const count = literals + (0x300 << 4);

export function makeLzma(): Lzma {
  const coder = { input: new Uint8Array(0), at: 0, range: 0, code: 0, probabilities: new Uint16Array(count) };
  const masks = { literalContext: 0, literalMask: 0, positionMask: 0 };
  return { coder, state: 0, rep0: 0, rep1: 0, rep2: 0, rep3: 0, ...masks };
}

/** Sets lc, lp and pb from their byte; false when it is none that LZMA2 allows. */
export function setProperties(lzma: Lzma, byte: number): boolean {
  const literalContext = byte % 9;
  const literalPosition = Math.floor(byte / 9) % 5;
  const position = Math.floor(byte / 45);
  if (position > 4 || literalContext + literalPosition > 4) return false;
  lzma.literalContext = literalContext;
  lzma.literalMask = (1 << literalPosition) - 1;
  lzma.positionMask = (1 << position) - 1;
  return true;
}

export function resetState(lzma: Lzma): void {
  lzma.coder.probabilities.fill(initialProbability);
  Object.assign(lzma, { state: 0, rep0: 0, rep1: 0, rep2: 0, rep3: 0 });
}

/**
 * Decodes the chunk `[start, end)` of the coder's input into exactly `size` bytes of the window, where there is room for them.
 * @returns what is wrong with it, if something is
 */
export function decodeChunk(lzma: Lzma, window: Window, start: number, end: number, size: number): string | undefined {
  const { coder } = lzma;
  const limit = window.at + size;
  if (!beginRange(coder, start)) return "a chunk does not begin with 0";
  while (window.at < limit) {
    const position = window.at & lzma.positionMask;
    if (bit(coder, isMatch + (lzma.state << 4) + position) === 0) {
      literal(lzma, window);
    } else {
      const length = bit(coder, isRep + lzma.state) === 0 ? freshMatch(lzma, position) : repeatedMatch(lzma, position);
      if (lzma.rep0 < 0 || lzma.rep0 >= window.at || lzma.rep0 >= window.size) return "a repetition of what never was";
      if (length > limit - window.at) return "a repetition longer than its chunk";
      repeat(window, lzma.rep0 + 1, length);
    }
    if (coder.at > end) return "a chunk is longer than announced";
  }
  normalise(coder);
  return coder.at === end && coder.code === 0 ? undefined : "a chunk ends too late";
}

function literal(lzma: Lzma, window: Window): void {
  const { bytes, at } = window;
  const { state, literalContext } = lzma;
  const before = at === 0 ? 0 : (bytes[at - 1] as number);
  const context = ((at & lzma.literalMask) << literalContext) + (before >> (8 - literalContext));
  const base = literals + 0x300 * context;
  if (state < 7) {
    bytes[at] = bitTree(lzma.coder, base, 8);
    lzma.state = state < 4 ? 0 : state - 3;
  } else {
    bytes[at] = matchedLiteral(lzma.coder, base, bytes[at - lzma.rep0 - 1] as number);
    lzma.state = state < 10 ? state - 3 : state - 6;
  }
  window.at = at + 1;
}

/** A distance of its own; returns the length. A distance that is no 31-bit number becomes negative, as the end marker does. */
function freshMatch(lzma: Lzma, position: number): number {
  const { coder } = lzma;
  lzma.rep3 = lzma.rep2;
  lzma.rep2 = lzma.rep1;
  lzma.rep1 = lzma.rep0;
  lzma.state = lzma.state < 7 ? 7 : 10;
  const length = lengthOf(coder, matchLength, position);
  const slot = bitTree(coder, slots + (Math.min(length - 2, 3) << 6), 6);
  if (slot < 4) {
    lzma.rep0 = slot;
    return length;
  }
  const bits = (slot >> 1) - 1;
  const base = (2 | (slot & 1)) << bits;
  if (slot < 14) lzma.rep0 = base + reverseTree(coder, special + base - slot, bits);
  else lzma.rep0 = (base + (directBits(coder, bits - 4) << 4) + reverseTree(coder, align, 4)) | 0;
  return length;
}

/** One of the last four distances, which becomes the last; returns the length. */
function repeatedMatch(lzma: Lzma, position: number): number {
  const { coder, state } = lzma;
  if (bit(coder, isRep0 + state) === 0) {
    if (bit(coder, isRep0Long + (state << 4) + position) === 0) {
      lzma.state = state < 7 ? 9 : 11;
      return 1;
    }
  } else {
    let distance = lzma.rep1;
    if (bit(coder, isRep1 + state) === 1) {
      distance = lzma.rep2;
      if (bit(coder, isRep2 + state) === 1) {
        distance = lzma.rep3;
        lzma.rep3 = lzma.rep2;
      }
      lzma.rep2 = lzma.rep1;
    }
    lzma.rep1 = lzma.rep0;
    lzma.rep0 = distance;
  }
  lzma.state = state < 7 ? 8 : 11;
  return lengthOf(coder, repLength, position);
}

/** 2–273. */
function lengthOf(coder: RangeCoder, base: number, position: number): number {
  if (bit(coder, base) === 0) return 2 + bitTree(coder, base + 2 + (position << 3), 3);
  if (bit(coder, base + 1) === 0) return 10 + bitTree(coder, base + mid + (position << 3), 3);
  return 18 + bitTree(coder, base + high, 8);
}
