/** Runs rounds of a target, and ends those that hang. */
import { Worker } from "node:worker_threads";
import type { Crash, Work } from "./worker.ts";

export interface FuzzOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Ends after the round that runs then. */
  readonly milliseconds: number;
  /** But not before so many rounds, however slow the machine is. */
  readonly atLeast?: number;
}

export interface FuzzResult {
  readonly rounds: number;
  readonly crash: Crash | undefined;
}

/** No input needs so long, on the slowest machine. */
const hangMilliseconds = 20_000;

export function fuzz(target: string, { seed, rounds, milliseconds, atLeast = 0 }: FuzzOptions): Promise<FuzzResult> {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  Atomics.store(shared, 0, -1);
  const work: Work = { target, seed, rounds, shared };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: work });
  const began = Date.now();
  return new Promise((resolve, reject) => {
    let last = -1;
    let since = began;
    const finish = (crash: Crash | undefined): void => {
      clearInterval(watch);
      resolve({ rounds: Atomics.load(shared, 0) + 1, crash });
      void worker.terminate();
    };
    const watch = setInterval(() => {
      const round = Atomics.load(shared, 0);
      if (round !== last) {
        last = round;
        since = Date.now();
      }
      if (Date.now() - began > milliseconds && round + 1 >= atLeast) Atomics.store(shared, 1, 1);
      if (Date.now() - since > hangMilliseconds) finish({ round, why: `no end after ${hangMilliseconds} ms` });
    }, 100);
    worker.once("message", ({ crash }: { readonly crash: Crash | undefined }) => finish(crash));
    worker.once("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
  });
}
