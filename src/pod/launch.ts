/** From a prepared pod to a running one: everything is decided, written below the pod directory, and handed to the shim. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeScratchDirectories } from "../base/directories.ts";
import { ioFailure } from "../base/files.ts";
import { encodePlan, type Plan } from "../shim/plan.ts";
import type { ReplaceOptions } from "../shim/run.ts";
import type { TreeRoot } from "../store/stack.ts";
import { createPodCgroups } from "./cgroup.ts";
import type { PodFile } from "./network.ts";
import { buildPlan, type PlanInput } from "./plan.ts";
import type { PreparedPod } from "./prepare.ts";
import { giveTo, makeRoot } from "./rootfs.ts";
import type { EmptyVolume } from "./volumes.ts";

export interface LaunchRequest {
  readonly prepared: PreparedPod;
  readonly input: PlanInput;
  /** Where each app's tree is, by app name. */
  readonly trees: ReadonlyMap<string, TreeRoot>;
  readonly emptyVolumes: readonly EmptyVolume[];
}

export interface ReadyPod {
  readonly plan: Plan;
  /** What the shim is started with. */
  readonly start: Omit<ReplaceOptions, "report">;
}

/**
 * Writes the plan and what it needs, makes the cgroups, which the record names already, and moves the pod to `run`. What the caller does
 * next is start the shim with these; until then the pod counts as running by this process. When it throws, the caller discards the pod.
 * @throws Failure of the planner; DISK_FULL, IO_FAILED
 */
export function launchPod(request: LaunchRequest): ReadyPod {
  const { pod, record } = request.prepared;
  const { input } = request;
  try {
    makeRoots(pod.directory, request);
    makeVolumes(pod.directory, request.emptyVolumes, record.idBase ?? 0);
    for (const app of input.apps) writeFiles(pod.directory, app.files);
    const plan = buildPlan(input);
    writeFileSync(join(pod.directory, "plan"), encodePlan(plan), { mode: 0o600 });
    createPodCgroups(input.cgroups);
    pod.move("run");
    const { directory } = pod;
    return {
      plan,
      start: {
        directory,
        lock: pod.fd,
        plan: join(directory, "plan"),
        events: join(directory, "events"),
        sockets: input.sockets,
      },
    };
  } catch (error) {
    throw ioFailure(error, `cannot start pod ${pod.uuid}`, pod.uuid);
  }
}

function makeRoots(directory: string, { input, trees, prepared }: LaunchRequest): void {
  for (const app of input.apps) {
    const tree = trees.get(app.name);
    if (tree !== undefined) makeRoot(directory, app.name, app.root, tree, prepared.record.idBase);
  }
}

/** Empty volumes belong to who the manifest says, shifted into the pod's user namespace (POD-14); one that was filled already is left alone. */
function makeVolumes(directory: string, volumes: readonly EmptyVolume[], idBase: number): void {
  if (volumes.length > 0) makeScratchDirectories(join(directory, "volumes"), 0o700);
  for (const { volume, mode, uid, gid, seed } of volumes) {
    const path = join(directory, "volumes", volume);
    if (seed !== undefined && existsSync(path)) continue;
    mkdirSync(path, { mode: 0o700 });
    giveTo(path, { uid, gid, mode }, idBase);
  }
}

/** Every user of the pod reads them, whatever the caller's umask. */
function writeFiles(directory: string, files: readonly PodFile[]): void {
  for (const file of files) {
    const path = join(directory, "files", file.name);
    // One that is there knows more: pods of the same network have written their names into it (NET-33).
    if (existsSync(path)) continue;
    writeFileSync(path, file.content);
    chmodSync(path, 0o644);
  }
}
