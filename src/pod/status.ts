/** What can be said about a pod now: from its phase, its lock and the files its supervisor wrote. Nothing is invented. */
import { existsSync, statSync } from "node:fs";
import { type AttachedNetwork, attachedNetworks } from "../net/state.ts";
import type { PodState } from "./phases.ts";
import { type FoundPod, findPod, namedPhases } from "./pod.ts";
import {
  findPodRecord,
  type Health,
  readAppExit,
  readAppReady,
  readAppText,
  readHealth,
  readInit,
  readPostStop,
  readReadyTime,
  readRestarts,
} from "./record.ts";

export interface AppStatus {
  readonly name: string;
  readonly image: { readonly id: string; readonly name: string };
  /** `restarting`: it has ended, and waits for its next run. */
  readonly state: "created" | "running" | "restarting" | "exited";
  /** Absent while it runs, and when its end was not seen (a killed supervisor). */
  readonly exitStatus?: number | undefined;
  /** RFC 3339; with the exit status. */
  readonly exitedAt?: string | undefined;
  /** Of an app that says so: whether it has said that it is ready. */
  readonly ready?: boolean | undefined;
  /** What it last said of itself, foreign text. */
  readonly text?: string | undefined;
  /** The exit status of its post-stop handler, once that has ended. */
  readonly postStopStatus?: number | undefined;
  /** Only of an app that was started again, or will be. */
  readonly restarts?: AppRestarts | undefined;
  /** Only of an app with health checks. */
  readonly health?: AppHealth | undefined;
}

export interface AppHealth extends Omit<Health, "checkedAt"> {
  /** RFC 3339; of the last check, or of the start. */
  readonly checkedAt: string;
}

export interface AppRestarts {
  readonly count: number;
  /** Of the last run that was followed, or will be, by another. */
  readonly lastExitStatus: number;
  /** RFC 3339. */
  readonly lastExitedAt: string;
}

export interface PodStatus {
  readonly uuid: string;
  /** As the user called it; none of a pod that gc has marked, since another may have it by now. */
  readonly name?: string | undefined;
  readonly state: PodState;
  /** RFC 3339; of the record, else of the directory. */
  readonly createdAt: string;
  readonly startedAt?: string | undefined;
  /** When the last app ended; absent while one runs, and when an end was not seen. */
  readonly exitedAt?: string | undefined;
  /** While it runs: whether all apps were executed and those that say so have said that they are ready (LIFE-81). */
  readonly ready?: boolean | undefined;
  /** While it is. */
  readonly readyAt?: string | undefined;
  /** Host pid of the pod's init while it runs. */
  readonly pid?: number | undefined;
  readonly hostname?: string | undefined;
  readonly network?: string | undefined;
  /** Of its networks, as their plugins gave them (NET-24); absent before it starts. */
  readonly networks?: readonly AttachedNetwork[] | undefined;
  /** Of the pod; holds `logs/APP`. It changes with the pod's phase. */
  readonly directory: string;
  readonly apps: readonly AppStatus[];
  /** What is damaged in its directory; then the rest says only what can still be known. */
  readonly problem?: string | undefined;
}

/** The status of a pod that was found a moment ago; undefined when it is gone by now. */
export function statusOf(root: string, found: FoundPod): PodStatus | undefined {
  // A pod that moves on while its files are read is read again where it stands then. Pods move forward only, so this ends.
  for (let pod: FoundPod | undefined = found; pod !== undefined; pod = findPod(root, pod.uuid)) {
    const status = readStatus(pod);
    if (status !== undefined) return status;
  }
  return undefined;
}

function readStatus(pod: FoundPod): PodStatus | undefined {
  const { record, problem } = findPodRecord(pod.directory);
  const init = readInit(pod.directory);
  const isRunning = pod.state === "running";
  const readyAt = isRunning ? readReadyTime(pod.directory) : undefined;
  const hasRun = init !== undefined;
  const apps = (record?.apps ?? []).map(({ name, imageId, imageName }): AppStatus => {
    const exit = readAppExit(pod.directory, name);
    const isOver = exit !== undefined || (hasRun && !isRunning);
    const restarts = readRestarts(pod.directory, name);
    const health = readHealth(pod.directory, name);
    return {
      name,
      image: { id: imageId, name: imageName },
      state: isOver ? "exited" : restarts?.isWaiting === true ? "restarting" : hasRun ? "running" : "created",
      exitStatus: exit?.status,
      exitedAt: exit?.at.toISOString(),
      ready: readAppReady(pod.directory, name),
      text: readAppText(pod.directory, name),
      postStopStatus: readPostStop(pod.directory, name)?.status,
      restarts: restarts && {
        count: restarts.count,
        lastExitStatus: restarts.status,
        lastExitedAt: restarts.endedAt.toISOString(),
      },
      health: health && { ...health, checkedAt: health.checkedAt.toISOString() },
    };
  });
  // Last, because it says whether all of the above was read at one place.
  const createdAt = record?.createdAt ?? statSync(pod.directory, { throwIfNoEntry: false })?.ctime.toISOString();
  if (createdAt === undefined || !existsSync(pod.directory)) return undefined;
  return {
    uuid: pod.uuid,
    name: namedPhases.includes(pod.phase) ? record?.name : undefined,
    directory: pod.directory,
    state: pod.state,
    createdAt,
    startedAt: init?.startedAt.toISOString(),
    exitedAt: isRunning ? undefined : lastEnd(apps),
    ready: isRunning ? readyAt !== undefined : undefined,
    readyAt: readyAt?.toISOString(),
    pid: isRunning ? init?.pid : undefined,
    hostname: record?.hostname,
    network: record?.network,
    networks: attachedNetworks(pod.directory),
    apps,
    // Before it runs, a torn record is one that is being written.
    problem: problem === undefined || pod.phase === "prepare" ? undefined : `its record is ${problem}`,
  };
}

function lastEnd(apps: readonly AppStatus[]): string | undefined {
  const ends = apps.map(({ exitedAt }) => exitedAt);
  return ends.includes(undefined) ? undefined : ends.toSorted().at(-1);
}
