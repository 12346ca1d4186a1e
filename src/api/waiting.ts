/** Waiting between two looks at something that tells nobody when it changes, or not always. */
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

/** What wakes somebody who waits: a wake-up that comes between two waits ends the next one at once. */
export class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Until it is rung, for so many milliseconds at most. @throws Failure INTERRUPTED when `signal` ends the wait */
  async wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const controller = new AbortController();
    this.#wake = () => controller.abort();
    if (this.#isRung) controller.abort();
    const either = signal === undefined ? controller.signal : AbortSignal.any([controller.signal, signal]);
    try {
      await pause(milliseconds, either);
    } catch (error) {
      if (signal?.aborted === true) throw error;
    } finally {
      this.#wake = undefined;
      this.#isRung = false;
    }
  }
}
