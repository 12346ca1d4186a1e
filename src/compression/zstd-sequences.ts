/** The sequences of a zstd block (RFC 8878, 3.1.1.3.2): so many literals, then so many bytes from so far back. */
import { damaged } from "./damage.ts";
import { repeat, type Window } from "./window.ts";
import { type BackwardBits, type Block, backwardBits, readBits } from "./zstd-bits.ts";
import { buildTable, type FseTable, readTable, singleTable } from "./zstd-fse.ts";
import type { Literals } from "./zstd-literals.ts";

/** What blocks of one frame hand on. */
export interface History {
  literalLengths: FseTable | undefined;
  offsets: FseTable | undefined;
  matchLengths: FseTable | undefined;
  /** The last three offsets, the latest first. */
  readonly recent: [number, number, number];
}

export function makeHistory(): History {
  return { literalLengths: undefined, offsets: undefined, matchLengths: undefined, recent: [1, 4, 8] };
}

interface Kind {
  readonly mostAccuracy: number;
  readonly mostSymbol: number;
  readonly predefined: FseTable;
}

const less = (count: number): number[] => Array.from({ length: count }, () => -1);
const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
const twos = (count: number): number[] => Array.from({ length: count }, () => 2);

const literalLengths: Kind = {
  mostAccuracy: 9,
  mostSymbol: 35,
  predefined: buildTable([4, 3, ...twos(11), 1, 1, 1, ...twos(9), 3, 2, ...ones(5), ...less(4)], 6),
};
const offsets: Kind = {
  mostAccuracy: 8,
  mostSymbol: 31,
  predefined: buildTable([...ones(6), 2, 2, 2, ...ones(15), ...less(5)], 5),
};
const matchLengths: Kind = {
  mostAccuracy: 9,
  mostSymbol: 52,
  predefined: buildTable([1, 4, 3, ...twos(6), ...ones(37), ...less(7)], 6),
};

/** Bits behind each code; each code begins where the one before it ends. */
const literalBits = Uint8Array.of(
  ...new Array(16).fill(0),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
);
const matchBits = Uint8Array.of(
  ...new Array(32).fill(0),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
);
const literalBase = basesOf(literalBits, 0);
const matchBase = basesOf(matchBits, 3);

function basesOf(bits: Uint8Array, first: number): Uint32Array {
  const bases = new Uint32Array(bits.length);
  bits.forEach((count, code) => {
    bases[code] = code === 0 ? first : (bases[code - 1] as number) + 2 ** (bits[code - 1] as number);
    if (count > 25) throw new RangeError("more bits than one read gives");
  });
  return bases;
}

/** Carries the sequences at byte `start` of the block out, and the literals behind the last. @throws Failure ARCHIVE_INVALID */
export function runSequences(block: Block, start: number, literals: Literals, history: History, window: Window): void {
  const { count, at } = readCount(block, start);
  if (count === 0) {
    if (at !== block.end) throw damaged("zstd", "something follows the sequences");
    copyLiterals(literals, 0, literals.size, window);
    return;
  }
  const modes = block.bytes[at] as number;
  if (at >= block.end || (modes & 3) !== 0) throw damaged("zstd", "the sequences have no valid form");
  const lengths = tableFor(block, at + 1, modes >> 6, literalLengths, history.literalLengths);
  const distances = tableFor(block, lengths.end, (modes >> 4) & 3, offsets, history.offsets);
  const matches = tableFor(block, distances.end, (modes >> 2) & 3, matchLengths, history.matchLengths);
  history.literalLengths = lengths.table;
  history.offsets = distances.table;
  history.matchLengths = matches.table;
  const bits = backwardBits(block, matches.end, block.end);
  const used = execute(
    bits,
    count,
    { lengths: lengths.table, distances: distances.table, matches: matches.table },
    literals,
    history.recent,
    window,
  );
  if (bits.left !== 0) throw damaged("zstd", "the sequences do not end with their bits");
  copyLiterals(literals, used, literals.size, window);
}

function readCount({ bytes, view, end }: Block, start: number): { readonly count: number; readonly at: number } {
  if (start >= end) throw damaged("zstd", "a block without sequences");
  const first = bytes[start] as number;
  if (first < 128) return { count: first, at: start + 1 };
  if (first < 255) return { count: ((first - 128) << 8) + (bytes[start + 1] as number), at: start + 2 };
  return { count: view.getUint16(start + 1, true) + 0x7f00, at: start + 3 };
}

function tableFor(block: Block, at: number, mode: number, kind: Kind, last: FseTable | undefined) {
  if (mode === 0) return { table: kind.predefined, end: at };
  if (mode === 2) return readTable(block, at, kind.mostSymbol, kind.mostAccuracy);
  if (mode === 3) {
    if (last === undefined) throw damaged("zstd", "a table is repeated that never was");
    return { table: last, end: at };
  }
  const symbol = block.bytes[at] as number;
  if (at >= block.end || symbol > kind.mostSymbol) throw damaged("zstd", "a table of an unknown symbol");
  return { table: singleTable(symbol), end: at + 1 };
}

interface Tables {
  readonly lengths: FseTable;
  readonly distances: FseTable;
  readonly matches: FseTable;
}

/** Returns how many literals were used. */
function execute(
  bits: BackwardBits,
  count: number,
  tables: Tables,
  literals: Literals,
  recent: History["recent"],
  window: Window,
): number {
  const { lengths, distances, matches } = tables;
  const limit = window.at + maximumOut(window);
  let lengthState = readBits(bits, lengths.accuracy);
  let distanceState = readBits(bits, distances.accuracy);
  let matchState = readBits(bits, matches.accuracy);
  let used = 0;
  for (let left = count; left > 0; left--) {
    const distanceCode = distances.symbol[distanceState] as number;
    const matchCode = matches.symbol[matchState] as number;
    const literalCode = lengths.symbol[lengthState] as number;
    const value =
      distanceCode > 24 ? wideOffset(bits, distanceCode) : (1 << distanceCode) + readBits(bits, distanceCode);
    const matchLength = (matchBase[matchCode] as number) + readBits(bits, matchBits[matchCode] as number);
    const literalLength = (literalBase[literalCode] as number) + readBits(bits, literalBits[literalCode] as number);
    if (left > 1) {
      lengthState = (lengths.base[lengthState] as number) + readBits(bits, lengths.bits[lengthState] as number);
      matchState = (matches.base[matchState] as number) + readBits(bits, matches.bits[matchState] as number);
      distanceState =
        (distances.base[distanceState] as number) + readBits(bits, distances.bits[distanceState] as number);
    }
    const offset = resolveOffset(value, literalLength, recent);
    if (bits.left < 0 || used + literalLength > literals.size || window.at + literalLength + matchLength > limit) {
      throw damaged("zstd", "a sequence is longer than its block");
    }
    copyLiterals(literals, used, used + literalLength, window);
    used += literalLength;
    if (offset < 1 || offset > window.at || offset > window.size)
      throw damaged("zstd", "a repetition of what never was");
    repeat(window, offset, matchLength);
  }
  return used;
}

/** A block gives at most this many bytes. */
export function maximumOut(window: Window): number {
  return Math.min(window.size, 128 * 1024);
}

/** More bits than one read gives. */
function wideOffset(bits: BackwardBits, code: number): number {
  const high = readBits(bits, code - 16);
  return 2 ** code + high * 65536 + readBits(bits, 16);
}

/** Values up to 3 mean a recent offset, counted from the next one when no literals come before. */
function resolveOffset(value: number, literalLength: number, recent: History["recent"]): number {
  const index = value > 3 ? 3 : value - (literalLength === 0 ? 0 : 1);
  if (index === 0) return recent[0];
  const offset = value > 3 ? value - 3 : index === 3 ? recent[0] - 1 : (recent[index as 1 | 2] as number);
  if (index !== 1) recent[2] = recent[1];
  recent[1] = recent[0];
  recent[0] = offset;
  return offset;
}

function copyLiterals({ bytes }: Literals, from: number, to: number, window: Window): void {
  const target = window.bytes;
  const shift = window.at - from;
  if (to - from > 32) target.set(bytes.subarray(from, to), window.at);
  else for (let i = from; i < to; i++) target[i + shift] = bytes[i] as number;
  window.at += to - from;
}
