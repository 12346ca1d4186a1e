/** stop: asks pods to end, and ends them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { type FoundPod, openPods, Pod, resolvePod } from "../pod/pod.ts";
import { isAlive, readInit } from "../pod/record.ts";
import type { Settings } from "./settings.ts";

export interface StopOptions {
  /** uuids or unique prefixes. */
  readonly pods: readonly string[];
  /** Kill at once. */
  readonly force: boolean;
  /** After this many milliseconds what still runs is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StoppedPod {
  readonly uuid: string;
  /** Whether it had to be killed. */
  readonly killed: boolean;
}

/** Asks each pod to end; after `timeout` it is killed. Pods that already ended are no error. */
export async function stopPods(settings: Settings, options: StopOptions): Promise<readonly StoppedPod[]> {
  const root = openPods(settings.directories.data);
  const pods = options.pods.map((pod) => resolvePod(root, pod));
  for (const pod of pods) {
    if (pod.state === "preparing") {
      throw new Failure("WRONG_STATE", `pod ${pod.uuid} is still being prepared`, {
        subject: pod.uuid,
        hint: "try again when it runs",
      });
    }
  }
  return await Promise.all(pods.map((pod) => stopPod(root, pod, options)));
}

async function stopPod(root: string, pod: FoundPod, options: StopOptions): Promise<StoppedPod> {
  if (pod.state !== "running") return { uuid: pod.uuid, killed: false };
  const deadline = Date.now() + (options.force ? 0 : options.timeoutMs);
  if (!options.force) tell(pod, "SIGTERM");
  while (Date.now() < deadline) {
    if (hasEnded(root, pod)) return { uuid: pod.uuid, killed: false };
    await sleep(20, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
  await kill(root, pod);
  return { uuid: pod.uuid, killed: true };
}

/** The end of init is the end of everything in its pid namespace; the supervisor then writes what it saw and gives up the lock. */
async function kill(root: string, pod: FoundPod): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (hasEnded(root, pod)) return;
    tell(pod, "SIGKILL");
    await sleep(20);
  }
  throw new Failure("LOCKED", `pod ${pod.uuid} was killed but does not end`, { subject: pod.uuid });
}

function tell(pod: FoundPod, signal: "SIGTERM" | "SIGKILL"): void {
  const init = readInit(pod.directory);
  if (init !== undefined && isAlive(init)) process.kill(init.pid, signal);
}

function hasEnded(root: string, pod: FoundPod): boolean {
  const held = Pod.take(root, pod.uuid, "run");
  held?.release();
  return held !== undefined || resolvePod(root, pod.uuid).state !== "running";
}
