/**
 * The end of pods. A free lock does not yet mean that a pod is dead: whoever gains it first kills what is left, then removes
 * the cgroups, then the directory. Every step may be repeated, so a gc that is killed is finished by the next one.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { FileLock } from "../shim/flock.ts";
import { removeTrees } from "../shim/remove.ts";
import { killCgroups, removeCgroups } from "./cgroup.ts";
import { releaseRanges } from "./id-ranges.ts";
import type { Phase } from "./phases.ts";
import { type FoundPod, findPods, Pod, uuidsIn } from "./pod.ts";
import { isAlive, type ProcessIdentity, readInit, readPodRecord } from "./record.ts";

export interface GcOptions {
  /** How long an exited pod is kept after it was marked. */
  readonly gracePeriodMs: number;
  readonly expirePreparedMs: number;
  /** Only move pods into the garbage phases. */
  readonly markOnly: boolean;
  /** Milliseconds since the epoch; asked when a pod is judged, so that one marked just now counts with a grace of 0. */
  readonly now: () => number;
  readonly log: Log;
}

export interface GcResult {
  readonly marked: readonly string[];
  readonly removed: readonly string[];
  /** Pods that could not be removed now, with the reason; the next gc tries again. */
  readonly failed: readonly { readonly uuid: string; readonly reason: string }[];
}

/** Collects the pods below `root` (`<data>/pods`); pods that somebody holds are passed over. */
export async function collectPods(data: string, root: string, options: GcOptions): Promise<GcResult> {
  const marked = [
    ...markFree(root, "run", "exited-garbage"),
    ...markFree(root, "prepare", "garbage"),
    ...(options.markOnly
      ? []
      : markFree(root, "prepared", "garbage", (directory) =>
          isOlder(directory, options.expirePreparedMs, options.now),
        )),
  ];
  if (options.markOnly) return { marked, removed: [], failed: [] };
  const removed = await removeEmbryos(root);
  const failed: { uuid: string; reason: string }[] = [];
  for (const [phase, uuid] of condemned(root, options)) {
    try {
      if (await removeFrom(root, phase, uuid)) removed.push(uuid);
    } catch (error) {
      // One pod that resists (a busy mount, a full disk) must not keep the others from being collected.
      const reason = error instanceof Error ? error.message : String(error);
      options.log.warn(`cannot remove pod ${uuid}: ${reason}`);
      failed.push({ uuid, reason });
    }
  }
  releaseDeadRanges(data, root);
  return { marked, removed, failed };
}

/** Removes one pod that does not run, without grace. @throws Failure WRONG_STATE, LOCKED */
export async function removePod(data: string, root: string, found: FoundPod): Promise<void> {
  if (found.state === "running" || found.state === "preparing") {
    throw new Failure("WRONG_STATE", `pod ${found.uuid} is ${found.state}`, {
      subject: found.uuid,
      hint: `perigee stop ${found.uuid}`,
    });
  }
  const pod = Pod.take(root, found.uuid, found.phase);
  if (pod === undefined)
    throw new Failure("LOCKED", `pod ${found.uuid} is being used by another process`, {
      subject: found.uuid,
      hint: "try again",
    });
  try {
    if (pod.phase === "run") pod.move("exited-garbage");
    else if (pod.phase !== "exited-garbage" && pod.phase !== "garbage") pod.move("garbage");
    await destroy(root, pod);
  } finally {
    pod.release();
  }
  releaseDeadRanges(data, root);
}

/** The trees that pods of any phase recorded: roots of the store's sweep. */
export function treeRoots(root: string): ReadonlySet<string> {
  return new Set(findPods(root).flatMap((pod) => readPodRecord(pod.directory)?.apps.map((app) => app.treeId) ?? []));
}

/** Kills what is left of a pod whose lock we hold and waits until it is gone. */
export async function killRemains(directory: string): Promise<void> {
  const init = readInit(directory);
  if (init !== undefined) await killProcess(init);
  const cgroups = readPodRecord(directory)?.cgroups ?? [];
  await killCgroups(cgroups);
  await removeCgroups(cgroups);
}

async function killProcess(identity: ProcessIdentity): Promise<void> {
  for (let attempt = 0; attempt < 200 && isAlive(identity); attempt++) {
    process.kill(identity.pid, "SIGKILL");
    await sleep(10);
  }
  if (isAlive(identity))
    throw new Failure("LOCKED", `process ${identity.pid} of the pod does not end`, { subject: String(identity.pid) });
}

function markFree(
  root: string,
  from: Phase,
  to: Phase,
  isDue: (directory: string) => boolean = () => true,
): readonly string[] {
  const marked: string[] = [];
  for (const uuid of uuidsIn(root, from)) {
    const pod = Pod.take(root, uuid, from);
    if (pod === undefined) continue;
    try {
      if (isDue(pod.directory)) {
        pod.move(to);
        marked.push(uuid);
      }
    } finally {
      pod.release();
    }
  }
  return marked;
}

/** ctime: set by the rename into the phase, and not changed since. In whole milliseconds, as the clock is read. */
function isOlder(directory: string, milliseconds: number, now: () => number): boolean {
  return Math.floor(statSync(directory).ctimeMs) + milliseconds <= now();
}

function condemned(root: string, options: GcOptions): readonly (readonly [Phase, string])[] {
  const exited = uuidsIn(root, "exited-garbage").filter((uuid) =>
    isOlder(join(root, "exited-garbage", uuid), options.gracePeriodMs, options.now),
  );
  return [
    ...exited.map((uuid) => ["exited-garbage", uuid] as const),
    ...uuidsIn(root, "garbage").map((uuid) => ["garbage", uuid] as const),
  ];
}

async function removeFrom(root: string, phase: Phase, uuid: string): Promise<boolean> {
  const pod = Pod.take(root, uuid, phase);
  if (pod === undefined) return false;
  try {
    await destroy(root, pod);
    return true;
  } finally {
    pod.release();
  }
}

async function destroy(root: string, pod: Pod): Promise<void> {
  await killRemains(pod.directory);
  await removeTrees(join(root, pod.phase), [pod.uuid]);
}

/** With the directory held exclusively nobody is making an embryo: all of them are dead. */
async function removeEmbryos(root: string): Promise<string[]> {
  const directory = join(root, "embryo");
  if (readdirSync(directory).length === 0) return [];
  const lock = FileLock.open(directory, "exclusive", { wait: false });
  if (lock === undefined) return [];
  try {
    const dead = readdirSync(directory);
    await removeTrees(directory, dead);
    return dead;
  } finally {
    lock.release();
  }
}

function releaseDeadRanges(data: string, root: string): void {
  // A range is claimed by a pod that stands in `prepare` already, so a uuid in no phase is a pod that is gone.
  releaseRanges(data, (uuid) =>
    (["prepare", "prepared", "run", "exited-garbage", "garbage"] as const).some((phase) =>
      uuidsIn(root, phase).includes(uuid),
    ),
  );
}
