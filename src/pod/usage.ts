/** What a pod and its apps use now: counted by their cgroups, else summed over their processes in /proc. Decides nothing, starts nothing. */
import { readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { readStateText } from "../base/state-file.ts";
import { type PodRecord, readAppProcess, readInit } from "./record.ts";

/** Counters since the beginning, and what is held now; absent: nobody counts it here, or it cannot be read. */
export interface Usage {
  readonly cpuMicroseconds?: number | undefined;
  /** Bytes, without file pages that could be given back at once. */
  readonly memory?: number | undefined;
  /** Processes and threads. */
  readonly pids?: number | undefined;
  /** Bytes from and to disks. */
  readonly read?: number | undefined;
  readonly written?: number | undefined;
}

export interface UsageOf extends Usage {
  /** What is summed over processes that live now: what those that ended had used is not in it. */
  readonly summed: readonly (keyof Usage)[];
}

export interface PodUsage {
  readonly pod: UsageOf;
  /** In the order of the record. */
  readonly apps: readonly { readonly name: string; readonly usage: UsageOf }[];
}

const columns = ["cpuMicroseconds", "memory", "pids", "read", "written"] as const;

/** Undefined for a pod that has no init, or whose init has ended meanwhile. */
export function readUsage(directory: string, record: Pick<PodRecord, "apps" | "cgroups">): PodUsage | undefined {
  const init = readInit(directory);
  if (init === undefined) return undefined;
  const ofPod = readCgroups(record.cgroups.filter((path) => /^perigee-/.test(basename(path))));
  const isSingle = record.apps.length === 1;
  const counted = record.apps.map(({ name }) =>
    isSingle ? ofPod : readCgroups(record.cgroups.filter((path) => basename(path) === `app-${name}`)),
  );
  const isComplete = [ofPod, ...counted].every((usage) => columns.every((column) => usage[column] !== undefined));
  const processes = isComplete ? [] : processesOf(record.cgroups, init.pid);
  const ofApp = (app: string): readonly Process[] => {
    const mounts = mountNamespace(readAppProcess(directory, app)?.pid);
    return mounts === undefined
      ? []
      : processes.filter((process) => process.mounts === mounts && process.pid !== init.pid);
  };
  const pod = filledUp(ofPod, processes);
  return {
    pod,
    apps: record.apps.map(({ name }, index) => ({
      name,
      usage: isSingle ? pod : filledUp(counted[index] ?? {}, isComplete ? [] : ofApp(name)),
    })),
  };
}

function filledUp(counted: Usage, processes: readonly Process[]): UsageOf {
  const summed = columns.filter(
    (column) => counted[column] === undefined && processes.some((one) => one[column] !== undefined),
  );
  const sums = summed.map((column) => [column, processes.reduce((sum, one) => sum + (one[column] ?? 0), 0)] as const);
  return { ...counted, ...Object.fromEntries(sums), summed };
}

/** One cgroup in each hierarchy; the first that counts a thing says it. */
function readCgroups(paths: readonly string[]): Usage {
  return {
    cpuMicroseconds: first(paths, [
      ["cpu.stat", (text) => field(text, "usage_usec")],
      ["cpuacct.usage", (text) => Number(text) / 1000],
    ]),
    memory: first(paths, [
      ["memory.current", (text, path) => Number(text) - (fieldOf(path, "memory.stat", "inactive_file") ?? 0)],
      [
        "memory.usage_in_bytes",
        (text, path) => Number(text) - (fieldOf(path, "memory.stat", "total_inactive_file") ?? 0),
      ],
    ]),
    pids: first(paths, [["pids.current", Number]]),
    read: first(paths, [
      ["io.stat", (text) => sumOf(text, /\brbytes=(\d+)/g)],
      ["blkio.throttle.io_service_bytes", (text) => sumOf(text, /^\d+:\d+ Read (\d+)$/gm)],
    ]),
    written: first(paths, [
      ["io.stat", (text) => sumOf(text, /\bwbytes=(\d+)/g)],
      ["blkio.throttle.io_service_bytes", (text) => sumOf(text, /^\d+:\d+ Write (\d+)$/gm)],
    ]),
  };
}

type Reading = readonly [file: string, parse: (text: string, path: string) => number | undefined];

function first(paths: readonly string[], readings: readonly Reading[]): number | undefined {
  for (const path of paths) {
    for (const [file, parse] of readings) {
      const text = readStateText(`${path}/${file}`);
      const value = text === undefined ? undefined : parse(text.trim(), path);
      if (value !== undefined && Number.isFinite(value)) return Math.max(0, value);
    }
  }
  return undefined;
}

function fieldOf(path: string, file: string, name: string): number | undefined {
  return field(readStateText(`${path}/${file}`) ?? "", name);
}

/** Of lines of `NAME NUMBER`. */
function field(text: string, name: string): number | undefined {
  const line = text.split("\n").find((candidate) => candidate.split(" ")[0] === name);
  return line === undefined ? undefined : Number(line.split(" ")[1]);
}

function sumOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
}

interface Process extends Usage {
  readonly pid: number;
  readonly mounts: string | undefined;
}

/** The kernel's clock tick for user space. */
const tickMicroseconds = 10_000;

/** Those in the pod's cgroups; without any, init and what descends from it. */
function processesOf(cgroups: readonly string[], init: number): readonly Process[] {
  const members = new Set(cgroups.flatMap((path) => numbersIn(readStateText(`${path}/cgroup.procs`))));
  const pids = members.size > 0 ? [...members] : descendants(init);
  return pids.map(readProcess).filter((process) => process !== undefined);
}

/** 0 stands for a process outside of our pid namespace. */
function numbersIn(text: string | undefined): readonly number[] {
  return (text ?? "")
    .split(/\s+/)
    .map(Number)
    .filter((pid) => pid > 0);
}

/** More than a pod may have: a loop in what /proc says while it changes ends there. */
const mostProcesses = 100_000;

function descendants(pid: number): readonly number[] {
  const found = [pid];
  for (let at = 0; at < found.length && found.length < mostProcesses; at++) {
    const one = found[at] ?? pid;
    let threads: readonly string[] = [];
    try {
      threads = readdirSync(`/proc/${one}/task`);
    } catch {
      continue; // it has ended
    }
    for (const thread of threads) found.push(...numbersIn(readStateText(`/proc/${one}/task/${thread}/children`)));
  }
  return found;
}

function readProcess(pid: number): Process | undefined {
  const stat = readStateText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in field 2 may hold anything: fields are counted from the last `)`, which is followed by field 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = (number: number): number => Number(fields[number - 3] ?? Number.NaN);
  const io = readStateText(`/proc/${pid}/io`);
  return {
    pid,
    mounts: mountNamespace(pid),
    cpuMicroseconds: (at(14) + at(15)) * tickMicroseconds,
    memory: residentBytes(pid),
    pids: at(20),
    read: io === undefined ? undefined : colonField(io, "read_bytes"),
    written: io === undefined ? undefined : colonField(io, "write_bytes"),
  };
}

/** Undefined of a process that has ended and was not reaped. */
function residentBytes(pid: number): number | undefined {
  const kibibytes = colonField(readStateText(`/proc/${pid}/status`) ?? "", "VmRSS");
  return kibibytes === undefined ? undefined : kibibytes * 1024;
}

/** Of lines of `NAME: NUMBER [UNIT]`. */
function colonField(text: string, name: string): number | undefined {
  const line = text.split("\n").find((candidate) => candidate.split(":")[0] === name);
  return line === undefined ? undefined : Number.parseInt(line.split(":")[1] ?? "", 10);
}

/** Each app has one of its own, and all that it starts has it too, also when it lost its parent. */
function mountNamespace(pid: number | undefined): string | undefined {
  if (pid === undefined) return undefined;
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}
