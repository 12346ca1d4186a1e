/** XXH64 with seed 0, the sum of a zstd frame. Its 64-bit products are made of 32-bit halves: BigInt would be 50 times slower. */

export interface Xxh64 {
  update(bytes: Uint8Array): void;
  /** The low 32 bits, which is all that zstd stores. */
  digest(): number;
}

const stripe = 32;
const p1 = 0x9e3779b185ebca87n;
const p2 = 0xc2b2ae3d27d4eb4fn;
const p3 = 0x165667b19e3779f9n;
const p4 = 0x85ebca77c2b2ae63n;
const p5 = 0x27d4eb2f165667c5n;
const p1High = 0x9e3779b1;
const p1Low = 0x85ebca87;
const p2High = 0xc2b2ae3d;
const p2Low = 0x27d4eb4f;

/** The high 32 bits of a × b, given the low ones: exact, because the error of the float product is below half of 2³². */
function highOf(a: number, b: number, low: number): number {
  return ((a * b - low) * 2 ** -32 + 0.5) >>> 0;
}

/** One of the four accumulators over whole stripes: acc ← rotl31(acc + word × p2) × p1. */
function runLane(lane: Uint32Array, view: DataView, start: number, end: number): void {
  let low = lane[0] as number;
  let high = lane[1] as number;
  for (let at = start; at < end; at += stripe) {
    const wordLow = view.getUint32(at, true);
    const wordHigh = view.getUint32(at + 4, true);
    const productLow = Math.imul(wordLow, p2Low) >>> 0;
    const cross = Math.imul(wordHigh, p2Low) + Math.imul(wordLow, p2High);
    const productHigh = highOf(wordLow, p2Low, productLow) + cross;
    const sum = low + productLow;
    const sumLow = sum >>> 0;
    const sumHigh = (high + productHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
    const turnedLow = ((sumLow << 31) | (sumHigh >>> 1)) >>> 0;
    const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
    low = Math.imul(turnedLow, p1Low) >>> 0;
    high = (highOf(turnedLow, p1Low, low) + Math.imul(turnedHigh, p1Low) + Math.imul(turnedLow, p1High)) >>> 0;
  }
  lane[0] = low;
  lane[1] = high;
}

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => wrap(value << bits) | (value >> (64n - bits));
const round = (acc: bigint, word: bigint): bigint => wrap(rotate(wrap(acc + word * p2), 31n) * p1);

function laneOf(value: bigint): Uint32Array {
  return new Uint32Array([Number(value & 0xffffffffn), Number(wrap(value) >> 32n)]);
}

function laneValue(lane: Uint32Array): bigint {
  return BigInt(lane[0] as number) | (BigInt(lane[1] as number) << 32n);
}

/** What is left, less than a stripe, mixed in; then the bits spread. */
function finish(start: bigint, tail: Buffer): bigint {
  let hash = start;
  let at = 0;
  for (; at + 8 <= tail.length; at += 8) {
    hash = wrap(rotate(hash ^ round(0n, tail.readBigUInt64LE(at)), 27n) * p1 + p4);
  }
  if (at + 4 <= tail.length) {
    hash = wrap(rotate(hash ^ wrap(BigInt(tail.readUInt32LE(at)) * p1), 23n) * p2 + p3);
    at += 4;
  }
  for (; at < tail.length; at++) hash = wrap(rotate(hash ^ wrap(BigInt(tail[at] as number) * p5), 11n) * p1);
  hash = wrap((hash ^ (hash >> 33n)) * p2);
  hash = wrap((hash ^ (hash >> 29n)) * p3);
  return hash ^ (hash >> 32n);
}

export function xxh64(): Xxh64 {
  const lanes = [p1 + p2, p2, 0n, -p1].map((value) => laneOf(wrap(value)));
  const tail = Buffer.alloc(stripe);
  let filled = 0;
  let total = 0;
  const run = (bytes: Uint8Array, length: number): void => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const [index, lane] of lanes.entries()) runLane(lane, view, 8 * index, length);
  };
  return {
    update(bytes) {
      total += bytes.length;
      let rest = bytes;
      if (filled > 0) {
        const piece = rest.subarray(0, stripe - filled);
        tail.set(piece, filled);
        filled += piece.length;
        rest = rest.subarray(piece.length);
        if (filled < stripe) return;
        run(tail, stripe);
      }
      const whole = rest.length - (rest.length % stripe);
      run(rest, whole);
      tail.set(rest.subarray(whole));
      filled = rest.length - whole;
    },
    digest() {
      const values = lanes.map(laneValue);
      const [a = 0n, b = 0n, c = 0n, d = 0n] = values;
      const merged = wrap(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
      const mixed = values.reduce((hash, value) => wrap((hash ^ round(0n, value)) * p1 + p4), merged);
      const hash = finish(wrap((total < stripe ? p5 : mixed) + BigInt(total)), tail.subarray(0, filled));
      return Number(hash & 0xffffffffn);
    },
  };
}
