/** From images in the store to a pod directory that can be launched. Decides nothing about isolation; starts nothing. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ioFailure } from "../base/files.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import { sha512 } from "../shim/sha512.ts";
import type { PodCgroups } from "./cgroup-plan.ts";
import type { Pod } from "./pod.ts";
import { type PodAppRecord, type PodRecord, type PreparedTerms, writePodRecord } from "./record.ts";

export interface PrepareRequest {
  /** Claimed for the pod already. */
  readonly name?: string | undefined;
  readonly apps: readonly PodAppRecord[];
  readonly trees?: readonly string[] | undefined;
  /** Absent, as `hostname` is, for a pod that is run later. */
  readonly network?: string | undefined;
  readonly hostname?: string | undefined;
  readonly manifest: PodManifest;
  /** To be made when the pod is launched; recorded now, so that gc knows them whenever the launch is cut short. */
  readonly cgroups: PodCgroups;
  /** Claims a range of ids for the pod; undefined without a user namespace. */
  readonly claim: (() => number) | undefined;
  readonly isStep?: true | undefined;
  /** For a pod that is run later. */
  readonly prepared?: Omit<PreparedTerms, "manifestSha512"> | undefined;
}

export interface PreparedPod {
  readonly pod: Pod;
  readonly record: PodRecord;
  readonly cgroups: PodCgroups;
}

/**
 * Fills the directory of a new pod, in `prepare` and locked, with its record and its manifest. The caller holds the store's lock shared
 * until this returns: from then on the record keeps the trees (LIFE-14). When it throws, the caller discards the pod.
 * @throws Failure LIMIT_EXCEEDED, DISK_FULL, IO_FAILED
 */
export function preparePod(pod: Pod, request: PrepareRequest): PreparedPod {
  const { name, apps, trees, network, hostname, cgroups, claim, isStep, prepared } = request;
  const { uuid, directory } = pod;
  try {
    const manifest = `${JSON.stringify(request.manifest)}\n`;
    const record: PodRecord = {
      uuid,
      createdAt: new Date().toISOString(),
      ...(name !== undefined && { name }),
      apps,
      ...(trees && { trees }),
      network,
      hostname,
      idBase: claim?.(),
      cgroups: cgroups.remove,
      ...(isStep && { isStep }),
      ...(prepared && { prepared: { ...prepared, manifestSha512: sha512(manifest) } }),
    };
    writePodRecord(directory, record);
    writeFileSync(join(directory, "manifest"), manifest, { mode: 0o600 });
    for (const name of ["status", "logs", "files"]) mkdirSync(join(directory, name), { mode: 0o700 });
    return { pod, record, cgroups };
  } catch (error) {
    throw ioFailure(error, `cannot prepare pod ${uuid}`, uuid);
  }
}
