/** The commands about pods that are killed at every step: what is there before each, its line, and how it ends when nothing disturbs it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ProcessIdentity, readInit } from "../../src/pod/record.ts";
import { guestImage } from "../helpers/guest-work.ts";
import type { ListedPod } from "../helpers/program.ts";
import type { FaultWorld } from "./world.ts";

/** The pod that a command is about. */
export interface Subject {
  readonly uuid: string;
  /** Of one that runs. */
  readonly init: ProcessIdentity | undefined;
}

export interface PodFlow {
  /** Makes the pod that the command is about; undefined for a command that makes one. */
  readonly subject: ((world: FaultWorld) => Subject) | undefined;
  args(uuid: string): readonly string[];
  /** Exit status when nothing disturbs it. */
  readonly status: number;
  /** Exit statuses when it is given again after a fault: 3 and 6 where there is nothing left to do. */
  readonly again: readonly number[];
  /** Ends its pod, which may go on ending when the command is long dead. */
  readonly endsSubject?: true;
}

const insecure = "--insecure-options=image";
const exiting = [guestImage, "--", "exit", "7"];

function must(world: FaultWorld, args: readonly string[], status = 0): string {
  const outcome = world.work.perigee(args);
  if (outcome.status !== status) throw new Error(`${args.join(" ")}: ${outcome.status}\n${outcome.stderr}`);
  return outcome.stdout.trim();
}

export function directoryOf(world: FaultWorld, uuid: string): string {
  const phases = ["prepare", "prepared", "run", "exited-garbage", "garbage"];
  const found = phases.map((phase) => world.work.path("data", "pods", phase, uuid)).find((path) => existsSync(path));
  return found ?? world.work.path("data", "pods", "gone", uuid);
}

export function podsOf(world: FaultWorld): readonly ListedPod[] {
  return JSON.parse(must(world, ["list", "--format", "json"])) as readonly ListedPod[];
}

function prepared(world: FaultWorld): Subject {
  return { uuid: must(world, [insecure, "prepare", ...exiting]), init: undefined };
}

function running(world: FaultWorld): Subject {
  const uuid = must(world, [insecure, "run", "--detach", guestImage, "--", "wait", "600"]);
  const init = readInit(join(world.work.path("data", "pods", "run"), uuid));
  if (init === undefined) throw new Error(`${uuid} has no init`);
  return { uuid, init };
}

function ended(world: FaultWorld): Subject {
  must(world, [insecure, "run", ...exiting], 7);
  const [pod] = podsOf(world);
  if (pod?.state !== "exited") throw new Error("no pod has ended");
  return { uuid: pod.uuid, init: undefined };
}

export const podFlows: Readonly<Record<string, PodFlow>> = {
  run: { subject: undefined, args: () => [insecure, "run", ...exiting], status: 7, again: [7] },
  "run-detached": {
    subject: undefined,
    args: () => [insecure, "run", "--detach", ...exiting],
    status: 0,
    again: [0],
  },
  prepare: { subject: undefined, args: () => [insecure, "prepare", ...exiting], status: 0, again: [0] },
  // The pod that a killed one took is not prepared any more.
  "run-prepared": { subject: prepared, args: (uuid) => [insecure, "run-prepared", uuid], status: 7, again: [7, 125] },
  stop: { subject: running, args: (uuid) => ["stop", uuid], status: 0, again: [0], endsSubject: true },
  "stop-force": {
    subject: running,
    args: (uuid) => ["stop", "--force", uuid],
    status: 0,
    again: [0],
    endsSubject: true,
  },
  enter: { subject: running, args: (uuid) => ["enter", uuid, "/guest", "exit", "5"], status: 5, again: [5] },
  rm: { subject: ended, args: (uuid) => ["rm", uuid], status: 0, again: [0, 3] },
  "gc-pods": { subject: ended, args: () => ["gc", "--grace-period=0s"], status: 0, again: [0] },
};
