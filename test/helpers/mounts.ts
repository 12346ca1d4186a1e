/** The mounts of the machine, which other programs change as well. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isOfAnotherTest } from "./leak-check.ts";

export function mountLines(): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
}

/** The mount point is the fifth word (proc_pid_mountinfo(5)). */
const pointOf = (line: string): string => line.split(" ")[4] ?? "";

/** What others mount beside a test goes again, and another test's is that one's; what a pod left would stay for ever. */
export async function assertNoMountLeft(before: readonly string[]): Promise<void> {
  const further = () => mountLines().filter((line) => !before.includes(line) && !isOfAnotherTest(pointOf(line)));
  for (let look = 0; look < 3000 && further().length > 0; look++) await sleep(20);
  assert.deepEqual(further(), []);
}
