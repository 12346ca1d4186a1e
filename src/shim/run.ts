/**
 * Starting a pod: the shim as a child, for the library and for pods in the background, or in place of this process, for the command in the
 * foreground. Knows nothing of what is in the plan.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { constants as os } from "node:os";
import { Readable } from "node:stream";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { requireStreams } from "./child.ts";
import { parseEvents, type ShimEvent } from "./events.ts";
import { clearCloexec, execve } from "./libc.ts";
import type { PodNamespaces } from "./netns.ts";

export interface RunOptions {
  /** The pod directory, locked exclusively by this process: `lock` is the locked descriptor, whose lock the shim keeps. */
  readonly directory: string;
  readonly lock: number;
  /** The file with the encoded plan. */
  readonly plan: string;
  /** Made before the pod, in place of new ones; they stay the caller's to close. */
  readonly namespaces?: PodNamespaces | undefined;
  /** Open listening sockets, to which the plan refers by index. */
  readonly sockets?: readonly number[] | undefined;
}

/** What the apps' standard descriptors are for the shim; `ignore` is /dev/null. */
export type StandardStream = "inherit" | "pipe" | "ignore" | number;

export interface SpawnOptions extends RunOptions {
  /** Standard input, output and error; only a plan with `foreground` uses them. */
  readonly stdio?: readonly [StandardStream, StandardStream, StandardStream];
  /** The pod goes on when this process ends, which waits for it only until `ready` was read; `events` may then be left before their end. */
  readonly detached?: boolean;
  /** The pod is killed when this process ends, however it ends: for work whose result nobody else could take. */
  readonly withCaller?: boolean;
}

export interface RunHandle {
  /** The supervisor's. */
  readonly pid: number;
  /** Ends with the pod; can be iterated once. @throws Failure SHIM_FAILED for a line that is no event */
  readonly events: AsyncIterable<ShimEvent>;
  /** The exit status of the shim; 128+N if it was killed by signal N. */
  readonly exited: Promise<number>;
  /** The other ends of those descriptors that are `pipe`. */
  readonly stdin: NodeJS.WritableStream | null;
  readonly stdout: NodeJS.ReadableStream | null;
  readonly stderr: NodeJS.ReadableStream | null;
  /** Forwarded to the apps by the supervisor. False if it has ended. */
  signal(number: number): boolean;
}

/** The numbers that the shim finds its descriptors at, as child_process arranges them. */
const passed = ["3", "4", "5"] as const;
/** Of namespaces and sockets, behind these. */
const firstPassed = 6;

function socketWords(first: number, { length }: readonly number[]): readonly string[] {
  return length === 0 ? [] : ["--sockets", String(first), String(length)];
}

/**
 * Runs a pod as a child process with an empty environment. The lock is shared with the shim; closing `lock` here leaves it the shim's.
 * @throws Failure SHIM_MISSING, IO_FAILED, NOT_FOUND
 */
export function spawnRun(options: SpawnOptions): RunHandle {
  const [stdin, stdout, stderr] = options.stdio ?? ["ignore", "ignore", "ignore"];
  const plan = openForReading(options.plan);
  try {
    const { namespaces, sockets = [] } = options;
    const joined = namespaces === undefined ? [] : ["--namespaces", namespaces.user === undefined ? "-" : "7", "6"];
    const others = [...descriptorsOf(namespaces), ...sockets];
    const listening = socketWords(firstPassed + others.length - sockets.length, sockets);
    const words = [
      "run",
      ...passed,
      ...joined,
      ...(options.withCaller === true ? ["--with-caller"] : []),
      ...listening,
    ];
    const child = spawn(shimPath(), words, {
      cwd: "/",
      env: {},
      detached: options.detached ?? false,
      stdio: [stdin, stdout, stderr, plan, "pipe", options.lock, ...others],
    });
    requireStreams(child);
    return handleOf(child, options.detached ?? false);
  } finally {
    closeSync(plan);
  }
}

/** In the order of their numbers: 6, 7. */
function descriptorsOf(namespaces: PodNamespaces | undefined): readonly number[] {
  if (namespaces === undefined) return [];
  return namespaces.user === undefined ? [namespaces.net] : [namespaces.net, namespaces.user];
}

/** What can be seen of a shim that was started with its events at descriptor 4. @throws Failure SHIM_FAILED */
export function handleOf(child: ChildProcess, detached: boolean): RunHandle {
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", (error) => reject(ioFailure(error, "cannot start perigee-shim", shimPath())));
    child.on("exit", (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : os.signals[signal])));
  });
  exited.catch(() => {}); // whoever waits for it is told; nobody has to
  const source = child.stdio[4];
  if (child.pid === undefined || !(source instanceof Readable)) {
    throw new Failure("SHIM_FAILED", "perigee-shim could not be started", { subject: shimPath() });
  }
  return {
    pid: child.pid,
    events: detached ? untilReady(child, parseEvents(source)) : parseEvents(source),
    exited,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    signal: (number) => child.kill(number),
  };
}

/** Let go any earlier, a child that fails would leave this process with nothing to wait for: it would end well, and say nothing. */
async function* untilReady(child: ChildProcess, events: AsyncIterable<ShimEvent>): AsyncGenerator<ShimEvent> {
  for await (const event of events) {
    if (event.event === "ready") child.unref();
    yield event;
  }
}

export interface ReplaceOptions extends RunOptions {
  /** A file that events are appended to; made if missing. */
  readonly events: string;
  /** How the shim itself tells of a failure on standard error: nobody else is left to do it. */
  readonly report: "text" | "json";
}

/**
 * This process becomes the shim. Neither process.stdin nor process.stdout may have been touched: libuv would have made what they are shared
 * with non-blocking.
 * @throws Failure if that was not possible; returns in no other way
 */
export function replaceWithRun(options: ReplaceOptions): never {
  const plan = openForReading(options.plan);
  const events = openSync(
    options.events,
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o640,
  );
  const numbers = [plan, events, options.lock];
  // Sockets are one behind the other, as the protocol has them.
  const { namespaces, sockets = [] } = options;
  for (const fd of [0, 1, 2, ...numbers, ...descriptorsOf(namespaces), ...sockets]) clearCloexec(fd);
  const path = shimPath();
  const joined =
    namespaces === undefined ? [] : ["--namespaces", String(namespaces.user ?? "-"), String(namespaces.net)];
  const listening = socketWords(sockets[0] ?? 0, sockets);
  execve(
    path,
    ["perigee-shim", "run", ...numbers.map(String), ...joined, "--report", options.report, ...listening],
    [],
  );
}

/** @throws Failure NOT_FOUND, IO_FAILED */
export function openForReading(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}
