/** What a pod directory says about itself in files: its record, written before it runs, and what the supervisor wrote since. */
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
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

/**
 * Written once: rewriting it would leave an instant in which the sweep of the store finds no trees in it, and file systems make whoever
 * replaces a file's content wait for the disk.
 */
export function writePodRecord(directory: string, record: PodRecord): void {
  writeFileSync(join(directory, "record"), `${JSON.stringify(record)}\n`, { flag: "wx", mode: 0o600 });
}

/** Undefined for a pod that died before it had one, or whose record was torn by a power failure. */
export function readPodRecord(directory: string): PodRecord | undefined {
  const file = readSmall(join(directory, "record"));
  if (file === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(file.text);
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

/** The file `pid`: `INIT STARTTIME SUPERVISOR STARTTIME`. */
const processesPattern = /^(\d+) (\d+)(?: (\d+) (\d+))?\n$/;

/** The pod's init as the supervisor recorded it. */
export function readInit(directory: string): (ProcessIdentity & { readonly startedAt: Date }) | undefined {
  const file = readSmall(join(directory, "pid"));
  const match = processesPattern.exec(file?.text ?? "");
  if (file === undefined || match === null) return undefined;
  return { pid: Number(match[1]), startTime: String(match[2]), startedAt: file.writtenAt };
}

/** The pod's supervisor, by its own word. */
export function readSupervisor(directory: string): ProcessIdentity | undefined {
  const match = processesPattern.exec(readSmall(join(directory, "pid"))?.text ?? "");
  return match?.[3] === undefined ? undefined : { pid: Number(match[3]), startTime: String(match[4]) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readSmall(`/proc/${identity.pid}/stat`)?.text;
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
  const file = readSmall(join(directory, "status", app));
  const match = /^(\d{1,3})\n$/.exec(file?.text ?? "");
  return file === undefined || match === null ? undefined : { status: Number(match[1]), at: file.writtenAt };
}

/** Content and time of one and the same file, which may be replaced or removed at any moment; undefined when it is not there. */
function readSmall(path: string): { readonly text: string; readonly writtenAt: Date } | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    return { text: readFileSync(descriptor, "utf8"), writtenAt: fstatSync(descriptor).mtime };
  } catch (error) {
    const errno = errnoOf(error);
    // ESRCH: the process ended while its stat was read.
    if (errno === "ENOENT" || errno === "ESRCH") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function isPodRecord(value: unknown): value is PodRecord {
  if (!isObject(value)) return false;
  const { uuid, createdAt, apps, network, hostname, idBase, cgroups } = value;
  return (
    isText(uuid) &&
    isText(createdAt) &&
    isText(network) &&
    isText(hostname) &&
    (idBase === undefined || typeof idBase === "number") &&
    Array.isArray(apps) &&
    apps.every(isAppRecord) &&
    Array.isArray(cgroups) &&
    cgroups.every((path) => isText(path) && isCgroupOf(path, uuid))
  );
}

/** gc kills whatever is in these cgroups: no record can make it another's. */
function isCgroupOf(path: string, uuid: string): boolean {
  const parts = path.split("/");
  return parts.includes(`perigee-${uuid}`) && !parts.includes("..");
}

function isAppRecord(value: unknown): value is PodAppRecord {
  return isObject(value) && [value["name"], value["imageId"], value["imageName"], value["treeId"]].every(isText);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
