/** Whole commands timed from outside, alternating, so that a machine whose speed drifts gives honest ratios. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Command {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Before and after every run, outside of the time. */
  readonly before?: (() => void) | undefined;
  readonly after?: (() => void) | undefined;
}

export interface Timing {
  readonly name: string;
  /** Milliseconds. */
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly runs: number;
}

/** Runs every command once unmeasured, then `runs` rounds of all of them in turn. @throws Error when one fails */
export function alternate(commands: readonly Command[], runs: number): readonly Timing[] {
  const samples = commands.map((): number[] => []);
  for (let round = -1; round < runs; round++) {
    commands.forEach((command, index) => {
      const milliseconds = runOnce(command);
      if (round >= 0) samples[index]?.push(milliseconds);
    });
  }
  return commands.map((command, index) => summary(command.name, samples[index] ?? []));
}

/** The medians of one alternating run, divided. */
export function ratio(of: Timing, to: Timing): number {
  return of.median / to.median;
}

function summary(name: string, times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (index: number) => sorted[Math.max(0, Math.min(sorted.length - 1, index))] ?? Number.NaN;
  return {
    name,
    min: at(0),
    median: at(Math.floor(sorted.length / 2)),
    max: at(sorted.length - 1),
    runs: sorted.length,
  };
}

const timeFile = join(tmpdir(), `perigee-bench-${process.pid}.time`);
const hasTime = spawnSync("/usr/bin/time", ["--version"]).status === 0;

function runOnce(command: Command): number {
  command.before?.();
  const [program = "", ...args] = command.argv;
  const start = process.hrtime.bigint();
  const result = spawnSync(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: environment(command.env),
    cwd: command.cwd,
  });
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
  command.after?.();
  if (result.status !== 0) {
    throw new Error(
      `${command.argv.join(" ")}: ${result.error?.message ?? `exit ${result.status}`}\n${result.stderr?.toString() ?? ""}`,
    );
  }
  return milliseconds;
}

/** The peak resident set of one run in KiB; its time is not used, because the wrapper costs some. */
export function peakMemory(command: Command): number | undefined {
  if (!hasTime) return undefined;
  command.before?.();
  spawnSync("/usr/bin/time", ["-f", "%M", "-o", timeFile, ...command.argv], {
    stdio: "ignore",
    env: environment(command.env),
    cwd: command.cwd,
  });
  command.after?.();
  const peak = Number(readFileSync(timeFile, "utf8").trim().split("\n").at(-1));
  rmSync(timeFile, { force: true });
  return peak;
}

/** NODE_EXTRA_CA_CERTS makes Node 20 parse certificates at every start: 40–70 ms that say nothing about the program. */
function environment(extra: Readonly<Record<string, string>> | undefined): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  return { ...inherited, ...extra };
}

/** What an earlier run left to be written, where `directory` is, must not be paid by the next one. */
export function settle(directory: string, change: () => void): void {
  change();
  spawnSync("sync", ["-f", directory]);
}

/** Whether a program is on PATH. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}
