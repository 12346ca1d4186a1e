/** stop: asks pods to end, and ends them. */
import { steadyNow } from "../base/clock.ts";
import { Failure } from "../base/failure.ts";
import { killPodCgroups, sendSignal } from "../pod/gc.ts";
import { type FoundPod, findPod, podsOf, resolvePod } from "../pod/pod.ts";
import { isAlive, readInit, readSupervisor } from "../pod/record.ts";
import type { Settings } from "./settings.ts";
import { pause } from "./waiting.ts";

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

/**
 * Asks each pod to end; after `timeout` it is killed. Pods that already ended are no error.
 * @throws Failure NOT_FOUND, AMBIGUOUS, WRONG_STATE before any is asked; LOCKED for one that does not end even so
 */
export async function stopPods(settings: Settings, options: StopOptions): Promise<readonly StoppedPod[]> {
  const root = podsOf(settings.directories.data);
  const pods = new Map(options.pods.map((text) => resolvePod(root, text)).map((pod) => [pod.uuid, pod]));
  for (const { uuid, state } of pods.values()) {
    if (state === "preparing") {
      throw new Failure("WRONG_STATE", `pod ${uuid} is still being prepared`, {
        subject: uuid,
        hint: "try again when it runs",
      });
    }
  }
  return await Promise.all([...pods.values()].map((pod) => stopPod(root, pod, options)));
}

async function stopPod(root: string, pod: FoundPod, options: StopOptions): Promise<StoppedPod> {
  const { uuid } = pod;
  if (pod.state !== "running") return { uuid, killed: false };
  if (!options.force) {
    const deadline = steadyNow() + options.timeoutMs;
    let isTold = false;
    while (steadyNow() < deadline) {
      // A pod that has only just begun has no init yet that could be told.
      if (!isTold) isTold = tell(pod, "SIGTERM");
      if (hasEnded(root, uuid)) return { uuid, killed: false };
      await pause(20, options.signal);
    }
  }
  await kill(root, pod, options.signal);
  return { uuid, killed: true };
}

/** Tries of 20 ms: how long a supervisor has to clear up after its pod, and how long everything may take. */
const tries = { supervisor: 250, all: 500 };

/**
 * The end of init is the end of everything in its pid namespace; the supervisor then writes what it saw and gives up the lock. One that
 * does not is killed as well: what it leaves of the pod, gc clears up. A pod that does not say who its init is has its cgroups killed (LIFE-31).
 */
async function kill(root: string, pod: FoundPod, signal: AbortSignal | undefined): Promise<void> {
  for (let attempt = 0; attempt < tries.all; attempt++) {
    const hasInit = tell(pod, "SIGKILL");
    if (hasEnded(root, pod.uuid)) return;
    // Nobody says who init is: the pod has only just begun, or its file is damaged.
    if (readInit(pod.directory) === undefined) await killPodCgroups(pod.directory);
    if (!hasInit && attempt >= tries.supervisor) tellSupervisor(pod, "SIGKILL");
    await pause(20, signal);
  }
  throw new Failure("LOCKED", `pod ${pod.uuid} was killed but does not end`, {
    subject: pod.uuid,
    hint: "perigee list shows its state; try again later",
  });
}

/** Whether there was somebody to tell. A supervisor that somebody stopped could not see the end, so it goes on. */
function tell(pod: FoundPod, signal: "SIGTERM" | "SIGKILL"): boolean {
  tellSupervisor(pod, "SIGCONT");
  const init = readInit(pod.directory);
  if (init === undefined || !isAlive(init)) return false;
  sendSignal(init.pid, signal);
  return true;
}

function tellSupervisor(pod: FoundPod, signal: "SIGCONT" | "SIGKILL"): void {
  const supervisor = readSupervisor(pod.directory);
  if (supervisor !== undefined && isAlive(supervisor)) sendSignal(supervisor.pid, signal);
}

/** Only looks: a lock taken exclusively would make the pod look as if it ran, to everybody else. */
function hasEnded(root: string, uuid: string): boolean {
  return findPod(root, uuid)?.state !== "running";
}
