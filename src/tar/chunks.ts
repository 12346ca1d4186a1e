/** Gathers headers and small bodies in large chunks: a pipe or a hash is not woken, and no buffer made, for every one of them. */
import { blockSize } from "./entry.ts";

const chunkSize = 256 * 1024;

export class Chunks {
  #full: Uint8Array[] = [];
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkSize);
  #used = 0;

  /** Copies `bytes`, or keeps them as they are when they are many. */
  put(bytes: Uint8Array): void {
    if (bytes.length > chunkSize - this.#used) this.flush();
    if (bytes.length > chunkSize / 2) {
      if (this.#used > 0) this.flush();
      this.#full.push(bytes);
      return;
    }
    this.#chunk.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** As put, a short text of one byte a character. */
  putText(text: string): void {
    if (text.length > chunkSize - this.#used) this.flush();
    this.#used += this.#chunk.write(text, this.#used, "latin1");
  }

  /** Zeros that fill a body of `size` bytes to a block. */
  pad(size: number): void {
    const missing = (blockSize - (size % blockSize)) % blockSize;
    if (missing > chunkSize - this.#used) this.flush();
    this.#chunk.fill(0, this.#used, this.#used + missing);
    this.#used += missing;
  }

  /** Ends the chunk at hand. */
  flush(): void {
    if (this.#used === 0) return;
    this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = Buffer.allocUnsafeSlow(chunkSize);
    this.#used = 0;
  }

  hasFull(): boolean {
    return this.#full.length > 0;
  }

  /** The chunks that have ended; they belong to the caller. */
  takeFull(): readonly Uint8Array[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }
}
