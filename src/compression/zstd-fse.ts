/** zstd's FSE tables (RFC 8878, 4.1): from probabilities to what each state gives, and where it leads. */
import { damaged } from "./damage.ts";
import type { Block } from "./zstd-bits.ts";

export interface FseTable {
  /** States are numbers of this many bits. */
  readonly accuracy: number;
  readonly symbol: Uint8Array;
  /** Bits to read for the next state, and what is added to them. */
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

/** −1 means "less than one". @param probabilities by symbol, of the sum 2^accuracy */
export function buildTable(probabilities: readonly number[], accuracy: number): FseTable {
  const size = 1 << accuracy;
  const symbol = new Uint8Array(size);
  const next = new Uint16Array(probabilities.length);
  let high = size - 1;
  probabilities.forEach((probability, index) => {
    next[index] = Math.abs(probability);
    if (probability === -1) symbol[high--] = index;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  probabilities.forEach((probability, index) => {
    for (let i = 0; i < probability; i++) {
      symbol[at] = index;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  });
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const index = symbol[state] as number;
    const value = next[index] as number;
    next[index] = value + 1;
    const count = accuracy - (31 - Math.clz32(value));
    bits[state] = count;
    base[state] = (value << count) - size;
  }
  return { accuracy, symbol, bits, base };
}

/** The table of one symbol that takes no bits. */
export function singleTable(symbol: number): FseTable {
  return { accuracy: 0, symbol: Uint8Array.of(symbol), bits: new Uint8Array(1), base: new Uint16Array(1) };
}

/**
 * A table written in the block at byte `start`, of symbols up to `mostSymbol`.
 * @returns with `end`, the byte behind it
 * @throws Failure ARCHIVE_INVALID
 */
export function readTable(block: Block, start: number, mostSymbol: number, mostAccuracy: number) {
  const { view } = block;
  let at = 8 * start;
  const read = (count: number): number => {
    if (at > 8 * block.end) throw damaged("zstd", "a table is cut off");
    const value = (view.getUint32(at >> 3, true) >>> (at & 7)) & ((1 << count) - 1);
    at += count;
    return value;
  };
  const accuracy = read(4) + 5;
  if (accuracy > mostAccuracy) throw damaged("zstd", "a table is too fine");
  const probabilities: number[] = [];
  let remaining = 1 << accuracy;
  while (remaining > 0) {
    const count = 32 - Math.clz32(remaining + 1);
    const value = read(count);
    const lowMask = (1 << (count - 1)) - 1;
    const threshold = (1 << count) - 2 - remaining;
    const isShort = (value & lowMask) < threshold;
    if (isShort) at--;
    const probability = (isShort ? value & lowMask : value > lowMask ? value - threshold : value) - 1;
    remaining -= Math.abs(probability);
    probabilities.push(probability);
    if (probability === 0) for (let zeros = 3; zeros === 3; ) zeros = pushZeros(probabilities, read(2));
    if (probabilities.length > mostSymbol + 1) throw damaged("zstd", "a table has too many symbols");
  }
  const end = (at + 7) >> 3;
  if (remaining < 0 || end > block.end) throw damaged("zstd", "a table does not add up");
  return { table: buildTable(probabilities, accuracy), end };
}

function pushZeros(probabilities: number[], count: number): number {
  for (let i = 0; i < count; i++) probabilities.push(0);
  return count;
}
