/**
 * Compresses to zstd (RFC 8878), in threads: independent frames of fixed blocks, so that the bytes depend on the input alone.
 * The encoder is WebAssembly and sees only what we made ourselves; reading is zstd.ts.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { Failure } from "../base/failure.ts";
import { blocksOf, inOrder } from "./blocks.ts";

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

/** Each holds some 30 MiB. */
const mostThreads = 2;
/** Readers refuse what expands 200 times (ACI-12); a frame that would come near is followed by filling. */
const mostRatio = 128;

/** Same bytes for any chunking of `source` and any number of threads. @throws whatever `source` throws */
export async function* zstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const threads: Thread[] = [];
  const block = Buffer.allocUnsafeSlow(zstdParameters.block);
  const limit = Math.min(availableParallelism(), mostThreads);
  const compress = async (content: Uint8Array): Promise<Uint8Array> => {
    const { length } = content;
    return filled(await idle(threads).compress(content), length);
  };
  try {
    // No more blocks than threads: one is idle whenever there is a block, and copies it before the next is gathered.
    yield* inOrder(orEmptyBlock(blocksOf(source, block.length, () => block)), compress, limit);
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
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

function idle(threads: Thread[]): Thread {
  const found = threads.find((thread) => thread.isIdle());
  if (found !== undefined) return found;
  const thread = startThread();
  threads.push(thread);
  return thread;
}

interface Thread {
  isIdle(): boolean;
  /** Copies `content` at once; only of an idle thread. */
  compress(content: Uint8Array): Promise<Uint8Array>;
  close(): Promise<unknown>;
}

/** Content lies in memory that is shared: a buffer that is handed over for each block would wait there to be collected. */
function startThread(): Thread {
  const { block, level } = zstdParameters;
  const shared = new Uint8Array(new SharedArrayBuffer(block));
  // In the bundle its name ends in .cjs, as those of all chunks do; scripts/build.mjs makes it.
  const worker = new Worker(new URL("./zstd-worker.js", import.meta.url), { workerData: { shared, level } });
  let job: { readonly resolve: (frame: Uint8Array) => void; readonly reject: (error: unknown) => void } | undefined;
  const answer = (settle: "resolve" | "reject", value: unknown): void => {
    const { resolve, reject } = job ?? {};
    job = undefined;
    if (settle === "resolve" && value instanceof Uint8Array) resolve?.(value);
    else reject?.(new Failure("INTERNAL", "the zstd encoder failed", { cause: value }));
  };
  worker.on("message", (frame) => answer("resolve", frame));
  worker.on("error", (cause) => answer("reject", cause));
  return {
    isIdle: () => job === undefined,
    compress: (content) => {
      shared.set(content);
      worker.postMessage(content.length);
      return new Promise((resolve, reject) => {
        job = { resolve, reject };
      });
    },
    close: () => worker.terminate(),
  };
}
