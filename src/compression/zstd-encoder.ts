/**
 * Compresses to zstd (RFC 8878), beside the main thread: independent frames of fixed blocks, so that the bytes depend on the
 * input alone. One thread: a second would take another 25 MiB, and the limit for a build is 150 MB.
 * The encoder is WebAssembly and sees only what we made ourselves; reading is zstd.ts.
 */
import { Worker } from "node:worker_threads";
import { Failure } from "../base/failure.ts";
import { blocksOf } from "./blocks.ts";

export interface ZstdParameters {
  readonly kind: "zstd";
  readonly level: number;
  /** Bytes of content of one frame. */
  readonly block: number;
  readonly encoder: string;
}

/** What the bytes depend on besides the input. */
export const zstdParameters: ZstdParameters = {
  kind: "zstd",
  level: 3,
  block: 4 * 1024 * 1024,
  encoder: "@bokuweb/zstd-wasm 0.0.27",
};

/** Readers refuse what expands 200 times (ACI-12); a frame that would come near is followed by filling. */
const mostRatio = 128;

/**
 * Same bytes for any chunking of `source`. What is yielded stays as it is until the next is asked for.
 * @throws whatever `source` throws
 */
export async function* zstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const thread = startThread();
  try {
    let frame: Promise<Uint8Array> | undefined;
    // One block is gathered while the one before it is compressed.
    for await (const block of orEmptyBlock(blocksOf(source, zstdParameters.block, () => thread.nextBlock()))) {
      if (frame !== undefined) yield await frame;
      frame = thread.compress(block.length);
      frame.catch(() => {}); // met when its turn comes
    }
    if (frame !== undefined) yield await frame;
  } finally {
    await thread.close();
  }
}

/** Nothing is one empty frame: no bytes at all would be no zstd. */
async function* orEmptyBlock(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isEmpty = true;
  for await (const block of blocks) {
    isEmpty = false;
    yield block;
  }
  if (isEmpty) yield new Uint8Array();
}

const skippable = 0x184d2a50;
const skippableHeader = 8;

/** `frame` of `length` bytes of content and, where it is much smaller than those, a skippable frame of zeros behind it. */
export function filled(frame: Uint8Array, length: number): Uint8Array {
  const missing = Math.ceil(length / mostRatio) - frame.length;
  if (missing <= 0) return frame;
  const filling = Buffer.alloc(Math.max(missing, skippableHeader));
  filling.writeUInt32LE(skippable, 0);
  filling.writeUInt32LE(filling.length - skippableHeader, 4);
  return Buffer.concat([frame, filling]);
}

interface Thread {
  /** Memory for the content of the next frame. There are two such, in turn. */
  nextBlock(): Buffer;
  /**
   * A frame of the first `length` bytes of the block that was given last. It lies in the thread's memory until the next call,
   * which must not come before it was given.
   */
  compress(length: number): Promise<Uint8Array>;
  close(): Promise<unknown>;
}

/** Both ways through memory that is shared: a buffer that is handed over for each block would wait on the other side to be collected. */
function startThread(): Thread {
  const { block, level } = zstdParameters;
  const contents = [new SharedArrayBuffer(block), new SharedArrayBuffer(block)].map((memory) => Buffer.from(memory));
  // What cannot be compressed grows by a 256th and the headers.
  const frame = new Uint8Array(new SharedArrayBuffer(block + block / 128));
  // In the bundle its name ends in .cjs, as those of all chunks do; scripts/build.mjs makes it.
  const worker = new Worker(new URL("./zstd-worker.js", import.meta.url), { workerData: { contents, frame, level } });
  let current = 0;
  let job: { readonly resolve: (frame: Uint8Array) => void; readonly reject: (error: unknown) => void } | undefined;
  const fail = (cause: unknown): void => job?.reject(new Failure("INTERNAL", "the zstd encoder failed", { cause }));
  worker.on("message", (length) => job?.resolve(frame.subarray(0, Number(length))));
  worker.on("error", fail);
  return {
    nextBlock: () => {
      current = 1 - current;
      return contents[current] ?? Buffer.alloc(block);
    },
    compress: async (length) => {
      const made = new Promise<Uint8Array>((resolve, reject) => {
        job = { resolve, reject };
      });
      worker.postMessage({ which: current, length });
      return filled(await made, length);
    },
    close: () => worker.terminate(),
  };
}
