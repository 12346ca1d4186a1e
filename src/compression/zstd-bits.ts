/** One block of zstd as bits: read forwards in the headers of tables, backwards in everything coded with them. */
import { damaged } from "./damage.ts";

/** Bytes before and behind a block that may be read, never believed: what runs over is found afterwards. */
export const margin = 16;
export const mostInBlock = 128 * 1024;

/** A block's bytes at `margin` of a buffer with as much room behind them. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** What is read lies in [margin, end). */
  end: number;
}

export function makeBlock(): Block {
  const bytes = new Uint8Array(mostInBlock + 2 * margin);
  return { bytes, view: new DataView(bytes.buffer), end: margin };
}

export function setBlock(block: Block, content: Uint8Array): void {
  block.bytes.set(content, margin);
  block.end = margin + content.length;
}

/** Bits from the last to the first. */
export interface BackwardBits {
  readonly view: DataView;
  /** The byte the bits are counted from. */
  readonly start: number;
  /** Bits not read yet; negative when more was read than there is. */
  left: number;
}

/** The bits of [start, end): the highest set bit of the last byte marks their end. @throws Failure ARCHIVE_INVALID */
export function backwardBits(block: Block, start: number, end: number): BackwardBits {
  const last = start < end && end <= block.end ? (block.bytes[end - 1] as number) : 0;
  if (last === 0) throw damaged("zstd", "a bit stream without an end");
  return { view: block.view, start, left: 8 * (end - start) - Math.clz32(last) + 23 };
}

/** The next `count` ≤ 25 bits. The caller looks at `left` before it has read more than the margin holds. */
export function readBits(bits: BackwardBits, count: number): number {
  const left = bits.left - count;
  bits.left = left;
  return (bits.view.getUint32(bits.start + (left >> 3), true) >>> (left & 7)) & ((1 << count) - 1);
}
