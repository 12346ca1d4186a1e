/** Compressed bytes as one growing view: a decoder makes sure of what it needs next, then reads without waiting. */

export interface Input {
  /** What is at hand begins at `at`. Views of it stay as they are: the source's chunks are never written to. */
  bytes: Buffer;
  at: number;
  /** Whether `length` bytes are at hand, after reading on if need be. Replaces `bytes`. */
  need(length: number): Promise<boolean>;
  /** Ends the source. */
  close(): Promise<void>;
}

export function openInput(source: AsyncIterable<Uint8Array>): Input {
  const iterator = source[Symbol.asyncIterator]();
  let isDone = false;
  const input: Input = {
    bytes: Buffer.alloc(0),
    at: 0,
    async need(length) {
      const pieces: Uint8Array[] = [input.bytes.subarray(input.at)];
      let size = input.bytes.length - input.at;
      while (size < length && !isDone) {
        const next = await iterator.next();
        if (next.done === true) isDone = true;
        else {
          pieces.push(next.value);
          size += next.value.length;
        }
      }
      if (pieces.length > 1) {
        const whole = pieces.filter((piece) => piece.length > 0);
        const [only] = whole;
        input.bytes =
          whole.length === 1 && only !== undefined
            ? Buffer.from(only.buffer, only.byteOffset, only.length)
            : Buffer.concat(whole);
        input.at = 0;
      }
      return size >= length;
    },
    async close() {
      if (!isDone) await iterator.return?.();
      isDone = true;
    },
  };
  return input;
}

/** The next `length` bytes as a view; undefined when the source ends before. */
export async function take(input: Input, length: number): Promise<Buffer | undefined> {
  if (input.bytes.length - input.at < length && !(await input.need(length))) return undefined;
  input.at += length;
  return input.bytes.subarray(input.at - length, input.at);
}

/** Whether nothing is left. */
export async function isAtEnd(input: Input): Promise<boolean> {
  return input.bytes.length === input.at && !(await input.need(1));
}
