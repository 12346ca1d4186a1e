/** list, status, rm: what pods there are and what became of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { removePod } from "../pod/gc.ts";
import { findPods, openPods, resolvePod } from "../pod/pod.ts";
import { type PodStatus, statusOf } from "../pod/status.ts";
import type { Settings } from "./settings.ts";

export type { PodStatus } from "../pod/status.ts";

/** Every pod but embryos and garbage, oldest first. */
export async function listPods(settings: Settings): Promise<readonly PodStatus[]> {
  const pods = findPods(openPods(settings.directories.data)).map(statusOf);
  return pods.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

export interface StatusOptions {
  /** A uuid or a unique prefix of it. */
  readonly pod: string;
  /** Wait until the pod has ended: for ever, or this many milliseconds. */
  readonly wait?: "forever" | number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure NOT_FOUND, AMBIGUOUS, WAIT_TIMED_OUT */
export async function podStatus(settings: Settings, options: StatusOptions): Promise<PodStatus> {
  const root = openPods(settings.directories.data);
  const { uuid } = resolvePod(root, options.pod);
  const deadline =
    options.wait === "forever" || options.wait === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.wait;
  for (;;) {
    const status = statusOf(resolvePod(root, uuid));
    const isOver = status.state !== "running" && status.state !== "preparing" && status.state !== "prepared";
    if (options.wait === undefined || isOver) return status;
    if (Date.now() >= deadline) {
      throw new Failure("WAIT_TIMED_OUT", `pod ${uuid} is still ${status.state}`, {
        subject: uuid,
        hint: `perigee stop ${uuid}`,
      });
    }
    // The lock has no waiter without a process that blocks in flock(2); a look every 50 ms costs less.
    await sleep(50, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

export interface RemovedPod {
  readonly uuid: string;
}

/** Removes pods that do not run, at once. @throws Failure WRONG_STATE for one that runs; the ones before it are removed */
export async function removePods(
  settings: Settings,
  options: { readonly pods: readonly string[] },
): Promise<readonly RemovedPod[]> {
  const root = openPods(settings.directories.data);
  const removed: RemovedPod[] = [];
  for (const found of options.pods.map((pod) => resolvePod(root, pod))) {
    await removePod(settings.directories.data, root, found);
    removed.push({ uuid: found.uuid });
  }
  return removed;
}
