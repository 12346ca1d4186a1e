/** What a pod directory says about itself in files: its record, written before it runs, and what the supervisor wrote since. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { lookAtState, readSmallFile, readStateFile } from "../base/state-file.ts";
import { isACName } from "../schema/grammar.ts";

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
  /** As the user called it (LIFE-54). */
  readonly name?: string | undefined;
  readonly apps: readonly PodAppRecord[];
  /** Ids of further trees that stay as long as the pod does (LIFE-14): a command of a recipe stands on several. */
  readonly trees?: readonly string[] | undefined;
  /** Absent until a prepared pod is run. */
  readonly network?: string | undefined;
  readonly hostname?: string | undefined;
  /** First host id of the pod's user namespace; absent without one. */
  readonly idBase?: number | undefined;
  /** Every cgroup directory made for the pod, children first. */
  readonly cgroups: readonly string[];
  /** For a command of a recipe: nobody but its builder waits for it, and the next builder removes what is left (RECIPE-53). */
  readonly isStep?: true | undefined;
  /** While the pod stands in `prepared`. */
  readonly prepared?: PreparedTerms | undefined;
}

/** What the start of a prepared pod must know, and its manifest does not say (LIFE-50). */
export interface PreparedTerms {
  /** false: the trees are copied. */
  readonly overlay: boolean;
  readonly allowSymlinkSources: boolean;
  /** What would be ignored or changed is refused at the start too (ISO-13). */
  readonly strict: boolean;
  /** By app: the names of isolators that its image says, and nobody who runs it (ISO-1). */
  readonly imageIsolators: Readonly<Record<string, readonly string[]>>;
  /** IDs of all images that the trees are made of: whoever vouched for one must do so when the pod runs (LIFE-51). */
  readonly layers: readonly string[];
  /** Lower-case hex, of the bytes of the file `manifest`. */
  readonly manifestSha512: string;
}

/**
 * Written once for a pod that is run at once: rewriting it would leave an instant in which the sweep of the store finds no trees in it, and file systems make whoever
 * replaces a file's content wait for the disk.
 */
export function writePodRecord(directory: string, record: PodRecord): void {
  writeFileSync(join(directory, "record"), `${JSON.stringify(record)}\n`, { flag: "wx", mode: 0o600 });
}

/** The record of a prepared pod that is to run, in place of the one it has: whoever reads it meanwhile finds one of the two, whole. */
export function replacePodRecord(directory: string, record: PodRecord): void {
  const path = join(directory, "record.new");
  writeFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(path, join(directory, "record"));
}

/** A pod's record, or what is wrong with it, in words; a pod that died before it had one has neither. */
export interface RecordFound {
  readonly record?: PodRecord;
  readonly problem?: string;
}

/** Who reads it while it is written sees a torn one: only of a pod that is past `prepare` is that damage. */
export function findPodRecord(directory: string): RecordFound {
  const file = readSmallFile(`${directory}/record`);
  if ("problem" in file) return file.problem === "missing" ? {} : { problem: file.problem };
  try {
    const value: unknown = JSON.parse(file.text);
    // A record of another pod would have that one's cgroups killed.
    if (isPodRecord(value) && value.uuid === basename(directory)) return { record: value };
  } catch {
    // Torn by a power failure.
  }
  return { problem: "not what perigee wrote" };
}

/** Undefined for a pod that died before it had one, or whose record is damaged. */
export function readPodRecord(directory: string): PodRecord | undefined {
  return findPodRecord(directory).record;
}

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat: tells a process from a later one with its number. */
  readonly startTime: string;
}

/** The file `pid`: `INIT STARTTIME SUPERVISOR STARTTIME`. */
const processesPattern = /^(\d{1,10}) (\d{1,20})(?: (\d{1,10}) (\d{1,20}))?\n$/;

function readProcesses(directory: string) {
  const file = readSmallFile(`${directory}/pid`);
  if ("problem" in file) return undefined;
  const match = processesPattern.exec(file.text);
  return match === null ? undefined : { match, writtenAt: file.writtenAt };
}

/** The pod's init as the supervisor recorded it. */
export function readInit(directory: string): (ProcessIdentity & { readonly startedAt: Date }) | undefined {
  const found = readProcesses(directory);
  if (found === undefined) return undefined;
  const { match, writtenAt } = found;
  return { pid: Number(match[1]), startTime: String(match[2]), startedAt: writtenAt };
}

/** The pod's supervisor, by its own word. */
export function readSupervisor(directory: string): ProcessIdentity | undefined {
  const match = readProcesses(directory)?.match;
  return match?.[3] === undefined ? undefined : { pid: Number(match[3]), startTime: String(match[4]) };
}

/** The process of one app as the supervisor recorded it when it was executed; it may have ended since. */
export function readAppProcess(directory: string, app: string): ProcessIdentity | undefined {
  const file = readStateFile(join(directory, "pids", app));
  if ("problem" in file) return undefined;
  const match = /^(\d{1,10}) (\d{1,20})\n$/.exec(file.bytes.toString("latin1"));
  return match === null ? undefined : { pid: Number(match[1]), startTime: String(match[2]) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const file = readStateFile(`/proc/${identity.pid}/stat`);
  if ("problem" in file) return false;
  const stat = file.bytes.toString("latin1");
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
  return readExit(directory, app);
}

/** The same of the app's post-stop handler. */
export function readPostStop(directory: string, app: string): AppExit | undefined {
  return existsSync(`${directory}/status/${app}.post-stop`) ? readExit(directory, `${app}.post-stop`) : undefined;
}

export interface Restarts {
  /** How often it was started again. */
  readonly count: number;
  /** How and when its last run ended that was followed, or will be, by another. */
  readonly status: number;
  readonly endedAt: Date;
  /** Its next run has not begun. */
  readonly isWaiting: boolean;
}

/** Of an app that was started again or will be; undefined for every other. */
export function readRestarts(directory: string, app: string): Restarts | undefined {
  const file = readIfThere(`${directory}/status/${app}.restarts`);
  if (file === undefined) return undefined;
  const match = /^(\d{1,10}) (\d{1,3}) (\d{1,11}) (running|waiting)\n$/.exec(file.text);
  if (match === null) return undefined;
  const [, count, status, seconds, state] = match;
  return {
    count: Number(count),
    status: Number(status),
    endedAt: new Date(Number(seconds) * 1000),
    isWaiting: state === "waiting",
  };
}

export interface Health {
  readonly state: "starting" | "healthy" | "unhealthy";
  /** How many checks have failed one after the other. */
  readonly failingStreak: number;
  /** Of the last check; `timeout`: it was killed at its limit. Undefined before the first. */
  readonly lastStatus: number | "timeout" | undefined;
  readonly checkedAt: Date;
  /** The last 4096 bytes of what the last check wrote. */
  readonly lastOutput: string;
}

/** Of an app with checks. */
export function readHealth(directory: string, app: string): Health | undefined {
  const path = `${directory}/status/${app}.health`;
  const file = existsSync(path) ? readStateFile(path) : undefined;
  if (file === undefined || "problem" in file) return undefined;
  const end = file.bytes.indexOf("\n");
  const line = file.bytes.toString("latin1", 0, Math.max(end, 0));
  const [, state, streak, status] = /^(starting|healthy|unhealthy) (\d{1,5}) (\d{1,3}|timeout|none)$/.exec(line) ?? [];
  if (state === undefined) return undefined;
  return {
    state: state as Health["state"],
    failingStreak: Number(streak),
    lastStatus: status === "none" ? undefined : status === "timeout" ? status : Number(status),
    checkedAt: file.writtenAt,
    lastOutput: file.bytes.toString("utf8", end + 1),
  };
}

/** Since when all of the pod is ready; undefined when it is not, or that was not seen. */
export function readReadyTime(directory: string): Date | undefined {
  const path = `${directory}/ready`;
  return existsSync(path) ? lookAtState(path)?.writtenAt : undefined;
}

/** Undefined for an app that says nothing of it. */
export function readAppReady(directory: string, app: string): boolean | undefined {
  const file = readIfThere(`${directory}/status/${app}.ready`);
  return file === undefined ? undefined : file.text === "1\n";
}

/** What an app last said of itself: foreign text of a line. */
export function readAppText(directory: string, app: string): string | undefined {
  return readIfThere(`${directory}/status/${app}.text`)?.text;
}

/** Most apps have none of these files, and asking whether there is one costs less than to look for it in vain. */
function readIfThere(path: string): { readonly text: string; readonly writtenAt: Date } | undefined {
  const file = existsSync(path) ? readSmallFile(path) : undefined;
  return file === undefined || "problem" in file ? undefined : file;
}

function readExit(directory: string, name: string): AppExit | undefined {
  const file = readSmallFile(`${directory}/status/${name}`);
  if ("problem" in file) return undefined;
  const match = /^(\d{1,3})\n$/.exec(file.text);
  return match === null ? undefined : { status: Number(match[1]), at: file.writtenAt };
}

function isPodRecord(value: unknown): value is PodRecord {
  if (!isObject(value)) return false;
  const { uuid, createdAt, name, apps, trees = [], network, hostname, idBase, cgroups, prepared } = value;
  const own = `/perigee-${uuid}`;
  return (
    isText(uuid) &&
    isText(createdAt) &&
    !Number.isNaN(Date.parse(createdAt)) &&
    (name === undefined || isText(name)) &&
    (network === undefined || isText(network)) &&
    (hostname === undefined || isText(hostname)) &&
    (prepared === undefined || isPreparedTerms(prepared)) &&
    (idBase === undefined || typeof idBase === "number") &&
    Array.isArray(apps) &&
    apps.every(isAppRecord) &&
    Array.isArray(trees) &&
    trees.every(isText) &&
    Array.isArray(cgroups) &&
    cgroups.every((path) => isText(path) && isCgroupOf(path, own))
  );
}

/** gc kills whatever is in these cgroups: no record can make it another's. `own` is the name that they have on their way. */
function isCgroupOf(path: string, own: string): boolean {
  const end = path.indexOf(own) + own.length;
  if (end < own.length || (end !== path.length && path[end] !== "/")) return false;
  // A list of 500 pods looks at thousands of paths, in nearly all of which a search finds nothing that an expression had to look at.
  return !path.includes("..") || !/(?:^|\/)\.\.(?:\/|$)/.test(path);
}

/** The name becomes part of a path. */
function isAppRecord(value: unknown): value is PodAppRecord {
  if (!isObject(value)) return false;
  const { name, imageId, imageName, treeId } = value;
  return isText(name) && isACName(name) && isText(imageId) && isText(imageName) && isText(treeId);
}

function isPreparedTerms(value: unknown): value is PreparedTerms {
  if (!isObject(value)) return false;
  const { overlay, allowSymlinkSources, strict, imageIsolators, layers, manifestSha512 } = value;
  return (
    typeof overlay === "boolean" &&
    typeof allowSymlinkSources === "boolean" &&
    typeof strict === "boolean" &&
    isObject(imageIsolators) &&
    Object.values(imageIsolators).every((names) => Array.isArray(names) && names.every(isText)) &&
    Array.isArray(layers) &&
    layers.every(isText) &&
    isText(manifestSha512)
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
