/** The literals of a zstd block (RFC 8878, 3.1.1.3.1): plain, repeated, or Huffman coded in one stream or four. */
import { damaged } from "./damage.ts";
import { type BackwardBits, type Block, backwardBits, margin, mostInBlock, readBits } from "./zstd-bits.ts";
import { readTable } from "./zstd-fse.ts";

/** What the next `bits` bits of a stream say: a symbol, and how many of them it takes. */
export interface HuffmanTable {
  readonly bits: number;
  readonly symbol: Uint8Array;
  readonly length: Uint8Array;
}

export interface Literals {
  readonly bytes: Uint8Array;
  size: number;
  /** The last table of the frame, for blocks that have none of their own. */
  table: HuffmanTable | undefined;
}

const mostBits = 11;

export function makeLiterals(): Literals {
  return { bytes: new Uint8Array(mostInBlock), size: 0, table: undefined };
}

/** Reads the section at the block's beginning; returns the byte behind it. @throws Failure ARCHIVE_INVALID */
export function readLiterals(block: Block, literals: Literals): number {
  const { bytes, end } = block;
  if (margin >= end) throw damaged("zstd", "a block without literals");
  const first = bytes[margin] as number;
  const kind = first & 3;
  const format = (first >> 2) & 3;
  return kind < 2 ? readPlain(block, literals, kind, format) : readCoded(block, literals, kind, format);
}

function readPlain(block: Block, literals: Literals, kind: number, format: number): number {
  const { bytes, view, end } = block;
  const headerSize = format === 1 ? 2 : format === 3 ? 3 : 1;
  const size = (view.getUint32(margin, true) & (2 ** (8 * headerSize) - 1)) >>> (headerSize === 1 ? 3 : 4);
  const at = margin + headerSize;
  const next = kind === 0 ? at + size : at + 1;
  if (size > mostInBlock || next > end) throw damaged("zstd", "literals longer than their block");
  if (kind === 0) literals.bytes.set(bytes.subarray(at, next));
  else literals.bytes.fill(bytes[at] as number, 0, size);
  literals.size = size;
  return next;
}

function readCoded(block: Block, literals: Literals, kind: number, format: number): number {
  const { view, end } = block;
  const sizeBits = format < 2 ? 10 : format === 2 ? 14 : 18;
  const headerSize = format < 2 ? 3 : format + 2;
  // At most 40 bits: their low 32 and, of the longest form, 8 more.
  const header = view.getUint32(margin, true) + (headerSize === 5 ? (block.bytes[margin + 4] as number) * 2 ** 32 : 0);
  const size = Math.floor(header / 16) % 2 ** sizeBits;
  const coded = Math.floor(header / 2 ** (4 + sizeBits)) % 2 ** sizeBits;
  const start = margin + headerSize;
  const next = start + coded;
  if (size > mostInBlock || next > end) throw damaged("zstd", "literals longer than their block");
  let at = start;
  if (kind === 2) {
    const read = readHuffman(block, start, next);
    literals.table = read.table;
    at = read.end;
  }
  if (literals.table === undefined) throw damaged("zstd", "literals without a table");
  if (format === 0) decodeStream(backwardBits(block, at, next), literals.table, literals.bytes, 0, size);
  else decodeFour(block, at, next, literals.table, literals.bytes, size);
  literals.size = size;
  return next;
}

function decodeFour(
  block: Block,
  start: number,
  end: number,
  table: HuffmanTable,
  out: Uint8Array,
  size: number,
): void {
  const each = (size + 3) >> 2;
  if (start + 6 > end || 3 * each > size) throw damaged("zstd", "literals without room for four streams");
  let at = start + 6;
  for (let stream = 0; stream < 4; stream++) {
    const next = stream === 3 ? end : at + block.view.getUint16(start + 2 * stream, true);
    if (next > end) throw damaged("zstd", "a stream of literals is cut off");
    decodeStream(backwardBits(block, at, next), table, out, each * stream, stream === 3 ? size : each * (stream + 1));
    at = next;
  }
}

/** Fills `out` from `from` to `to`; the stream has to end with the last of them. */
function decodeStream(bits: BackwardBits, table: HuffmanTable, out: Uint8Array, from: number, to: number): void {
  const { view, start } = bits;
  const { symbol, length } = table;
  const mask = (1 << table.bits) - 1;
  const low = start - margin;
  let left = bits.left - table.bits;
  for (let at = from; at < to; at++) {
    const byte = start + (left >> 3);
    if (byte < low) break; // runs over: said below
    const index = (view.getUint32(byte, true) >>> (left & 7)) & mask;
    out[at] = symbol[index] as number;
    left -= length[index] as number;
  }
  if (left + table.bits !== 0) throw damaged("zstd", "a stream of literals does not end with them");
}

/** The weights of the symbols, as nibbles or FSE coded, and the table they make. */
function readHuffman(
  block: Block,
  start: number,
  limit: number,
): { readonly table: HuffmanTable; readonly end: number } {
  if (start >= limit) throw damaged("zstd", "a Huffman table is cut off");
  const header = block.bytes[start] as number;
  const at = start + 1;
  const end = at + (header < 128 ? header : (header - 126) >> 1);
  if (end > limit) throw damaged("zstd", "a Huffman table is cut off");
  const weights = header < 128 ? codedWeights(block, at, end) : plainWeights(block, at, header - 127);
  return { table: huffmanTable(weights), end };
}

function plainWeights({ bytes }: Block, at: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, index) => ((bytes[at + (index >> 1)] as number) >> (index % 2 === 0 ? 4 : 0)) & 15,
  );
}

/** Two states take turns until the bits are used up. */
function codedWeights(block: Block, start: number, end: number): number[] {
  const { table, end: from } = readTable(block, start, 255, 6);
  const bits = backwardBits(block, from, end);
  const states = [readBits(bits, table.accuracy), readBits(bits, table.accuracy)];
  if (bits.left < 0) throw damaged("zstd", "the weights are cut off");
  const weights: number[] = [];
  for (let turn = 0; weights.length < 255; turn = 1 - turn) {
    const state = states[turn] as number;
    weights.push(table.symbol[state] as number);
    states[turn] = (table.base[state] as number) + readBits(bits, table.bits[state] as number);
    if (bits.left >= 0) continue;
    weights.push(table.symbol[states[1 - turn] as number] as number);
    break;
  }
  return weights;
}

/** The last symbol's weight is what is missing to a power of two. */
function huffmanTable(weights: number[]): HuffmanTable {
  const sum = weights.reduce((total, weight) => total + (weight === 0 ? 0 : 2 ** (weight - 1)), 0);
  const bits = 32 - Math.clz32(sum);
  const missing = 2 ** bits - sum;
  if (sum === 0 || bits > mostBits || weights.length > 255 || !Number.isInteger(Math.log2(missing))) {
    throw damaged("zstd", "impossible weights");
  }
  const all = [...weights, Math.log2(missing) + 1];
  const symbol = new Uint8Array(1 << bits);
  const length = new Uint8Array(1 << bits);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    all.forEach((own, index) => {
      if (own !== weight) return;
      const next = at + (1 << (weight - 1));
      symbol.fill(index, at, next);
      length.fill(bits + 1 - weight, at, next);
      at = next;
    });
  }
  return { bits, symbol, length };
}
