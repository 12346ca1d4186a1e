/** From images in the store to a pod directory that can be launched. Decides nothing about isolation; starts nothing. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodManifest } from "../schema/pod-manifest.ts";
import { Pod } from "./pod.ts";
import { type PodAppRecord, type PodRecord, writePodRecord } from "./record.ts";

export interface PrepareRequest {
  /** `<data>/pods`. */
  readonly root: string;
  readonly apps: readonly PodAppRecord[];
  readonly network: string;
  /** Called with the uuid, which the default host name holds. */
  readonly hostname: (uuid: string) => string;
  readonly manifest: PodManifest;
  /** Claims a range of ids for the pod with this uuid; undefined without a user namespace. */
  readonly claim: ((uuid: string) => number) | undefined;
}

export interface PreparedPod {
  readonly pod: Pod;
  readonly record: PodRecord;
}

/**
 * Makes the pod directory in `prepare`, locked, with its manifest and its record. The caller holds the store's lock shared until
 * this returns: from then on the record keeps the trees (LIFE-14).
 */
export function preparePod(request: PrepareRequest): PreparedPod {
  const pod = Pod.create(request.root);
  const record: PodRecord = {
    uuid: pod.uuid,
    createdAt: new Date().toISOString(),
    apps: request.apps,
    network: request.network,
    hostname: request.hostname(pod.uuid),
    idBase: request.claim?.(pod.uuid),
    cgroups: [],
  };
  writePodRecord(pod.directory, record);
  writeFileSync(join(pod.directory, "manifest"), `${JSON.stringify(request.manifest)}\n`, { mode: 0o600 });
  for (const directory of ["apps", "status", "logs", "volumes", "files"])
    mkdirSync(join(pod.directory, directory), { mode: 0o700 });
  return { pod, record };
}
