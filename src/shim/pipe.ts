/** Bytes through a pipe of the kernel's, in large pieces and off the main thread. Knows nothing of who is at the other end. */
import { close, read, write } from "node:fs";
import { promisify } from "node:util";
import { errnoOf } from "../base/failure.ts";

const [readSome, writeSome, closeEnd] = [promisify(read), promisify(write), promisify(close)];

/** A buffer serves several reads until less than this is left of it. */
const leastRoom = 128 * 1024;
const bufferSize = 1024 * 1024;

export interface PipeReader extends AsyncIterable<Uint8Array> {
  /** Only when whoever writes has ended or is about to be: a read that is on its way is waited for, or its descriptor could be another's. */
  close(): Promise<void>;
}

/** All that comes out of `fd`, which is closed in the end. While one piece is looked at, the next is read. */
export function readPipe(fd: number): PipeReader {
  let buffer = Buffer.allocUnsafeSlow(bufferSize);
  let used = 0;
  let isOpen = true;
  let reading: Promise<Uint8Array> | undefined;
  const readNext = async (): Promise<Uint8Array> => {
    if (buffer.length - used < leastRoom) {
      buffer = Buffer.allocUnsafeSlow(bufferSize);
      used = 0;
    }
    const { bytesRead } = await readSome(fd, buffer, used, buffer.length - used, null);
    const piece = buffer.subarray(used, used + bytesRead);
    used += bytesRead;
    return piece;
  };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (reading = readNext(); ; ) {
      const piece = await reading;
      if (piece.length === 0) return;
      reading = readNext();
      reading.catch(() => {}); // met when its turn comes, or by close()
      yield piece;
    }
  }
  return {
    [Symbol.asyncIterator]: pieces,
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await reading?.catch(() => {});
      await closeEnd(fd);
    },
  };
}

/**
 * Writes all of `source` into `fd` and closes it. While one piece is written the next is made. A reader that is gone is no error:
 * why it went is told by somebody else.
 * @throws whatever `source` throws
 */
export async function writePipe(fd: number, source: AsyncIterable<Uint8Array>): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const piece of source) {
      await writing;
      writing = writeAll(fd, piece);
      writing.catch(() => {}); // met when its turn comes
    }
    await writing;
  } catch (error) {
    if (errnoOf(error) !== "EPIPE") throw error;
  } finally {
    await writing.catch(() => {});
    await closeEnd(fd);
  }
}

async function writeAll(fd: number, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await writeSome(fd, piece, at, piece.length - at, null)).bytesWritten;
}
