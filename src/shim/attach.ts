/** Connecting standard descriptors with those of an app in the background: the shim as a child, or in place of this process. */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { requireStreams } from "./child.ts";
import { clearCloexec, execve } from "./libc.ts";
import { handleOf, type RunHandle, type StandardStream } from "./run.ts";

export interface AttachRequest {
  /** The pod's directory, where its supervisor listens. */
  readonly directory: string;
  readonly app: string;
  /** `none`: nothing is sent; `keep`: the app's input stays open when this one ends; `end`: it ends too. */
  readonly input: "none" | "keep" | "end";
  /** The bytes of the keys that leave the app, typed on a terminal; empty: none do. */
  readonly detachKeys: Uint8Array;
}

/**
 * As a child process of this one. Its events are `attached`, `failed` and `exited`, whose status is the app's when that ended.
 * @throws Failure SHIM_MISSING, IO_FAILED, NOT_FOUND
 */
export function spawnAttach(
  request: AttachRequest,
  [stdin, stdout, stderr]: readonly [StandardStream, StandardStream, StandardStream],
): RunHandle {
  const pod = openDirectory(request.directory);
  try {
    const child = spawn(shimPath(), argumentsOf(request, 3, ["--events", "4"]), {
      cwd: "/",
      env: {},
      stdio: [stdin, stdout, stderr, pod, "pipe"],
    });
    requireStreams(child);
    return handleOf(child, false);
  } finally {
    closeSync(pod);
  }
}

/**
 * This process becomes the shim. Neither process.stdin nor process.stdout may have been touched.
 * @throws Failure if that was not possible; returns in no other way
 */
export function replaceWithAttach(request: AttachRequest, { report }: { readonly report: "text" | "json" }): never {
  const pod = openDirectory(request.directory);
  for (const fd of [0, 1, 2, pod]) clearCloexec(fd);
  execve(shimPath(), ["perigee-shim", ...argumentsOf(request, pod, ["--report", report])], []);
}

function argumentsOf({ app, input, detachKeys }: AttachRequest, pod: number, options: readonly string[]) {
  const keys = Buffer.from(detachKeys).toString("hex");
  return ["attach", String(pod), app, ...options, "--keys", keys, "--input", input];
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    throw ioFailure(error, `cannot open ${path}`, path);
  }
}
