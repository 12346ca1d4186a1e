/** bzip2's bits, the most significant first, out of what is at hand: a whole block is, before it is begun. */
import { cutOff } from "./damage.ts";

export interface Bits {
  readonly bytes: Uint8Array;
  /** The next byte to take in. */
  at: number;
  /** `count` bits at its low end are taken in and not read. */
  held: number;
  count: number;
}

export function bitsAt(bytes: Uint8Array, at: number): Bits {
  return { bytes, at, held: 0, count: 0 };
}

/** Makes sure of `count` ≤ 24 bits; behind the end they are zeros, so that a code may be looked up there. */
export function hold(bits: Bits, count: number): void {
  while (bits.count < count) {
    const { bytes, at } = bits;
    // Far behind the end: not looked up but read.
    if (at > bytes.length + 8) throw cutOff("bzip2");
    bits.held = (bits.held << 8) | (at < bytes.length ? (bytes[at] as number) : 0);
    bits.at = at + 1;
    bits.count += 8;
  }
}

/** The next `count` ≤ 24 bits. @throws Failure ARCHIVE_INVALID when they are not there */
export function readBits(bits: Bits, count: number): number {
  hold(bits, count);
  bits.count -= count;
  return (bits.held >>> bits.count) & ((1 << count) - 1);
}

/** The byte where the bits that were not read begin. @throws Failure ARCHIVE_INVALID when more was read than there is */
export function endOf(bits: Bits): number {
  const end = bits.at - (bits.count >> 3);
  if (end > bits.bytes.length) throw cutOff("bzip2");
  return end;
}
