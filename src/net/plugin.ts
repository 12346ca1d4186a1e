/** One call of one CNI plugin: a program of the host that reads a configuration and answers in JSON. Knows nothing of chains and pods. */

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { excerpt, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import type { JsonObject } from "./config.ts";

export type CniCommand = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

export interface PluginCall {
  /** Absolute. */
  readonly program: string;
  readonly command: CniCommand;
  /** All of it: nothing of the caller's is handed on (NET-6). */
  readonly environment: Readonly<Record<string, string>>;
  readonly input: JsonObject;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Where Debian, Fedora and the CNI project itself put plugins. */
export const defaultPluginDirectories: readonly string[] = ["/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"];

/** Bytes of an answer; the largest of real ones have a few thousand. */
const longestAnswer = 1024 * 1024;

/** The program of the plugin `type` in the first of the directories that has it (NET-5). @throws Failure NOT_FOUND */
export function findPlugin(type: string, directories: readonly string[]): string {
  for (const directory of directories) {
    const path = join(directory, type);
    if (isAbsolute(directory) && statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  }
  throw new Failure("NOT_FOUND", `there is no network plugin ${type}`, {
    subject: type,
    cause: `not in ${directories.join(", ")}`,
    hint: "install containernetworking-plugins, or set CNI_PATH; --net=none or --net=host need none",
  });
}

/**
 * Runs the plugin to its end and returns what it wrote. Ended, with everything it started, when it takes longer than `timeoutMs`, writes too
 * much, or the caller is interrupted. @throws Failure NETWORK_FAILED with the plugin's own code and details (NET-4), INTERRUPTED
 */
export async function callPlugin(call: PluginCall): Promise<string> {
  const { program, command, environment, input, timeoutMs, signal } = call;
  if (signal?.aborted === true) throw interrupted();
  // A group of its own, so that what it started ends with it.
  const child = spawn(program, [], { env: environment, cwd: "/", detached: true, stdio: ["pipe", "pipe", "pipe"] });
  let reason: "timeout" | "too much" | "interrupted" | undefined;
  const end = (why: NonNullable<typeof reason>): void => {
    reason ??= why;
    killGroup(child.pid);
    // What left the group may still hold them open.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timer = setTimeout(() => end("timeout"), timeoutMs);
  const interrupt = (): void => end("interrupted");
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    const [stdout, stderr] = [gather(child.stdout, () => end("too much")), gather(child.stderr, () => {})];
    // A plugin that ends without reading all of it is told by what it answered.
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(input));
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (reason === undefined && status === 0) return stdout();
    throw reason === "interrupted" ? interrupted() : failureOf(call, reason, stdout(), stderr());
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("NETWORK_FAILED", `the network plugin ${program} cannot be started for ${command}`, {
      subject: program,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

function interrupted(): Failure {
  return new Failure("INTERRUPTED", "interrupted while the pod's networks were made");
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function gather(stream: NodeJS.ReadableStream, onTooMuch: () => void): () => string {
  const parts: Buffer[] = [];
  let length = 0;
  stream.on("data", (part: Buffer) => {
    length += part.length;
    if (length > longestAnswer) onTooMuch();
    else parts.push(part);
  });
  return () => Buffer.concat(parts).toString("utf8");
}

/** Codes of the specification that say more than the plugin's own words do. */
const meanings: ReadonlyMap<number, string> = new Map([
  [1, "the version of the configuration is not supported by it"],
  [2, "a field of the configuration is not supported by it"],
  [3, "it does not know the pod"],
  [7, "the configuration is not valid"],
  [11, "it asks to be tried again later"],
  [50, "it is not ready"],
]);

function failureOf(call: PluginCall, reason: string | undefined, stdout: string, stderr: string): Failure {
  const { program, command, timeoutMs } = call;
  const name = program.slice(program.lastIndexOf("/") + 1);
  const sentence = `the network plugin ${name} failed at ${command}`;
  if (reason === "timeout") {
    return new Failure("NETWORK_FAILED", `${sentence}: it took longer than ${timeoutMs / 1000} s and was killed`, {
      subject: program,
    });
  }
  if (reason !== undefined) {
    return new Failure("NETWORK_FAILED", `${sentence}: it wrote more than ${longestAnswer} bytes`, {
      subject: program,
    });
  }
  const { code, msg, details } = errorOf(stdout);
  const meaning = code === undefined ? undefined : meanings.get(code);
  const words = [
    ...(code === undefined ? [] : [`code ${code}${meaning === undefined ? "" : ` (${meaning})`}`]),
    ...(details === "" ? [] : [excerpt(details)]),
    ...(msg === "" && stderr.trim() !== "" ? [excerpt(stderr.trim())] : []),
  ];
  return new Failure("NETWORK_FAILED", msg === "" ? sentence : `${sentence}: ${excerpt(msg)}`, {
    subject: program,
    cause: words.length === 0 ? undefined : words.join("; "),
  });
}

function errorOf(stdout: string): { readonly code?: number; readonly msg: string; readonly details: string } {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    return { msg: "", details: stdout.trim() };
  }
  if (!isObject(value)) return { msg: "", details: "" };
  const { code, msg, details } = value;
  return {
    ...(typeof code === "number" && { code }),
    msg: typeof msg === "string" ? msg : "",
    details: typeof details === "string" ? details : "",
  };
}
