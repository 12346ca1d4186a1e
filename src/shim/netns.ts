/** The user and network namespace of a pod that is yet to start, made by perigee-shim; and bridges that it removes. */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { answerOf, requireStreams, shimFailure, startVerb } from "./child.ts";

/** Descriptors of this process, which the shim takes over when it starts the pod. */
export interface PodNamespaces {
  /** undefined: the host's. */
  readonly user: number | undefined;
  readonly net: number;
}

/**
 * New namespaces, with `lo` up. They last as long as the descriptors, or as something that has taken them over. `ids`: the pod's range, for a
 * user namespace that owns the network namespace. @throws Failure SHIM_FAILED, SHIM_MISSING, IO_FAILED
 */
export async function makeNamespaces(
  ids: { readonly base: number; readonly count: number } | undefined,
): Promise<PodNamespaces> {
  const args = ids === undefined ? [] : [ids.base, ids.count].map(String);
  const child = spawn(shimPath(), ["netns", ...args], { env: {}, cwd: "/", stdio: ["pipe", "pipe", "pipe"] });
  requireStreams(child);
  let report = "";
  child.stderr.setEncoding("latin1").on("data", (part: string) => (report += part));
  child.stdin.on("error", () => {});
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", (error) => reject(ioFailure(error, "cannot start perigee-shim", shimPath())));
    child.on("close", (status, signal) => resolve(signal ?? `exit status ${status}`));
  });
  try {
    const line = await Promise.race([
      firstLine(child.stdout),
      ended.then((how) => Promise.reject(shimFailure("netns", report, how))),
    ]);
    return openNamespaces(line, ids !== undefined);
  } finally {
    child.stdin.end();
    // Reaped here: in the foreground this process becomes the pod's supervisor, which knows nothing of it.
    await ended.catch(() => {});
  }
}

function openNamespaces(line: string, hasUser: boolean): PodNamespaces {
  const pid = /^\{"pid":(\d{1,10})\}$/.exec(line)?.[1];
  if (pid === undefined) throw new Failure("SHIM_FAILED", "perigee-shim netns did not say where the namespaces are");
  const user = hasUser ? openSync(`/proc/${pid}/ns/user`, constants.O_RDONLY) : undefined;
  try {
    return { user, net: openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY) };
  } catch (error) {
    if (user !== undefined) closeSync(user);
    throw ioFailure(error, "cannot open the pod's network namespace", pid);
  }
}

export function closeNamespaces({ user, net }: PodNamespaces): void {
  if (user !== undefined) closeSync(user);
  closeSync(net);
}

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.setEncoding("latin1").on("data", (part: string) => {
      text += part;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
}

/** A bridge that is gone is fine. @throws Failure SHIM_FAILED */
export async function removeBridge(name: string): Promise<void> {
  await answerOf(startVerb("bridge-remove", [name], "/"));
}
