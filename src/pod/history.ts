/** What happened to a pod, as far as its directory tells: the times of the files that its makers left there. Nothing is invented. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { lookAtState } from "../base/state-file.ts";
import type { Phase } from "./phases.ts";
import { type FoundPod, namedPhases } from "./pod.ts";
import {
  type AppExit,
  findPodRecord,
  readAppExit,
  readAppReady,
  readInit,
  readPostStop,
  readReadyTime,
} from "./record.ts";

/** In the order in which they come to pass where their times are equal. */
const kinds = [
  "created",
  "prepared",
  "started",
  "app-started",
  "app-ready",
  "ready",
  "app-exited",
  "post-stop",
  "exited",
  "marked",
  "removed",
] as const;
export type PodEventKind = (typeof kinds)[number];

export interface PodEvent {
  /** RFC 3339; absent when nobody saw it, as of the end of a pod whose supervisor was killed. */
  readonly time?: string | undefined;
  readonly event: PodEventKind;
  readonly uuid: string;
  /** The pod's. */
  readonly name?: string | undefined;
  readonly app?: string | undefined;
  /** With `app`. */
  readonly image?: string | undefined;
  /** Exit status of the app or its handler; absent when nobody saw it. */
  readonly status?: number | undefined;
}

/** Events of a pod that was found a moment ago, in order; one that moves on while it is read may lack the last of them. */
export function historyOf(pod: FoundPod): readonly PodEvent[] {
  const { directory, uuid, phase, state } = pod;
  const { record } = findPodRecord(directory);
  const init = readInit(directory);
  const common = { uuid, name: namedPhases.includes(phase) ? record?.name : undefined };
  const apps = record?.apps ?? [];
  const ofApps = apps.flatMap(({ name: app, imageName: image }) =>
    appHistory(directory, app).map((event): PodEvent => ({ ...common, app, image, ...event })),
  );
  const ends = apps.map(({ name }) => readAppExit(directory, name)?.at.toISOString());
  const hasEnded = state === "exited" || phase === "exited-garbage";
  const ofPod: (PodEvent | undefined)[] = [
    record && { ...common, event: "created", time: record.createdAt },
    phase === "prepared" ? { ...common, event: "prepared", time: changedAt(directory) } : undefined,
    init && { ...common, event: "started", time: init.startedAt.toISOString() },
    event(common, "ready", readReadyTime(directory)),
    hasEnded
      ? { ...common, event: "exited", time: ends.includes(undefined) ? undefined : ends.toSorted().at(-1) }
      : undefined,
    phase === "exited-garbage" ? { ...common, event: "marked", time: changedAt(directory) } : undefined,
  ];
  return inOrder([...ofPod.filter((one) => one !== undefined), ...ofApps]);
}

function appHistory(directory: string, app: string): readonly Pick<PodEvent, "event" | "time" | "status">[] {
  const started = lookAtState(join(directory, "pids", app))?.writtenAt;
  const ready =
    readAppReady(directory, app) === true ? lookAtState(join(directory, "status", `${app}.ready`)) : undefined;
  const [exit, postStop] = [readAppExit(directory, app), readPostStop(directory, app)];
  return [
    ...(started === undefined ? [] : [{ event: "app-started" as const, time: started.toISOString() }]),
    ...(ready === undefined ? [] : [{ event: "app-ready" as const, time: ready.writtenAt.toISOString() }]),
    ...(exit === undefined ? [] : [ended("app-exited", exit)]),
    ...(postStop === undefined ? [] : [ended("post-stop", postStop)]),
  ];
}

function ended(event: PodEventKind, { at, status }: AppExit): Pick<PodEvent, "event" | "time" | "status"> {
  return { event, time: at.toISOString(), status };
}

function event(
  common: Pick<PodEvent, "uuid" | "name">,
  event: PodEventKind,
  at: Date | undefined,
): PodEvent | undefined {
  return at && { ...common, event, time: at.toISOString() };
}

/** A move is the last change of a directory that nobody uses. */
function changedAt(directory: string): string | undefined {
  return statSync(directory, { throwIfNoEntry: false })?.ctime.toISOString();
}

/** By time; what has none comes behind what is known of its pod. */
export function inOrder(events: readonly PodEvent[]): readonly PodEvent[] {
  return events.toSorted(
    (a, b) => compare(a.time ?? "~", b.time ?? "~") || kinds.indexOf(a.event) - kinds.indexOf(b.event),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Phases whose directories say by a change that a pod came, moved or went. */
export const watchedPhases: readonly Phase[] = ["prepare", "prepared", "run", "exited-garbage"];
