/**
 * The end of pods. A free lock does not yet mean that a pod is dead: whoever gains it first kills what is left, then removes
 * the cgroups, then the directory. Every step may be repeated, so a gc that is killed is finished by the next one.
 */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, Failure, messageOf } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { FileLock } from "../shim/flock.ts";
import { removeTrees } from "../shim/remove.ts";
import { findPodCgroups, killCgroups, removeCgroups } from "./cgroup.ts";
import { releaseRanges } from "./id-ranges.ts";
import { releaseNames } from "./names.ts";
import { type Phase, phaseOrder } from "./phases.ts";
import { directoriesOfPods, type FoundPod, findPod, namedPhases, Pod, uuidsIn } from "./pod.ts";
import { findPodRecord, isAlive, type ProcessIdentity, readInit, readPodRecord } from "./record.ts";

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
  const removed: string[] = [];
  const failed: { uuid: string; reason: string }[] = [];
  // One pod that resists (a busy mount, a full disk) must not keep the others from being collected.
  const attempt = async (uuid: string, remove: () => Promise<boolean>): Promise<void> => {
    try {
      if (await remove()) removed.push(uuid);
    } catch (error) {
      const reason = messageOf(error);
      options.log.warn(`cannot remove pod ${uuid}: ${reason}`);
      failed.push({ uuid, reason });
    }
  };
  await withDeadEmbryos(root, (uuid, remove) => attempt(uuid, remove));
  for (const [phase, uuid] of condemned(root, options)) await attempt(uuid, () => removeFrom(root, phase, uuid));
  try {
    releaseClaims(data, root);
    await releaseNetworks(data, root);
  } catch (error) {
    // Told, and no reason to leave the store as it is.
    options.log.warn(messageOf(error));
  }
  return { marked, removed, failed };
}

/** Looks of 20 ms at a pod that somebody holds for an instant: who only looked at it, gc that marks it, a supervisor that clears up. */
const looks = 100;

/**
 * Removes one pod that does not run, without grace; one that somebody else removes meanwhile is removed (LIFE-32).
 * @throws Failure WRONG_STATE; LOCKED when it is held for two seconds
 */
export async function removePod(data: string, root: string, { uuid }: Pick<FoundPod, "uuid">): Promise<void> {
  for (let look = 0; look < looks; look++) {
    const found = findPod(root, uuid);
    if (found === undefined) return;
    const init = readInit(found.directory);
    // Without an init, it may be gc that holds a pod which never came to have one, until it has moved it.
    const isInUse = init === undefined ? look >= 10 : isAlive(init);
    if (isInUse && (found.state === "preparing" || found.state === "running")) throw inUse(found);
    const pod = Pod.take(root, uuid, found.phase);
    if (pod !== undefined) return await discardPod(data, root, pod);
    await sleep(20);
  }
  throw new Failure("LOCKED", `pod ${uuid} is being used by another process`, {
    subject: uuid,
    cause: "its lock was held for two seconds, by a supervisor that does not end or by a removal that goes on",
    hint: `perigee stop --force ${uuid}, or try again later`,
  });
}

function inUse({ uuid, state }: FoundPod): Failure {
  return new Failure("WRONG_STATE", `pod ${uuid} is ${state}`, { subject: uuid, hint: `perigee stop ${uuid}` });
}

/** Ends and removes a pod that this process holds, in whatever phase it is, and gives up its lock and its ids. */
export async function discardPod(data: string, root: string, pod: Pod): Promise<void> {
  try {
    // Out of sight first: a removal that is cut short is finished by gc, and nobody takes the pod for one that runs.
    if (pod.phase === "run") pod.move("exited-garbage");
    else if (pod.phase !== "exited-garbage" && pod.phase !== "garbage") pod.move("garbage");
    await destroy(root, pod);
  } finally {
    pod.release();
  }
  releaseClaims(data, root);
  await releaseNetworks(data, root);
}

/** A pod that was in networks says so in this directory of it (NET-20). */
function hasNetworks(directory: string): boolean {
  return existsSync(join(directory, "net"));
}

/** What belongs to no pod alone goes behind the last one that was in a network (NET-22). */
async function releaseNetworks(data: string, root: string): Promise<void> {
  if (!existsSync(join(data, "networks"))) return;
  const { removeUnused } = await import("../net/detach.ts");
  const { refreshPeers } = await import("../net/peers.ts");
  refreshPeers(data, () => directoriesOfPods(root));
  await removeUnused(data, () =>
    phaseOrder.some((phase) => uuidsIn(root, phase).some((uuid) => hasNetworks(join(root, phase, uuid)))),
  );
}

/**
 * The trees that pods of any phase recorded: roots of the store's sweep. Pods start meanwhile; one that moves on before its record is
 * read is met again in its later phase, because the phases are gone through in the order pods take. Unknown while a pod runs whose
 * record is damaged: its trees must stay, and nobody can say which they are.
 */
export function treeRoots(root: string): ReadonlySet<string> | "unknown" {
  const trees = new Set<string>();
  let isKnown = true;
  for (const phase of phaseOrder) {
    for (const uuid of uuidsIn(root, phase)) {
      const { record, problem } = findPodRecord(join(root, phase, uuid));
      for (const { treeId } of record?.apps ?? []) trees.add(treeId);
      for (const tree of record?.trees ?? []) trees.add(tree);
      // Of a pod that is dead nobody needs the trees.
      if (problem !== undefined && findPod(root, uuid)?.state === "running") isKnown = false;
    }
  }
  return isKnown ? trees : "unknown";
}

async function destroy(root: string, pod: Pod): Promise<void> {
  await killRemains(pod.directory);
  if (hasNetworks(pod.directory)) {
    const { detachPod } = await import("../net/detach.ts");
    await detachPod(pod.directory, pod.uuid);
  }
  await removeTrees(join(root, pod.phase), [pod.uuid], { asPodRoot: true });
}

/**
 * Kills what is left of a pod whose lock we hold and waits until it is gone. Without a readable record its cgroups are looked for by
 * their names.
 */
async function killRemains(directory: string): Promise<void> {
  const init = readInit(directory);
  if (init !== undefined) await killProcess(init);
  await removeCgroups(await killPodCgroups(directory));
}

/** Ends everything in the pod's cgroups, whoever holds its lock, and returns them, children first. @throws Failure LOCKED */
export async function killPodCgroups(directory: string): Promise<readonly string[]> {
  const cgroups = readPodRecord(directory)?.cgroups ?? findPodCgroups(basename(directory));
  await killCgroups(cgroups);
  return cgroups;
}

async function killProcess(identity: ProcessIdentity): Promise<void> {
  for (let attempt = 0; attempt < 200 && isAlive(identity); attempt++) {
    sendSignal(identity.pid, "SIGKILL");
    await sleep(10);
  }
  if (isAlive(identity))
    throw new Failure("LOCKED", `process ${identity.pid} of the pod does not end`, { subject: String(identity.pid) });
}

/** As kill(2); a process that has just ended is no failure. @throws Failure NOT_ROOT for somebody else's */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return;
    throw new Failure("NOT_ROOT", `process ${pid} of the pod is not yours to signal`, {
      subject: String(pid),
      cause: error,
      hint: "sudo perigee …",
    });
  }
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

/**
 * ctime: set by the rename into the phase, and not changed since. Without a wait the clock is not asked, which may have been set back. With one
 * a time that lies ahead is waited for: it may as well be now that is wrong, before a machine without a clock of its own has heard the time
 * (LIFE-110).
 */
function isOlder(directory: string, milliseconds: number, now: () => number): boolean {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  return milliseconds === 0 || now() - Math.floor(stat.ctimeMs) >= milliseconds;
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

/** With the directory held exclusively nobody is making an embryo: all of them are dead. */
async function withDeadEmbryos(
  root: string,
  each: (uuid: string, remove: () => Promise<boolean>) => Promise<void>,
): Promise<void> {
  const directory = join(root, "embryo");
  if (uuidsIn(root, "embryo").length === 0) return;
  const lock = FileLock.open(directory, "exclusive");
  if (lock === undefined) return;
  try {
    for (const uuid of uuidsIn(root, "embryo")) {
      await each(uuid, async () => {
        await removeTrees(directory, [uuid], { asPodRoot: true });
        return true;
      });
    }
  } finally {
    lock.release();
  }
}

/**
 * A range, or a name, is claimed by a pod that stands in `prepare` already, so a uuid in no phase is a pod that is gone. Asked with the
 * claims locked: what was listed before could lack a pod that has claimed since.
 */
function releaseClaims(data: string, root: string): void {
  releaseRanges(data, () => new Set(phaseOrder.flatMap((phase) => uuidsIn(root, phase))));
  releaseNames(root, () => new Set(namedPhases.flatMap((phase) => uuidsIn(root, phase))));
}
