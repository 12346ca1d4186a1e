/** list, status, rm: what pods there are and what became of them. */
import { Failure } from "../base/failure.ts";
import { removePod } from "../pod/gc.ts";
import { findPods, noSuchPod, podsOf, resolvePod } from "../pod/pod.ts";
import { type PodStatus, statusOf } from "../pod/status.ts";
import type { Settings } from "./settings.ts";
import { pause } from "./waiting.ts";

export type { PodStatus } from "../pod/status.ts";

/** Every pod but embryos and garbage, oldest first. */
export async function listPods(settings: Settings): Promise<readonly PodStatus[]> {
  const root = podsOf(settings.directories.data);
  const pods = findPods(root).map((pod) => statusOf(root, pod));
  const found = pods.filter((pod) => pod !== undefined);
  for (const { uuid, problem } of found) {
    if (problem !== undefined)
      settings.log.warn(`pod ${uuid} is damaged: ${problem}; perigee gc removes it when it has ended`);
  }
  return found.sort((a, b) => order(a.createdAt, b.createdAt) || order(a.uuid, b.uuid));
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

export interface StatusOptions {
  /** A uuid or a unique prefix of it. */
  readonly pod: string;
  /** Wait until the pod has ended: for ever, or this many milliseconds. */
  readonly wait?: "forever" | number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure NOT_FOUND, also when the pod is removed while it is waited for; AMBIGUOUS, WAIT_TIMED_OUT, INTERRUPTED */
export async function podStatus(settings: Settings, options: StatusOptions): Promise<PodStatus> {
  const root = podsOf(settings.directories.data);
  const { uuid } = resolvePod(root, options.pod);
  const deadline =
    options.wait === "forever" || options.wait === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.wait;
  for (;;) {
    const status = statusOf(root, resolvePod(root, uuid));
    if (status === undefined) throw noSuchPod(uuid);
    const isOver = status.state !== "running" && status.state !== "preparing" && status.state !== "prepared";
    if (options.wait === undefined || isOver) return status;
    if (Date.now() >= deadline) {
      throw new Failure("WAIT_TIMED_OUT", `pod ${uuid} is still ${status.state}`, {
        subject: uuid,
        hint: `perigee stop ${uuid}`,
      });
    }
    // The lock has no waiter without a process that blocks in flock(2); a look every 50 ms costs less.
    await pause(50, options.signal);
  }
}

export interface RemovedPod {
  readonly uuid: string;
}

/**
 * Removes pods that do not run, at once.
 * @throws Failure NOT_FOUND, AMBIGUOUS before any is removed; WRONG_STATE, LOCKED for one that cannot be: the ones before it are removed
 */
export async function removePods(
  settings: Settings,
  options: { readonly pods: readonly string[] },
): Promise<readonly RemovedPod[]> {
  const root = podsOf(settings.directories.data);
  const found = new Map(options.pods.map((text) => resolvePod(root, text)).map((pod) => [pod.uuid, pod]));
  const removed: RemovedPod[] = [];
  for (const pod of found.values()) {
    await removePod(settings.directories.data, root, pod);
    removed.push({ uuid: pod.uuid });
  }
  return removed;
}
