/** Running a command in an app of a pod that runs: the shim as a child, or in place of this process. Knows nothing of what is in the plan. */
import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { shimPath } from "./binary.ts";
import { requireStreams } from "./child.ts";
import { clearCloexec, execve } from "./libc.ts";
import { handleOf, openForReading, type RunHandle, type StandardStream } from "./run.ts";

export interface EnterRequest {
  /** The file with the plan by which the pod was started. */
  readonly plan: string;
  readonly uuid: string;
  readonly app: string;
  /** The app's own process, as the pod's supervisor recorded it. */
  readonly process: { readonly pid: number; readonly startTime: string };
  /** Empty: /bin/bash if the app has it, else /bin/sh. */
  readonly command: readonly string[];
  /** The value of TERM: the command has a terminal of its own, which the caller's is connected with. */
  readonly terminal?: string | undefined;
}

/**
 * Runs the command as a child process of this one, with which it ends. `app-started` is the only event of one that was executed.
 * @throws Failure SHIM_MISSING, IO_FAILED, NOT_FOUND
 */
export function spawnEnter(
  request: EnterRequest,
  [stdin, stdout, stderr]: readonly [StandardStream, StandardStream, StandardStream],
): RunHandle {
  const plan = openForReading(request.plan);
  try {
    const child = spawn(shimPath(), argumentsOf(request, 3, ["--events", "4"]), {
      cwd: "/",
      env: {},
      stdio: [stdin, stdout, stderr, plan, "pipe"],
    });
    requireStreams(child);
    return handleOf(child, false);
  } finally {
    closeSync(plan);
  }
}

/**
 * This process becomes the shim. Neither process.stdin nor process.stdout may have been touched.
 * @throws Failure if that was not possible; returns in no other way
 */
export function replaceWithEnter(request: EnterRequest, { report }: { readonly report: "text" | "json" }): never {
  const plan = openForReading(request.plan);
  for (const fd of [0, 1, 2, plan]) clearCloexec(fd);
  execve(shimPath(), ["perigee-shim", ...argumentsOf(request, plan, ["--report", report])], []);
}

function argumentsOf(request: EnterRequest, plan: number, options: readonly string[]): readonly string[] {
  const { uuid, app, process, command, terminal } = request;
  const words = ["enter", plan, uuid, app, process.pid, process.startTime, ...options].map(String);
  return [...words, ...(terminal === undefined ? [] : ["--terminal", terminal]), "--", ...command];
}
