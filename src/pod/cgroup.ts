/** Cgroups made, emptied and removed. Decides nothing: cgroup-plan.ts says what there is to be. */
import { type Dirent, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readCgroupLayout } from "./cgroup-layout.ts";
import type { CgroupWrite, PodCgroups } from "./cgroup-plan.ts";

/** Makes the directories and writes the limits; takes back what it made when a step fails. Blocking. @throws Failure IO_FAILED */
export function createPodCgroups(cgroups: PodCgroups): void {
  const made: string[] = [];
  try {
    for (const { path, value } of cgroups.enable) write(path, { file: "cgroup.subtree_control", value });
    for (const { path, writes } of cgroups.directories) {
      mkdirSync(path, { mode: 0o755 });
      made.push(path);
      for (const item of writes) write(path, item);
    }
  } catch (error) {
    for (const path of made.toReversed()) isRemoved(path);
    throw ioFailure(error, "cannot make the pod's cgroups", cgroups.directories[0]?.path ?? "");
  }
}

function write(path: string, { file, value, optional }: CgroupWrite): void {
  try {
    writeFileSync(`${path}/${file}`, value);
  } catch (error) {
    // A file that the kernel does not have cannot be created in a cgroup: EACCES or EPERM.
    if (optional === true && ["ENOENT", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return;
    throw new Failure("IO_FAILED", `cannot write ${value} to ${path}/${file}`, {
      subject: `${path}/${file}`,
      cause: error,
    });
  }
}

/** Waits of 10 to 100 ms, about five seconds together. */
const tries = 60;

function pause(attempt: number): Promise<void> {
  return sleep(Math.min(100, 10 * (attempt + 1)));
}

/**
 * Ends everything in these cgroups with SIGKILL and returns when they are empty; cgroups that are gone are empty. A process that forks
 * faster than it is killed is held by the freezer (v1), or killed with all the rest at once by the kernel (v2).
 * @throws Failure LOCKED when something is left after about five seconds
 */
export async function killCgroups(paths: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const left = new Set(paths.flatMap(membersOf));
    if (left.size === 0) return;
    for (const path of paths) tell(`${path}/cgroup.kill`, "1");
    for (const path of paths) tell(`${path}/freezer.state`, "FROZEN");
    for (const pid of new Set(paths.flatMap(membersOf))) kill(pid);
    for (const path of paths) tell(`${path}/freezer.state`, "THAWED");
    await pause(attempt);
  }
  const left = [...new Set(paths.flatMap(membersOf))];
  if (left.length === 0) return;
  throw new Failure("LOCKED", `processes ${left.join(", ")} of the pod do not end`, {
    subject: paths[0],
    hint: "try again later",
  });
}

/** The cgroups of a pod whose record does not say them, children first: they have its uuid in their names, in the place gc would use. */
export function findPodCgroups(uuid: string, layout = readCgroupLayout()): readonly string[] {
  return layout.hierarchies.flatMap(({ base }) => descend(`${base}/perigee-${uuid}`));
}

function descend(path: string): readonly string[] {
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes(errnoOf(error) ?? "")) return [];
    throw ioFailure(error, `cannot list cgroup ${path}`, path);
  }
  const below = entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) => descend(`${path}/${name}`));
  return [...below, path];
}

function membersOf(path: string): readonly number[] {
  try {
    const text = readFileSync(`${path}/cgroup.procs`, "utf8");
    // 0 stands for a process outside of our pid namespace: kill(0) would be our own process group.
    return text
      .split("\n")
      .map(Number)
      .filter((pid) => pid > 1);
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes(errnoOf(error) ?? "")) return [];
    throw error;
  }
}

/** Writes to a file that only one kind of cgroup has. */
function tell(file: string, value: string): void {
  try {
    writeFileSync(file, value, { flag: "r+" });
  } catch (error) {
    if (!["ENOENT", "ENODEV", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

/** Removes empty cgroups, in this order; ones that are gone are fine. @throws Failure LOCKED when one stays busy, IO_FAILED */
export async function removeCgroups(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    for (let attempt = 0; !isRemoved(path); attempt++) {
      if (attempt === tries) throw new Failure("LOCKED", `cgroup ${path} stays busy`, { subject: path });
      await pause(attempt);
    }
  }
}

/** A process that has just ended keeps its cgroup busy for a moment. */
function isRemoved(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return true;
    if (errno === "EBUSY") return false;
    throw ioFailure(error, `cannot remove cgroup ${path}`, path);
  }
}
