/**
 * What arrives in small pieces is written and hashed in large blocks: a call for each record of TLS costs more than the bytes of it.
 * While one block is on its way to the disk the next is filled.
 */
import { ioFailure } from "../base/files.ts";
import type { Staging } from "../store/blobs.ts";

/** Large enough for the calls not to count, small enough for the processor's cache and for few bytes to be lost with the process. */
export const blockSize = 256 * 1024;

export interface Blocks {
  /** @throws Failure DISK_FULL, IO_FAILED, also of an earlier piece */
  add(piece: Uint8Array): Promise<void>;
  /** All that was added is in the file when it resolves. */
  end(): Promise<void>;
}

/**
 * Writes to the staged archive from `position` on.
 * @param see is shown each block, in order, while it is written; its memory is used again afterwards
 */
export function writeBlocks(
  { archive, archivePath }: Pick<Staging, "archive" | "archivePath">,
  position: number,
  see: (block: Uint8Array) => void,
): Blocks {
  let [block, other] = [Buffer.allocUnsafe(blockSize), Buffer.allocUnsafe(blockSize)];
  let filled = 0;
  let at = position;
  let writing: Promise<void> = Promise.resolve();
  const write = async (bytes: Uint8Array, start: number): Promise<void> => {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await archive.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
      }
    } catch (error) {
      throw ioFailure(error, `cannot write ${archivePath}`, archivePath);
    }
  };
  const flush = async (): Promise<void> => {
    await writing;
    if (filled === 0) return;
    const bytes = block.subarray(0, filled);
    writing = write(bytes, at);
    writing.catch(() => {}); // met by whoever adds or ends next
    at += filled;
    filled = 0;
    [block, other] = [other, block];
    see(bytes);
  };
  return {
    add: async (piece) => {
      for (let taken = 0; taken < piece.length; ) {
        const part = piece.subarray(taken, taken + blockSize - filled);
        block.set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled === blockSize) await flush();
      }
    },
    end: async () => {
      await flush();
      await writing;
    },
  };
}
