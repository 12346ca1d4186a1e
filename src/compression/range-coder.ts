/**
 * LZMA's range coder: bits out of adaptive probabilities. Everything is a 32-bit integer, and each function keeps the
 * registers in local variables for all of its bits: this is the innermost loop of reading xz.
 */

export interface RangeCoder {
  /** One chunk, with at least `slack` bytes behind its end: a symbol that runs over is found after it. */
  input: Uint8Array;
  at: number;
  range: number;
  code: number;
  /** 11-bit probabilities of a 0. */
  readonly probabilities: Uint16Array;
}

/** More than one symbol can take. */
export const slack = 64;
export const initialProbability = 1024;

/** The first byte is 0, then the code, most significant byte first; false when it is not. */
export function beginRange(coder: RangeCoder, at: number): boolean {
  const { input } = coder;
  coder.range = -1;
  coder.code = 0;
  for (let i = 1; i < 5; i++) coder.code = (coder.code << 8) | (input[at + i] as number);
  coder.at = at + 5;
  return input[at] === 0;
}

/** Brings the last bits in, as the encoder did before it flushed. */
export function normalise(coder: RangeCoder): void {
  if (coder.range >>> 24 !== 0) return;
  coder.range <<= 8;
  coder.code = (coder.code << 8) | (coder.input[coder.at++] as number);
}

export function bit(coder: RangeCoder, index: number): number {
  const { probabilities } = coder;
  normalise(coder);
  const probability = probabilities[index] as number;
  const bound = Math.imul(coder.range >>> 11, probability);
  if (coder.code >>> 0 < bound >>> 0) {
    coder.range = bound;
    probabilities[index] = probability + ((2048 - probability) >> 5);
    return 0;
  }
  coder.range = (coder.range - bound) | 0;
  coder.code = (coder.code - bound) | 0;
  probabilities[index] = probability - (probability >> 5);
  return 1;
}

/** `count` bits, the most significant first, each with a probability of its own for the bits before it. */
export function bitTree(coder: RangeCoder, base: number, count: number): number {
  const { input, probabilities } = coder;
  let { at, range, code } = coder;
  let symbol = 1;
  for (const end = 1 << count; symbol < end; ) {
    if (range >>> 24 === 0) {
      range <<= 8;
      code = (code << 8) | (input[at++] as number);
    }
    const probability = probabilities[base + symbol] as number;
    const bound = Math.imul(range >>> 11, probability);
    symbol <<= 1;
    if (code >>> 0 < bound >>> 0) {
      range = bound;
      probabilities[base + (symbol >> 1)] = probability + ((2048 - probability) >> 5);
    } else {
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      probabilities[base + (symbol >> 1)] = probability - (probability >> 5);
      symbol |= 1;
    }
  }
  coder.at = at;
  coder.range = range;
  coder.code = code;
  return symbol - (1 << count);
}

/** As bitTree with the least significant bit first. */
export function reverseTree(coder: RangeCoder, base: number, count: number): number {
  let symbol = 1;
  let value = 0;
  for (let i = 0; i < count; i++) {
    const one = bit(coder, base + symbol);
    symbol = (symbol << 1) | one;
    value |= one << i;
  }
  return value;
}

/** `count` bits that are as often 0 as 1. */
export function directBits(coder: RangeCoder, count: number): number {
  const { input } = coder;
  let { at, range, code } = coder;
  let value = 0;
  for (let i = 0; i < count; i++) {
    if (range >>> 24 === 0) {
      range <<= 8;
      code = (code << 8) | (input[at++] as number);
    }
    range >>>= 1;
    code = (code - range) | 0;
    const mask = code >> 31; // −1 when the bit is 0
    code = (code + (range & mask)) | 0;
    value = (value << 1) + mask + 1;
  }
  coder.at = at;
  coder.range = range | 0;
  coder.code = code;
  return value;
}

/** A literal whose place follows a match: the byte the match would have gone on with helps to guess it. */
export function matchedLiteral(coder: RangeCoder, base: number, expected: number): number {
  const { input, probabilities } = coder;
  let { at, range, code } = coder;
  let symbol = 1;
  let offset = 0x100;
  for (let guess = expected << 1; symbol < 0x100; guess <<= 1) {
    if (range >>> 24 === 0) {
      range <<= 8;
      code = (code << 8) | (input[at++] as number);
    }
    const guessed = guess & offset;
    const index = base + offset + guessed + symbol;
    const probability = probabilities[index] as number;
    const bound = Math.imul(range >>> 11, probability);
    if (code >>> 0 < bound >>> 0) {
      range = bound;
      probabilities[index] = probability + ((2048 - probability) >> 5);
      symbol <<= 1;
      offset &= ~guessed;
    } else {
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      probabilities[index] = probability - (probability >> 5);
      symbol = (symbol << 1) | 1;
      offset = guessed;
    }
  }
  coder.at = at;
  coder.range = range;
  coder.code = code;
  return symbol & 0xff;
}
