/** Rounds of one target in a thread of its own, so that one that never ends is seen from outside (run.ts). */
import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { inputOf, targetOf } from "./targets.ts";

export interface Work {
  readonly target: string;
  readonly seed: number;
  readonly rounds: number;
  /** [0]: the round that runs; [1]: 1 to stop. */
  readonly shared: Int32Array;
}

export interface Crash {
  readonly round: number;
  readonly why: string;
}

const { target, seed, rounds, shared }: Work = workerData;

async function work(): Promise<Crash | undefined> {
  const { check } = targetOf(target);
  for (let round = 0; round < rounds && Atomics.load(shared, 1) === 0; round++) {
    Atomics.store(shared, 0, round);
    try {
      await check(inputOf(target, seed, round));
    } catch (error) {
      return { round, why: inspect(error) };
    }
  }
  return undefined;
}

work().then(
  (crash) => parentPort?.postMessage({ crash }),
  (error: unknown) => parentPort?.postMessage({ crash: { round: -1, why: inspect(error) } }),
);
