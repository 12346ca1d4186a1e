/** The content of one entry of an archive that is being read, with what fills it to a block. */
import { type ByteReader, truncated, WholeBody } from "./bytes.ts";
import { blockSize, type Content } from "./entry.ts";

export interface MemberBody {
  readonly body: Content;
  /** Whether finish() has to wait. */
  readonly isPending: boolean;
  /** Passes over what was not consumed. */
  finish(): Promise<void> | undefined;
}

/** A body that is at hand with what fills it. */
export function wholeBodyOf(reader: ByteReader, size: number): MemberBody | undefined {
  const bytes = reader.takeNow(size, fillOf(size));
  if (bytes === undefined) return undefined;
  const body = new WholeBody(bytes);
  return { body, isPending: false, finish: () => void body.drop() };
}

export function bodyOf(reader: ByteReader, size: number): MemberBody {
  let remaining = size;
  let isFinished = false;
  async function* read(): AsyncGenerator<Uint8Array> {
    while (remaining > 0) {
      const piece = await reader.some(remaining);
      if (piece === undefined) throw truncated();
      remaining -= piece.length;
      yield piece;
    }
  }
  const finish = async (): Promise<void> => {
    if (isFinished) return;
    const rest = remaining + fillOf(size);
    remaining = 0;
    isFinished = true;
    await reader.skip(rest);
  };
  return { body: read(), isPending: true, finish };
}

/** Bytes that fill a body of `size` to a whole block. */
export function fillOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}
