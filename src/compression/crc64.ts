/** CRC-64 (ECMA-182, reflected), the sum xz keeps by default; four bytes a step in two 32-bit halves. */

export interface Crc64 {
  update(bytes: Uint8Array): void;
  /** Eight bytes, least significant first, as they stand in a file. */
  digest(): Buffer;
}

const polynomialHigh = 0xc96c5795;
const polynomialLow = 0xd7870f42;
let tables: { readonly high: Uint32Array; readonly low: Uint32Array } | undefined;

/** Table k at 256 × k: what a byte does after k more bytes of zeros. */
function makeTables() {
  const high = new Uint32Array(4 * 256);
  const low = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let h = 0;
    let l = byte;
    for (let i = 0; i < 8; i++) {
      const one = l & 1;
      l = ((l >>> 1) | (h << 31)) ^ (one * polynomialLow);
      h = (h >>> 1) ^ (one * polynomialHigh);
    }
    high[byte] = h;
    low[byte] = l;
  }
  for (let index = 256; index < 4 * 256; index++) {
    const h = high[index - 256] as number;
    const l = low[index - 256] as number;
    high[index] = (h >>> 8) ^ (high[l & 0xff] as number);
    low[index] = ((l >>> 8) | (h << 24)) ^ (low[l & 0xff] as number);
  }
  return { high, low };
}

export function crc64(): Crc64 {
  tables ??= makeTables();
  const { high, low } = tables;
  let h = -1;
  let l = -1;
  return {
    update(bytes) {
      let at = 0;
      for (const end = bytes.length - 3; at < end; at += 4) {
        const a = (l ^ (bytes[at] as number)) & 0xff;
        const b = ((l >>> 8) ^ (bytes[at + 1] as number)) & 0xff;
        const c = ((l >>> 16) ^ (bytes[at + 2] as number)) & 0xff;
        const d = (l >>> 24) ^ (bytes[at + 3] as number);
        l = h ^ (low[768 + a] as number) ^ (low[512 + b] as number) ^ (low[256 + c] as number) ^ (low[d] as number);
        h = (high[768 + a] as number) ^ (high[512 + b] as number) ^ (high[256 + c] as number) ^ (high[d] as number);
      }
      for (; at < bytes.length; at++) {
        const index = (l ^ (bytes[at] as number)) & 0xff;
        l = ((l >>> 8) | (h << 24)) ^ (low[index] as number);
        h = (h >>> 8) ^ (high[index] as number);
      }
    },
    digest() {
      const bytes = Buffer.alloc(8);
      bytes.writeInt32LE(~l, 0);
      bytes.writeInt32LE(~h, 4);
      return bytes;
    },
  };
}
