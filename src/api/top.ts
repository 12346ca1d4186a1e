/** top: what running pods use: processor, memory, processes, disks. */
import { Failure } from "../base/failure.ts";
import { type FoundPod, findPods, namedPhases, podsOf, resolvePod } from "../pod/pod.ts";
import { readPodRecord } from "../pod/record.ts";
import { type PodUsage, readUsage, type UsageOf } from "../pod/usage.ts";
import type { Settings } from "./settings.ts";
import { pause } from "./waiting.ts";

export interface UsedByApp {
  readonly app: string;
  /** Of one processor, between two looks; absent where it is not known. */
  readonly cpuPercent?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Processes and threads. */
  readonly pids?: number | undefined;
  /** Bytes from and to disks since the pod began. */
  readonly read?: number | undefined;
  readonly written?: number | undefined;
  /** Which of these no cgroup counts here, so that they are summed over the processes that live now. */
  readonly summed: readonly ("cpu" | "memory" | "pids" | "read" | "written")[];
}

export interface UsedByPod extends Omit<UsedByApp, "app"> {
  readonly uuid: string;
  readonly name?: string | undefined;
  readonly apps: readonly UsedByApp[];
}

/** What a sample is sorted by; the most first, names from a on. */
export const sortKeys = ["cpu", "memory", "pids", "io", "name"] as const;
export type SortKey = (typeof sortKeys)[number];

export interface TopOptions {
  /** uuids, prefixes or names; none: all that run. */
  readonly pods?: readonly string[] | undefined;
  readonly sort?: SortKey | undefined;
  /** Milliseconds from one sample to the next; undefined: one sample. */
  readonly intervalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long one sample takes: what is used meanwhile is what is shown. */
const sampleMs = 500;

/**
 * Calls `tell` for each sample. With pods named it ends when none of them runs any more, else when `signal` says so.
 * @throws Failure NOT_FOUND, AMBIGUOUS; WRONG_STATE for a named pod that does not run; INTERRUPTED
 */
export async function topPods(
  settings: Settings,
  options: TopOptions,
  tell: (sample: readonly UsedByPod[]) => void,
): Promise<void> {
  const root = podsOf(settings.directories.data);
  const { intervalMs, signal, sort = "cpu" } = options;
  const named = options.pods?.map((text) => requireRunning(resolvePod(root, text)).uuid) ?? [];
  const wanted = named.length === 0 ? undefined : new Set(named);
  let before = look(root, wanted);
  for (;;) {
    await pause(intervalMs ?? sampleMs, signal);
    const now = look(root, wanted);
    tell(sorted(sampleOf(before, now), sort));
    if (intervalMs === undefined || (wanted !== undefined && now.pods.size === 0)) return;
    before = now;
  }
}

function requireRunning(pod: FoundPod): FoundPod {
  if (pod.state === "running") return pod;
  throw new Failure("WRONG_STATE", `pod ${pod.uuid} is ${pod.state}`, { subject: pod.uuid, hint: "perigee list" });
}

interface Look {
  /** Milliseconds of a clock that only goes forward. */
  readonly at: number;
  readonly pods: ReadonlyMap<string, PodUsage & { readonly name: string | undefined }>;
}

function look(root: string, wanted: ReadonlySet<string> | undefined): Look {
  const pods = new Map<string, PodUsage & { readonly name: string | undefined }>();
  for (const { uuid, state, directory, phase } of findPods(root)) {
    if (state !== "running" || wanted?.has(uuid) === false) continue;
    const record = readPodRecord(directory);
    const usage = record === undefined ? undefined : readUsage(directory, record);
    if (usage !== undefined) pods.set(uuid, { ...usage, name: namedPhases.includes(phase) ? record?.name : undefined });
  }
  return { at: performance.now(), pods };
}

/** A pod that was not there before is shown without what takes two looks. */
function sampleOf(before: Look, now: Look): readonly UsedByPod[] {
  const elapsed = (now.at - before.at) * 1000;
  return [...now.pods].map(([uuid, { pod, apps, name }]): UsedByPod => {
    const earlier = before.pods.get(uuid);
    return {
      uuid,
      ...(name !== undefined && { name }),
      ...used(pod, earlier?.pod, elapsed),
      apps: apps.map((app, index) => ({ app: app.name, ...used(app.usage, earlier?.apps[index]?.usage, elapsed) })),
    };
  });
}

function used(now: UsageOf, before: UsageOf | undefined, elapsed: number): Omit<UsedByApp, "app"> {
  const [cpu, earlier] = [now.cpuMicroseconds, before?.cpuMicroseconds];
  // Of processes that ended meanwhile the sum knows nothing any more: it may be less than it was.
  const percent =
    cpu === undefined || earlier === undefined ? undefined : Math.max(0, ((cpu - earlier) / elapsed) * 100);
  return {
    cpuPercent: percent === undefined ? undefined : Math.round(percent * 10) / 10,
    memory: now.memory,
    pids: now.pids,
    read: now.read,
    written: now.written,
    summed: now.summed.map((column) => (column === "cpuMicroseconds" ? "cpu" : column)),
  };
}

function sorted(pods: readonly UsedByPod[], key: SortKey): readonly UsedByPod[] {
  const amount = (pod: UsedByPod): number => {
    if (key === "cpu") return pod.cpuPercent ?? -1;
    if (key === "io") return (pod.read ?? 0) + (pod.written ?? 0);
    return key === "name" ? 0 : (pod[key] ?? -1);
  };
  const label = ({ name, uuid }: UsedByPod): string => name ?? uuid;
  return pods.toSorted((a, b) => amount(b) - amount(a) || (label(a) < label(b) ? -1 : 1));
}
