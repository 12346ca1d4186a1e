/** Waiting between two looks at something that tells nobody when it changes. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";

/** @throws Failure INTERRUPTED when `signal` ends the wait */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw new Failure("INTERRUPTED", "interrupted while waiting", { cause });
  }
}
