/** Runs a verb of perigee-shim to its end and turns its failure line into a Failure. Knows nothing of what the verbs do. */
import { type ChildProcess, spawn } from "node:child_process";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { callerIds } from "./caller-ids.ts";
import type { IdMap } from "./plan.ts";

/** More than this of standard error is not kept: the shim writes one line. */
const longestReport = 64 * 1024;

export interface Verb {
  readonly child: ChildProcess;
  /** Resolves when the shim ended with 0. @throws Failure SHIM_FAILED, DISK_FULL, LIMIT_EXCEEDED, INTERRUPTED, IO_FAILED */
  readonly done: Promise<void>;
}

export interface VerbOptions {
  readonly signal?: AbortSignal | undefined;
  /** For what lies in the data directory: with the ids of the caller's pods, where an ordinary user has more than one. */
  readonly asPodRoot?: boolean | undefined;
  /** Descriptors for the shim; else it reads nothing, and its output is the child's stream. They stay the caller's to close. */
  readonly stdin?: number | undefined;
  readonly stdout?: number | undefined;
}

/** Starts `perigee-shim verb args…` in `directory`, with an empty environment. Ended when `signal` says so. */
export function startVerb(verb: string, args: readonly string[], directory: string, options: VerbOptions = {}): Verb {
  const { signal, asPodRoot = false, stdin = "ignore", stdout = "pipe" } = options;
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
  const child = spawn(shimPath(), [...(asPodRoot ? mapping(verb) : []), verb, ...args], {
    cwd: directory,
    env: {},
    stdio: [stdin, stdout, "pipe"],
  });
  requireStreams(child);
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  const done = outcome(child, verb, directory, signal).finally(() => signal?.removeEventListener("abort", kill));
  done.catch(() => {}); // it is awaited later, after the streams
  return { child, done };
}

/** What stands before a verb that is to be root of the caller's pods. Where there is one id all files are the caller's: only who tells owners must know it as 0. */
export function mapping(verb: string): readonly string[] {
  const ids = callerIds();
  if (ids === undefined || (ids.mappers === undefined && verb !== "pack")) return [];
  const text = (maps: readonly IdMap[]) =>
    maps.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`).join();
  return ["mapped", ids.mappers?.uids ?? "", ids.mappers?.gids ?? "", text(ids.uids), text(ids.gids)];
}

/**
 * Where no descriptor is free for its pipes, Node makes neither the process nor the streams, and tells only later.
 * @throws Failure LIMIT_EXCEEDED
 */
export function requireStreams(child: ChildProcess): void {
  if (child.pid !== undefined || child.stdio !== undefined) return;
  child.on("error", () => {}); // what it will tell is thrown here
  const cause = Object.assign(new Error("EMFILE: too many open files, spawn"), { code: "EMFILE" });
  throw ioFailure(cause, "cannot start perigee-shim", shimPath());
}

/** All of standard output, as text; the verbs that answer with one line. */
export async function answerOf({ child, done }: Verb): Promise<string> {
  const parts: Buffer[] = [];
  child.stdout?.on("data", (part: Buffer) => parts.push(part));
  await done;
  return Buffer.concat(parts).toString("latin1");
}

async function outcome(child: ChildProcess, verb: string, directory: string, signal?: AbortSignal): Promise<void> {
  let report = "";
  child.stderr?.setEncoding("latin1").on("data", (part: string) => {
    if (report.length < longestReport) report += part;
  });
  const [status, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", (error) => reject(ioFailure(error, `cannot work in ${printable(directory)}`, directory)));
    child.on("close", (code, name) => resolve([code, name]));
  });
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
  if (status !== 0) throw shimFailure(verb, report, killedBy ?? `exit status ${status}`);
}

/** A new process needs two descriptors before it becomes the shim; libuv aborts it, and says nothing, where the machine has none left. */
function notStarted(): Failure {
  const cause = Object.assign(new Error("it ended with SIGABRT before it was the shim"), { code: "ENFILE" });
  return ioFailure(cause, "cannot start perigee-shim", shimPath());
}

const attributeTooLarge: readonly string[] = ["ENOSPC", "E2BIG", "ERANGE"];

/** The Failure that the last line of `report` tells; `ending` is all there is to say when it tells nothing. */
export function shimFailure(verb: string, report: string, ending: string): Failure {
  if (ending === "SIGABRT" && report === "") return notStarted();
  const event = parseLine(report.trimEnd().split("\n").at(-1) ?? "");
  const field = (name: string): string => bytesToText(event?.[name]);
  if (field("event") !== "failed") {
    return new Failure("SHIM_FAILED", `perigee-shim ${verb} ended with ${ending}`, {
      cause: printable(report.trim()) || undefined,
    });
  }
  const errno = field("errno");
  const subject = field("subject");
  const shown = printable(subject);
  const message = printable(field("message"));
  // What it says of an attribute is that a file cannot have so much: a full disk fails at another step.
  if (field("step") === "setxattr" && attributeTooLarge.includes(errno)) {
    return new Failure("LIMIT_EXCEEDED", `${shown}: ${message}`, {
      subject,
      cause: `step setxattr, ${errno}`,
      hint: "use a file system that holds more for each file, such as XFS, or ext4 with the feature ea_inode",
    });
  }
  if (field("step") === "chown" && errno === "EINVAL") {
    return new Failure("UNSUPPORTED", `${shown}: its owner is none of the ids that you may map`, {
      subject,
      hint: "ask for 65536 of them in /etc/subuid and /etc/subgid: perigee help unprivileged",
    });
  }
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new Failure("DISK_FULL", `cannot write ${shown}: the disk is full`, {
      subject,
      hint: "free some space, for example with perigee gc",
    });
  }
  const cause = `step ${field("step")}${errno === "" ? "" : `, ${errno}`}`;
  return new Failure("SHIM_FAILED", shown === "" ? message : `${shown}: ${message}`, {
    subject,
    cause,
  });
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** The shim escapes bytes, not characters: each is one code point below 256. */
export function bytesToText(value: unknown): string {
  return typeof value === "string" ? Buffer.from(value, "latin1").toString("utf8") : "";
}
