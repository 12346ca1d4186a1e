/** list, status, rm: what pods there are and what became of them. */
import { steadyNow } from "../base/clock.ts";
import { excerpt, Failure } from "../base/failure.ts";
import { removePod } from "../pod/gc.ts";
import { noSuchPod, peekAtPods, podsOf, resolvePod } from "../pod/pod.ts";
import { readReadyTime } from "../pod/record.ts";
import { type PodStatus, statusOf } from "../pod/status.ts";
import { DirectoryWatch } from "../pod/watch.ts";
import type { Settings } from "./settings.ts";
import { Bell, pause } from "./waiting.ts";

export type { PodStatus } from "../pod/status.ts";

/** Every pod but embryos and garbage, oldest first. */
export async function listPods(settings: Settings): Promise<readonly PodStatus[]> {
  const root = podsOf(settings.directories.data);
  // statusOf looks whether each still stands where it was found.
  const pods = peekAtPods(root).map((pod) => statusOf(root, pod));
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
  /** Wait until it is ready: for ever, or this many milliseconds. Before `wait`, if both are asked for. */
  readonly waitReady?: "forever" | number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @throws Failure NOT_FOUND, also when the pod is removed while it is waited for; AMBIGUOUS, WAIT_TIMED_OUT, INTERRUPTED; NOT_READY for
 * one that ended before it was
 */
export async function podStatus(settings: Settings, options: StatusOptions): Promise<PodStatus> {
  const root = podsOf(settings.directories.data);
  const { uuid } = resolvePod(root, options.pod);
  if (options.waitReady !== undefined) await untilReady(root, uuid, options.waitReady, options.signal);
  const deadline = deadlineOf(options.wait);
  for (;;) {
    const status = statusOf(root, resolvePod(root, uuid));
    if (status === undefined) throw noSuchPod(uuid);
    if (options.wait === undefined || isOver(status)) return status;
    if (steadyNow() >= deadline) {
      throw new Failure("WAIT_TIMED_OUT", `pod ${uuid} is still ${status.state}`, {
        subject: uuid,
        hint: `perigee stop ${uuid}`,
      });
    }
    // The lock has no waiter without a process that blocks in flock(2); a look every 50 ms costs less.
    await pause(50, options.signal);
  }
}

function deadlineOf(wait: "forever" | number | undefined): number {
  return wait === "forever" || wait === undefined ? Number.POSITIVE_INFINITY : steadyNow() + wait;
}

function isOver({ state }: PodStatus): boolean {
  return state !== "running" && state !== "preparing" && state !== "prepared";
}

/** A look in between, for what nothing tells: the lock of a supervisor that was killed. */
const lookMs = 500;

/** The supervisor writes a file when the pod is ready, and that wakes us (LIFE-82). */
async function untilReady(
  root: string,
  uuid: string,
  wait: "forever" | number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = deadlineOf(wait);
  const bell = new Bell();
  const watch = new DirectoryWatch(() => bell.ring());
  try {
    for (;;) {
      const pod = resolvePod(root, uuid);
      const isWatched = watch.add(pod.directory);
      const status = statusOf(root, pod);
      if (status === undefined) throw noSuchPod(uuid);
      if (status.ready === true) return;
      if (isOver(status)) throw endedUnready(status);
      const left = deadline - steadyNow();
      if (left <= 0) {
        throw new Failure("WAIT_TIMED_OUT", `pod ${uuid} is ${status.state} and not ready yet`, {
          subject: uuid,
          cause: unready(status),
          hint: `perigee status ${uuid}`,
        });
      }
      await bell.wait(Math.min(left, isWatched ? lookMs : 50), signal);
    }
  } finally {
    watch.close();
  }
}

function endedUnready(status: PodStatus): Failure {
  const { uuid, state, directory } = status;
  const what = readReadyTime(directory) === undefined ? "before it was ready" : "after it had been ready";
  return new Failure("NOT_READY", `pod ${uuid} is ${state}: it ended ${what}`, {
    subject: uuid,
    cause: unready(status),
    hint: `perigee status ${uuid}; what its apps printed is in ${directory}/logs`,
  });
}

/** Which apps keep it from being ready; undefined when none says so. */
function unready({ apps }: PodStatus): string | undefined {
  const late = apps.filter(({ ready }) => ready === false);
  const words = late.map(({ name, exitStatus, text }) => {
    const end = exitStatus === undefined ? "" : `, and ended with status ${exitStatus}`;
    const last = text === undefined ? "" : `; its last words: ${excerpt(text)}`;
    return `${name} has not said READY=1${end}${last}`;
  });
  return words.length === 0 ? undefined : words.join("; ");
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
