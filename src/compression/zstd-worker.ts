/** A thread that makes one zstd frame of what lies in its shared block whenever it is told to. Started by zstd-encoder.ts alone. */
import { parentPort, workerData } from "node:worker_threads";
import { compress, init } from "@bokuweb/zstd-wasm";
import { xxh64 } from "./xxh64.ts";

const ready = init();

const { shared, level }: { readonly shared: Uint8Array; readonly level: number } = workerData;

parentPort?.on("message", async (length: number) => {
  await ready;
  const block = shared.subarray(0, length);
  const frame = withChecksum(compress(block, level), block);
  parentPort?.postMessage(frame, [frame.buffer]);
});

/** The library leaves out the sum of the content, by which every reader sees a frame that was damaged. */
function withChecksum(frame: Uint8Array, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(frame.length + 4);
  whole.set(frame);
  const descriptor = 4;
  const hasChecksum = 4;
  whole[descriptor] = (whole[descriptor] ?? 0) | hasChecksum;
  const sum = xxh64();
  sum.update(content);
  new DataView(whole.buffer).setUint32(frame.length, sum.digest(), true);
  return whole;
}
