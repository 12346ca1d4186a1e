/** What a pod directory says about itself in files: its record, written before it runs, and what the supervisor wrote since. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

export interface PodAppRecord {
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  /** Recorded before the tree is looked for, so that the sweep of the store sees it (architecture 6, pod state). */
  readonly treeId: string;
}

/** The file `record` of a pod directory. */
export interface PodRecord {
  readonly uuid: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly apps: readonly PodAppRecord[];
  readonly network: string;
  readonly hostname: string;
  /** First host id of the pod's user namespace; absent without one. */
  readonly idBase?: number | undefined;
  /** Every cgroup directory made for the pod, children first. */
  readonly cgroups: readonly string[];
}

export function writePodRecord(directory: string, record: PodRecord): void {
  writeFileSync(join(directory, "record"), `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** Undefined for a pod that died before it had one, or whose record was torn by a power failure. */
export function readPodRecord(directory: string): PodRecord | undefined {
  const text = readText(join(directory, "record"));
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isPodRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat: tells a process from a later one with its number. */
  readonly startTime: string;
}

/** The pod's init as the supervisor recorded it. */
export function readInit(directory: string): (ProcessIdentity & { readonly startedAt: Date }) | undefined {
  const path = join(directory, "pid");
  const match = /^(\d+) (\d+)\n$/.exec(readText(path) ?? "");
  if (match === null) return undefined;
  return { pid: Number(match[1]), startTime: String(match[2]), startedAt: statSync(path).mtime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readText(`/proc/${identity.pid}/stat`);
  if (stat === undefined) return false;
  // The name in field 2 may hold spaces and parentheses: the fields are counted from the last `)`.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[19] === identity.startTime && fields[0] !== "Z";
}

export interface AppExit {
  readonly status: number;
  readonly at: Date;
}

/** The exit status the supervisor recorded for one app; undefined while it runs or when nobody saw its end. */
export function readAppExit(directory: string, app: string): AppExit | undefined {
  const path = join(directory, "status", app);
  const match = /^(\d{1,3})\n$/.exec(readText(path) ?? "");
  return match === null ? undefined : { status: Number(match[1]), at: statSync(path).mtime };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    // ESRCH: the process ended while its stat was read.
    if (errno === "ENOENT" || errno === "ESRCH") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}

function isPodRecord(value: unknown): value is PodRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Record<string, unknown>;
  return (
    typeof record["uuid"] === "string" &&
    typeof record["createdAt"] === "string" &&
    Array.isArray(record["apps"]) &&
    Array.isArray(record["cgroups"])
  );
}

/** @throws Failure WRONG_STATE for a pod whose record is gone */
export function requirePodRecord(directory: string, uuid: string): PodRecord {
  const record = readPodRecord(directory);
  if (record === undefined)
    throw new Failure("WRONG_STATE", `pod ${uuid} has no readable record`, {
      subject: uuid,
      hint: `perigee rm ${uuid}`,
    });
  return record;
}
