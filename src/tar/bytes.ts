/** Reads a chunked source by length: few awaits, no copy while what is asked for lies in one chunk. Knows nothing of tar. */
import { Failure } from "../base/failure.ts";
import type { Content } from "./entry.ts";

export interface ByteReader {
  /** Exactly `length` bytes if they are at hand with `fill` behind them, which are passed over: most are, and a promise for each would cost more than all the rest. */
  takeNow(length: number, fill?: number): Buffer | undefined;
  /** Exactly `length` bytes; undefined when the source ended before the first. @throws Failure ARCHIVE_INVALID when it ends within */
  take(length: number): Promise<Buffer | undefined>;
  /** 1 to `length` bytes as they lie; undefined at the end. The view stays valid only as long as the source keeps its chunk. */
  some(length: number): Promise<Buffer | undefined>;
  /** Passes over `length` bytes. @throws Failure ARCHIVE_INVALID when the source ends within */
  skip(length: number): Promise<void>;
  /** Bytes handed out or passed over so far. */
  consumed(): number;
  /** Tells the source that no more is wanted. */
  close(): Promise<void>;
  /** Gives back what takeNow took since `consumed` was this, and nothing else was asked for. */
  rewind(consumed: number): void;
}

export function byteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let chunk: Buffer = Buffer.alloc(0);
  /** What of `chunk` was handed out, and how much had been before it. */
  let at = 0;
  let before = 0;
  let isDone = false;

  /** Makes something of `chunk` be left; false at the end. */
  async function fill(): Promise<boolean> {
    while (at === chunk.length && !isDone) {
      const next = await iterator.next();
      before += chunk.length;
      at = 0;
      const bytes = next.done === true ? none : next.value;
      chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      isDone = next.done === true;
    }
    return at < chunk.length;
  }

  function cut(length: number): Buffer {
    const start = at;
    at = Math.min(start + length, chunk.length);
    return chunk.subarray(start, at);
  }

  const takeNow = (length: number, fill = 0): Buffer | undefined => {
    if (chunk.length - at < length + fill) return undefined;
    const start = at;
    at += length + fill;
    return chunk.subarray(start, start + length);
  };

  async function take(length: number): Promise<Buffer | undefined> {
    if (chunk.length - at >= length) return cut(length);
    if (!(await fill())) return undefined;
    if (chunk.length - at >= length) return cut(length);
    const pieces: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      if (!(await fill())) throw truncated();
      const piece = cut(missing);
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces, length);
  }

  async function skip(length: number): Promise<void> {
    for (let missing = length; missing > 0; ) {
      if (at === chunk.length && !(await fill())) throw truncated();
      missing -= cut(missing).length;
    }
  }

  return {
    takeNow,
    take,
    some: async (length) => (at < chunk.length || (await fill()) ? cut(length) : undefined),
    skip,
    consumed: () => before + at,
    close: async () => {
      if (!isDone) await iterator.return?.();
      isDone = true;
    },
    rewind: (consumed) => {
      at = consumed - before;
    },
  };
}

const none = Buffer.alloc(0);

/** Content that is at hand, as a body that is empty when it is read again. */
export class WholeBody implements Content {
  readonly whole: Buffer;
  #isGiven = false;

  constructor(whole: Buffer) {
    this.whole = whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#isGiven || this.whole.length === 0) return;
    this.#isGiven = true;
    yield this.whole;
  }

  /** It is the next entry's turn: nothing is given any more. */
  drop(): void {
    this.#isGiven = true;
  }
}

/** F01, F02: the source ended in the middle of something. */
export function truncated(): Failure {
  return new Failure("ARCHIVE_INVALID", "the archive ends in the middle of an entry", {
    hint: "fetch or build it again: it was cut off",
  });
}
