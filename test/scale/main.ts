/**
 * What `npm test` does with few pods, with many: `npm run scale [-- [--pods N] [ROUND…]]`. Needs root; takes minutes, and prints a table. Whatever
 * fails or is left behind is an error; figures are compared with what issue and specification promise (LIFE-111).
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/failure.ts";
import { guestImage } from "../helpers/guest-work.ts";
import { assertNothingLeft, leakSnapshot, type Snapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";
import { freshSeed } from "../helpers/random.ts";
import { mix } from "./mixed.ts";
import { assertRunning, atOnce, endAll, killSome, memoryOf, oneAfterAnother, runningTogether } from "./rounds.ts";
import { storm } from "./storm.ts";

const { values, positionals } = parseArgs({
  options: { pods: { type: "string", default: "500" } },
  allowPositionals: true,
});
const together = Number(values.pods);

interface Line {
  readonly what: string;
  readonly failures: readonly string[];
  readonly figures: string;
  /** What is not as promised. */
  readonly missed?: readonly string[];
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const ms = (value: number): string => `${value.toFixed(0)} ms`;
const mebi = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(2)} MiB`;
const notAbove = (what: string, value: number, limit: number): readonly string[] =>
  value <= limit ? [] : [`${what}: ${value.toFixed(2)} > ${limit}`];

async function running(work: Workspace): Promise<Line> {
  const { round, pods } = await runningTogether(work, together);
  assertRunning(work, pods);
  const tenth = Math.max(1, Math.floor(together / 25));
  const [first, last] = [median(round.milliseconds.slice(0, tenth)), median(round.milliseconds.slice(-tenth))];
  const memory = pods.map(memoryOf);
  const most = Math.max(...memory);
  const killed = Math.floor(pods.length * 0.4);
  const others = await killSome(work, pods, { supervisors: killed, inits: Math.floor(killed / 2) });
  assertRunning(work, others);
  return {
    what: `${round.what}; then kill -9 of ${killed} supervisors and ${Math.floor(killed / 2)} inits`,
    failures: round.failures,
    figures: `the first ${tenth} started in ${ms(first)}, the last ${tenth} in ${ms(last)} (medians); memory ${mebi(median(memory))} a pod, at most ${mebi(most)}`,
    missed: [
      ...notAbove("start of the last pods by that of the first", last / first, 1.3),
      ...notAbove("memory of a pod in MiB", most / 1024 ** 2, 2),
    ],
  };
}

const rounds: Readonly<Record<string, (work: Workspace) => Promise<Line>>> = {
  running,
  sequence: async (work) => {
    const { what, failures, milliseconds } = await oneAfterAnother(work, 2 * together);
    return { what, failures, figures: `${ms(median(milliseconds))} each (median)` };
  },
  burst: async (work) => {
    const begun = performance.now();
    const { what, failures } = await atOnce(work, Math.floor(0.4 * together));
    return { what, failures, figures: `${ms(performance.now() - begun)} for all` };
  },
  mixed: async (work) => {
    const names = ["one", "two", "three", "four", "five"].map((name) => `example.com/${name}`);
    const images = new Map(names.map((name) => [name, work.image(name)] as const));
    for (const archive of images.values()) work.must(["--insecure-options=image", "fetch", archive]);
    const [seed, workers, commands] = [freshSeed(), 16, Math.ceil(together / 10)];
    const failures = await mix(work, { workers, commands, seed, images });
    return { what: `${workers} workers at once, ${commands} commands each`, failures, figures: `seed ${seed}` };
  },
  storm: async (work) => {
    const [seed, kills] = [freshSeed(), Math.ceil(together / 2)];
    await storm(work, { kills, every: 10, seed });
    return { what: `${kills} kills at random instants`, failures: [], figures: `seed ${seed}` };
  },
};

/** Of the whole machine: others on it change them, too. */
function kernelCounts(): Readonly<Record<string, number>> {
  const keys = readFileSync("/proc/keys", "latin1").split("\n").length - 1;
  return { "open files": Number.parseInt(readFileSync("/proc/sys/fs/file-nr", "latin1"), 10), keys };
}

async function measure(work: Workspace, round: (work: Workspace) => Promise<Line>): Promise<boolean> {
  const [clean, counts] = [leakSnapshot(), kernelCounts()];
  const { what, failures, figures, missed = [] } = await round(work);
  await endAll(work);
  const left = await leftBehind(clean);
  const after = kernelCounts();
  const drift = Object.entries(counts).map(([name, count]) => `${name} ${(after[name] ?? 0) - count}`);
  process.stdout.write(`| ${what} | ${failures.length} | ${left.length} | ${drift.join(", ")} | ${figures} |\n`);
  for (const failure of failures.slice(0, 10)) process.stdout.write(`${failure.replace(/^/gm, "    ")}\n`);
  for (const line of left) process.stdout.write(`    left behind: ${line}\n`);
  for (const line of missed) process.stdout.write(`    missed: ${line}\n`);
  return failures.length + left.length + missed.length === 0;
}

/** Processes, mounts, cgroups, namespaces, links, temporary files: one line each. */
async function leftBehind(clean: Snapshot): Promise<readonly string[]> {
  try {
    await assertNothingLeft(clean);
    return [];
  } catch (error) {
    return messageOf(error)
      .split("\n")
      .filter((line) => /^[a-z ]+: [+-] /.test(line));
  }
}

const work = new Workspace();
try {
  work.stored(guestImage, { exec: ["/guest"] });
  process.stdout.write("| what | failures | left behind | drift on the machine | figures |\n|---|---|---|---|---|\n");
  for (const [name, round] of Object.entries(rounds)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    if (!(await measure(work, round))) process.exitCode = 1;
  }
} finally {
  await endAll(work);
  await work.close();
}
