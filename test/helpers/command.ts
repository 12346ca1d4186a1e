/** Runs the compiled command line as a process of its own. */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const program = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src", "cli", "main.js");

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `perigee ARGS` with the data directory `data` and no configuration of the machine. */
export function perigee(data: string, ...args: readonly string[]): CommandResult {
  return perigeeIn(process.cwd(), data, ...args);
}

/** As `perigee`, with the working directory `directory`. */
export function perigeeIn(directory: string, data: string, ...args: readonly string[]): CommandResult {
  const none = join(data, "no-configuration");
  const globals = ["--dir", data, "--system-config", none, "--local-config", none, "--user-config", none];
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args, ...globals], {
    encoding: "utf8",
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "" },
  });
  return { status, stdout, stderr };
}
