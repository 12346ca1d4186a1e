/** Exact numbers of bytes from a stream of chunks of any size. Knows nothing of what they mean. */

export interface Body extends AsyncIterable<Uint8Array> {
  /** All of it, when it was at hand already. */
  readonly whole?: Uint8Array;
  isConsumed(): boolean;
}

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next `size` bytes if they are here already. */
  takeNow(size: number): Buffer | undefined {
    if (this.#rest.length < size) return undefined;
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  /** The next `size` bytes, or undefined when the source ends before. */
  async take(size: number): Promise<Buffer | undefined> {
    if (this.#rest.length < size) {
      const parts = [this.#rest];
      for (let missing = size - this.#rest.length; missing > 0; ) {
        const { done, value } = await this.#chunks.next();
        if (done === true) return undefined;
        parts.push(asBuffer(value));
        missing -= value.length;
      }
      this.#rest = Buffer.concat(parts);
    }
    return this.takeNow(size);
  }

  /** The next `size` bytes as they come; a second pass goes on where the first stopped. `onShort` throws when the source ends before. */
  body(size: bigint, onShort: () => Promise<never>): Body {
    if (size <= this.#rest.length) return new Whole(this.takeNow(Number(size)) ?? none);
    let left = size;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (left === 0n) return { done: true, value: undefined };
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done === true) return onShort();
        this.#rest = asBuffer(value);
      }
      const size = left < this.#rest.length ? Number(left) : this.#rest.length;
      const value = this.#rest.subarray(0, size);
      this.#rest = this.#rest.subarray(size);
      left -= BigInt(size);
      return { done: false, value };
    };
    return { [Symbol.asyncIterator]: () => ({ next }), isConsumed: () => left === 0n };
  }
}

const none = Buffer.alloc(0);

/** A body that has left the reader: nobody has to consume it. */
class Whole implements Body {
  readonly whole: Uint8Array;
  #isGiven = false;

  constructor(whole: Uint8Array) {
    this.whole = whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (!this.#isGiven && this.whole.length > 0) {
      this.#isGiven = true;
      yield this.whole;
    }
  }

  isConsumed(): boolean {
    return true;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
