/** Reads a chunked source by length: few awaits, no copy while what is asked for lies in one chunk. Knows nothing of tar. */
import { Failure } from "../base/failure.ts";
import type { Content } from "./entry.ts";

export interface ByteReader {
  /** Exactly `length` bytes if they are at hand: most are, and a promise for each would cost more than all the rest. */
  takeNow(length: number): Buffer | undefined;
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
}

export function byteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let chunk: Buffer = Buffer.alloc(0);
  let isDone = false;
  let consumed = 0;

  /** Makes `chunk` not empty; false at the end. */
  async function fill(): Promise<boolean> {
    while (chunk.length === 0 && !isDone) {
      const next = await iterator.next();
      if (next.done === true) isDone = true;
      else chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    }
    return chunk.length > 0;
  }

  function cut(length: number): Buffer {
    const piece = chunk.subarray(0, length);
    chunk = chunk.subarray(length);
    consumed += piece.length;
    return piece;
  }

  const takeNow = (length: number): Buffer | undefined => (chunk.length >= length ? cut(length) : undefined);

  async function take(length: number): Promise<Buffer | undefined> {
    if (chunk.length >= length) return cut(length);
    if (!(await fill())) return undefined;
    if (chunk.length >= length) return cut(length);
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
      if (chunk.length === 0 && !(await fill())) throw truncated();
      missing -= cut(missing).length;
    }
  }

  return {
    takeNow,
    take,
    some: async (length) => (chunk.length > 0 || (await fill()) ? cut(length) : undefined),
    skip,
    consumed: () => consumed,
    close: async () => {
      if (!isDone) await iterator.return?.();
      isDone = true;
    },
  };
}

export interface WholeBody extends Content {
  /** It is the next entry's turn: nothing is given any more. */
  drop(): void;
}

/** Content that is at hand, as a body that is empty when it is read again. */
export function wholeBody(whole: Buffer): WholeBody {
  let isGiven = false;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    if (isGiven || whole.length === 0) return;
    isGiven = true;
    yield whole;
  }
  const drop = (): void => {
    isGiven = true;
  };
  return { whole, drop, [Symbol.asyncIterator]: pieces };
}

/** F01, F02: the source ended in the middle of something. */
export function truncated(): Failure {
  return new Failure("ARCHIVE_INVALID", "the archive ends in the middle of an entry", {
    hint: "fetch or build it again: it was cut off",
  });
}
