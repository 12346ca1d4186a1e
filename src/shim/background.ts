/** A program of ours that goes on when this one has ended. Knows nothing of what it does. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { ioFailure } from "../base/files.ts";
import { readStateText } from "../base/state-file.ts";
import { requireStreams } from "./child.ts";

/** Where programs of the host look for others, whatever the caller's environment says. */
export const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface BackgroundProgram {
  /** What it wrote to standard error, once it has ended; undefined while it runs. */
  failure(): string | undefined;
}

/**
 * Starts `path args…` in a session of its own, at `/`, without this process's environment and descriptors; what it says is kept in the file
 * `report`, in place of what was there. @throws Failure IO_FAILED, LIMIT_EXCEEDED
 */
export function startInBackground(path: string, args: readonly string[], report: string): BackgroundProgram {
  let descriptor: number;
  try {
    descriptor = openSync(report, "w", 0o600);
  } catch (error) {
    throw ioFailure(error, `cannot write ${report}`, report);
  }
  try {
    const child = spawn(path, args, {
      cwd: "/",
      env: { PATH: hostPath, HOME: "/" },
      stdio: ["ignore", "ignore", descriptor],
      detached: true,
    });
    requireStreams(child);
    let ending: string | undefined;
    child.on("error", (error) => (ending = error.message));
    child.on("exit", (status, signal) => (ending ??= `it ended with ${signal ?? `exit status ${status}`}`));
    child.unref();
    return { failure: () => (ending === undefined ? undefined : readStateText(report)?.trim() || ending) };
  } finally {
    closeSync(descriptor);
  }
}
