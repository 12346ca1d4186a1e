/** Whether processes that are not children of the test have ended. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A zombie has ended: nobody but its parent, who may be slow, is to do anything about it. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    // Not there, or reaped between open and read.
    return false;
  }
}

/** As long as the slowest machine may take; a process that stays is told. */
export async function untilDead(...pids: readonly number[]): Promise<void> {
  for (let look = 0; pids.some(isAlive); look += 1) {
    assert.ok(look < 6000, `of processes ${pids.join(", ")} ${pids.filter(isAlive).join(", ")} does not end`);
    await sleep(10);
  }
}
