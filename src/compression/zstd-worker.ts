/**
 * A thread that makes one zstd frame of what lies in a shared block whenever it is told to, into another shared block.
 * Started by zstd-encoder.ts alone.
 */
import { MessageChannel, parentPort, workerData } from "node:worker_threads";
import { compress, init } from "@bokuweb/zstd-wasm";
import { xxh64 } from "./xxh64.ts";

const ready = init();

interface Shared {
  readonly contents: readonly Uint8Array[];
  readonly frame: Uint8Array;
  readonly level: number;
}

const { contents, frame, level }: Shared = workerData;

parentPort?.on("message", async ({ which, length }: { readonly which: number; readonly length: number }) => {
  await ready;
  const block = contents[which]?.subarray(0, length) ?? new Uint8Array();
  const made = compress(block, level);
  const size = placeWithChecksum(made, block);
  free(made);
  parentPort?.postMessage(size);
});

/** The library leaves out the sum of the content, by which every reader sees a frame that was damaged. @returns bytes of the frame */
function placeWithChecksum(made: Uint8Array, block: Uint8Array): number {
  frame.set(made);
  const descriptor = 4;
  const hasChecksum = 4;
  frame[descriptor] = (frame[descriptor] ?? 0) | hasChecksum;
  const sum = xxh64();
  sum.update(block);
  new DataView(frame.buffer).setUint32(made.length, sum.digest(), true);
  return made.length + 4;
}

const { port1: sender, port2: nobody } = new MessageChannel();
nobody.close();

/** A buffer that is handed to nobody is gone at once. Left to V8, 64 MiB of them gather before it looks. */
function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) sender.postMessage(buffer, [buffer]);
}
