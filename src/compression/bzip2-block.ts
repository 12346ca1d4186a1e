/** One block of bzip2 up to its sorted bytes: which symbols there are, their Huffman codes, move-to-front and runs undone. */
import { type Bits, hold, readBits } from "./bzip2-bits.ts";
import { damaged, notRead } from "./damage.ts";

export interface SortedBlock {
  /** CRC of the block's plain bytes. */
  readonly sum: number;
  /** The place of the first byte. */
  readonly origin: number;
  readonly length: number;
  /** How often each byte occurs. */
  readonly counts: Uint32Array;
}

/** A Huffman code: short ones by one look, long ones by comparing. */
interface Code {
  /** length << 16 | symbol, by the next `quickBits` bits; 0 for a longer code. */
  readonly quick: Uint32Array;
  /** By length: the first code that is longer, left-aligned to 20 bits. */
  readonly limits: Uint32Array;
  /** By length: what to add to a code for its place in `symbols`. */
  readonly bases: Int32Array;
  readonly symbols: Uint16Array;
}

const quickBits = 10;
const mostBits = 20;
const groupSize = 50;
/** More than these are never used: 900 000 symbols and one. */
const mostSelectors = 18_002;

/** Writes the block's bytes, in their sorted order, into the low ends of `sorted`, whose length is the block size. */
export function readBlock(bits: Bits, sorted: Uint32Array): SortedBlock {
  const sum = ((readBits(bits, 16) << 16) | readBits(bits, 16)) >>> 0;
  if (readBits(bits, 1) !== 0) throw notRead("bzip2", "randomised blocks");
  const origin = readBits(bits, 24);
  const used = readUsed(bits);
  const codeCount = readBits(bits, 3);
  if (used.length === 0 || codeCount < 2 || codeCount > 6) throw damaged("bzip2", "a block without codes");
  const selectors = readSelectors(bits, codeCount);
  const codes = Array.from({ length: codeCount }, () => readCode(bits, used.length + 2));
  const counts = new Uint32Array(256);
  const length = readSymbols(bits, codes, selectors, used, sorted, counts);
  if (origin >= length) throw damaged("bzip2", "a block begins outside of itself");
  return { sum, origin, length, counts };
}

function readUsed(bits: Bits): Uint8Array {
  const used: number[] = [];
  const ranges = readBits(bits, 16);
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const members = readBits(bits, 16);
    for (let i = 0; i < 16; i++) if ((members & (0x8000 >> i)) !== 0) used.push(16 * range + i);
  }
  return Uint8Array.from(used);
}

/** Which code each group of 50 symbols uses. */
function readSelectors(bits: Bits, codeCount: number): Uint8Array {
  const count = readBits(bits, 15);
  if (count === 0) throw damaged("bzip2", "a block without selectors");
  const order = [0, 1, 2, 3, 4, 5];
  const selectors = new Uint8Array(Math.min(count, mostSelectors));
  for (let i = 0; i < count; i++) {
    let index = 0;
    while (readBits(bits, 1) === 1) if (++index >= codeCount) throw damaged("bzip2", "an impossible selector");
    const [selector = 0] = order.splice(index, 1);
    order.unshift(selector);
    if (i < selectors.length) selectors[i] = selector;
  }
  return selectors;
}

function readCode(bits: Bits, symbolCount: number): Code {
  const lengths = new Uint8Array(symbolCount);
  let length = readBits(bits, 5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    for (;;) {
      if (length < 1 || length > mostBits) throw damaged("bzip2", "a code of impossible length");
      if (readBits(bits, 1) === 0) break;
      length += readBits(bits, 1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  return makeCode(lengths);
}

function makeCode(lengths: Uint8Array): Code {
  const quick = new Uint32Array(1 << quickBits);
  const limits = new Uint32Array(mostBits + 1);
  const bases = new Int32Array(mostBits + 1);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= mostBits; length++) {
    bases[length] = place - code;
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      symbols[place++] = symbol;
      if (length <= quickBits) {
        const shift = quickBits - length;
        quick.fill((length << 16) | symbol, code << shift, (code + 1) << shift);
      }
      code++;
    });
    limits[length] = code << (mostBits - length);
    if (code > 1 << length) throw damaged("bzip2", "a code with too many symbols");
    code <<= 1;
  }
  return { quick, limits, bases, symbols };
}

function readSymbol(bits: Bits, code: Code): number {
  hold(bits, mostBits);
  const ahead = (bits.held >>> (bits.count - mostBits)) & ((1 << mostBits) - 1);
  const quick = code.quick[ahead >> (mostBits - quickBits)] as number;
  if (quick !== 0) {
    bits.count -= quick >> 16;
    return quick & 0xffff;
  }
  let length = quickBits + 1;
  while (length <= mostBits && ahead >= (code.limits[length] as number)) length++;
  if (length > mostBits) throw damaged("bzip2", "an unknown code");
  bits.count -= length;
  return code.symbols[(ahead >> (mostBits - length)) + (code.bases[length] as number)] as number;
}

/** Symbols 0 and 1 count a run in binary, the last ends the block, the others name a place in the list of recent bytes. */
function readSymbols(
  bits: Bits,
  codes: readonly Code[],
  selectors: Uint8Array,
  used: Uint8Array,
  sorted: Uint32Array,
  counts: Uint32Array,
): number {
  const recent = used.slice();
  const last = used.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  for (const selector of selectors) {
    const code = codes[selector] as Code;
    for (let i = 0; i < groupSize; i++) {
      const symbol = readSymbol(bits, code);
      if (symbol < 2) {
        run += weight << symbol;
        weight <<= 1;
        if (run > sorted.length) throw damaged("bzip2", "a run longer than its block");
        continue;
      }
      if (run > 0) {
        length = writeRun(sorted, length, run, recent[0] as number, counts);
        run = 0;
        weight = 1;
      }
      if (symbol === last) return length;
      if (length >= sorted.length) throw damaged("bzip2", "a block longer than announced");
      const byte = recent[symbol - 1] as number;
      toFront(recent, symbol - 1, byte);
      sorted[length++] = byte;
      counts[byte] = (counts[byte] as number) + 1;
    }
  }
  throw damaged("bzip2", "a block without an end");
}

/** Most moves are short: a loop is faster than a call of copyWithin. */
function toFront(recent: Uint8Array, index: number, byte: number): void {
  for (let at = index; at > 0; at--) recent[at] = recent[at - 1] as number;
  recent[0] = byte;
}

function writeRun(sorted: Uint32Array, length: number, run: number, byte: number, counts: Uint32Array): number {
  if (length + run > sorted.length) throw damaged("bzip2", "a run longer than its block");
  sorted.fill(byte, length, length + run);
  counts[byte] = (counts[byte] as number) + run;
  return length + run;
}
