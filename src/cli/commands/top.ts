/** perigee top */
import { sortKeys, topPods, type UsedByApp, type UsedByPod } from "../../api/top.ts";
import { excerpt, Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { parseDuration } from "../durations.ts";
import { isTerminal } from "../output.ts";
import { formatTable, humanSize } from "../tables.ts";

/** Shorter looks would mostly look at the cost of looking. */
const [usualMs, leastMs] = [2000, 100];

export default defineCommand({
  name: "top",
  arguments: "[pod...]",
  summary: "Show what running pods and their apps use",
  description:
    "Processor (100% is one), memory, processes and threads, bytes from and to disks. On a terminal the table is renewed until it is interrupted; elsewhere, and with --once, it is shown once. With --interval it is repeated wherever it goes, in JSON as one array a line.",
  options: [
    ["--once", "one sample, also on a terminal"],
    ["--interval <duration>", "from one sample to the next; 2s when it is not said"],
    ["--sort <column>", "cpu, memory, pids, io or name", "cpu"],
  ],
  examples: ["perigee top", "perigee top --once --sort memory", "perigee top --interval 10s --format json web"],
  notes: ["3: there is no such pod", "6: the pod does not run", "130: interrupted"],
  async run({ args, options, settings, signal, format, emit, screen }) {
    const given = options.text("interval");
    const isRepeated = !options.flag("once") && (given !== undefined || (format === "table" && isTerminal(1)));
    let last: readonly UsedByPod[] = [];
    await topPods(
      settings,
      {
        pods: args,
        sort: sortKey(options.text("sort") ?? "cpu"),
        intervalMs: isRepeated ? interval(given) : undefined,
        signal,
      },
      (sample) => {
        last = sample;
        if (!isRepeated) return;
        if (format === "table") screen(tableOf(sample));
        else emit("", sample);
      },
    );
    return isRepeated ? undefined : last;
  },
  text: (sample) => (sample === undefined ? [] : tableOf(sample)),
  json: (sample) => sample,
});

function interval(text: string | undefined): number {
  const milliseconds = text === undefined ? usualMs : parseDuration(text, "--interval");
  if (milliseconds >= leastMs) return milliseconds;
  throw new Failure("USAGE", `--interval is ${leastMs}ms at least`, { subject: text });
}

function sortKey(text: string): (typeof sortKeys)[number] {
  const key = sortKeys.find((candidate) => candidate === text);
  if (key !== undefined) return key;
  throw new Failure("USAGE", `--sort is one of ${sortKeys.join(", ")}, not ${excerpt(text)}`, { subject: text });
}

const headers = ["POD", "NAME", "APP", "CPU", "MEMORY", "PIDS", "READ", "WRITTEN"];

/** The row of a pod of one app is the app's. */
function tableOf(pods: readonly UsedByPod[]): readonly string[] {
  const rows = pods.flatMap((pod) => {
    const [only, ...others] = pod.apps;
    const head = [pod.uuid.slice(0, 8), printable(pod.name ?? "")];
    if (only !== undefined && others.length === 0) return [[...head, only.app, ...cells(pod)]];
    return [[...head, "", ...cells(pod)], ...pod.apps.map((app) => ["", "", app.app, ...cells(app)])];
  });
  return [...formatTable(headers, rows), ...remarks(pods)];
}

function cells(used: Omit<UsedByApp, "app">): readonly string[] {
  const size = (bytes: number | undefined): string => (bytes === undefined ? "-" : humanSize(bytes));
  return [
    used.cpuPercent === undefined ? "-" : `${used.cpuPercent.toFixed(1)}%`,
    size(used.memory),
    used.pids === undefined ? "-" : String(used.pids),
    size(used.read),
    size(used.written),
  ];
}

/** Why a number is not what a cgroup counted, and why one is not there. */
function remarks(pods: readonly UsedByPod[]): readonly string[] {
  const all = pods.flatMap((pod) => [pod, ...pod.apps]);
  const summed = [...new Set(all.flatMap((used) => used.summed))];
  const isMissing = all.some((used) => cells(used).includes("-"));
  return [
    ...(summed.length === 0
      ? []
      : [`${summed.join(", ")}: where no cgroup counts it, the sum over the processes that live now`]),
    ...(isMissing
      ? ["-: not known: no cgroup counts it, and its processes cannot be looked at, or were not there before"]
      : []),
  ];
}
