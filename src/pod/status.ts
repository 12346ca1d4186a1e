/** What can be said about a pod now: from its phase, its lock and the files its supervisor wrote. Nothing is invented. */
import { statSync } from "node:fs";
import type { PodState } from "./phases.ts";
import type { FoundPod } from "./pod.ts";
import { readAppExit, readInit, readPodRecord } from "./record.ts";

export interface AppStatus {
  readonly name: string;
  readonly image: { readonly id: string; readonly name: string };
  readonly state: "created" | "running" | "exited";
  /** Absent while it runs, and when its end was not seen (a killed supervisor). */
  readonly exitStatus?: number | undefined;
}

export interface PodStatus {
  readonly uuid: string;
  readonly state: PodState;
  /** RFC 3339; of the record, else of the directory. */
  readonly createdAt: string;
  readonly startedAt?: string | undefined;
  /** Host pid of the pod's init while it runs. */
  readonly pid?: number | undefined;
  readonly hostname?: string | undefined;
  readonly network?: string | undefined;
  readonly apps: readonly AppStatus[];
}

export function statusOf(pod: FoundPod): PodStatus {
  const record = readPodRecord(pod.directory);
  const init = readInit(pod.directory);
  const isRunning = pod.state === "running";
  return {
    uuid: pod.uuid,
    state: pod.state,
    createdAt: record?.createdAt ?? statSync(pod.directory).ctime.toISOString(),
    startedAt: init?.startedAt.toISOString(),
    pid: isRunning ? init?.pid : undefined,
    hostname: record?.hostname,
    network: record?.network,
    apps: (record?.apps ?? []).map((app) => {
      const exit = readAppExit(pod.directory, app.name);
      const ended = exit !== undefined || (!isRunning && init !== undefined);
      return {
        name: app.name,
        image: { id: app.imageId, name: app.imageName },
        state: ended ? "exited" : isRunning && init !== undefined ? "running" : "created",
        exitStatus: exit?.status,
      };
    }),
  };
}
