/** Every fault at every call: `npm run faults -- [--every N] [--fault NAME]… [--at N] [FLOW…]`. Prints counts, and what did not hold. Fault `disk` and the flows about pods need root. */
import { fail } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { flows } from "./flows.ts";
import { podFlows } from "./pod-flows.ts";
import { countSteps, type Killed, killAt, type PodStage, podStage } from "./pod-trials.ts";
import { losePower, losePowerAgain, powerPoints } from "./power.ts";
import { countCalls, faults, type Stage, spread, stage, tryAll } from "./trials.ts";
import { FaultWorld } from "./world.ts";

const { values, positionals } = parseArgs({
  options: {
    every: { type: "string", default: "1" },
    fault: { type: "string", multiple: true },
    at: { type: "string" },
  },
  allowPositionals: true,
});
const known = [...Object.keys(faults), "power", "power-again", "disk"];
const unknown = [...(values.fault ?? [])].filter((name) => !known.includes(name));
if (unknown.length > 0) throw new Error(`there is no fault ${unknown[0]}; there are ${known.join(", ")}`);
const pick = (points: readonly number[]) =>
  values.at === undefined ? points.filter((_, index) => index % Number(values.every) === 0) : [Number(values.at)];
let total = 0;

function say(line: string, problems: readonly string[]): void {
  process.stdout.write(`${line}, ${problems.length} problems\n`);
  for (const problem of problems) process.stdout.write(`${problem.slice(0, 1500).replace(/^/gm, "    ")}\n`);
  if (problems.length > 0) process.exitCode = 1;
}

async function tryFault(on: Stage, fault: string): Promise<void> {
  const kind = faults[fault];
  if (kind === undefined) {
    await countCalls(on, "change");
    const lose = fault === "power" ? losePower : losePowerAgain;
    const { points, images, problems } = await lose(on, pick(powerPoints(on.world.calls())));
    total += images;
    say(`${on.name} ${fault}: lost at ${points} points, ${images} disks`, problems);
    return;
  }
  const count = await countCalls(on, kind.calls);
  const { tried, ends, problems } = await tryAll(on, fault, pick(spread(count, count)));
  total += tried;
  const ended = `${ends.killed} killed, ${ends.failed} failed, ${ends.succeeded} succeeded`;
  say(`${on.name} ${fault}: ${count} calls, ${tried} tried: ${ended}`, problems);
}

const kills: Readonly<Record<string, Killed>> = { kill: "all", "kill-one": "one" };

async function killPods(on: PodStage, name: string): Promise<void> {
  for (const [fault, kill] of Object.entries(kills)) {
    if (values.fault?.includes(fault) === false) continue;
    const count = await countSteps(on, name);
    const { tried, problems } = await killAt(on, name, kill, pick(spread(count, count)));
    total += tried;
    say(`${name} ${fault}: ${count} steps, ${tried} tried`, problems);
  }
}

/** Those that are named; all, when none is. */
const wanted = (names: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(names).filter((name) => positionals.length === 0 || positionals.includes(name));

const world = await FaultWorld.open();
try {
  for (const name of wanted(flows)) {
    const on = await stage(world, name, flows[name] ?? fail(name));
    for (const fault of values.fault ?? known) if (fault !== "disk") await tryFault(on, fault);
  }
  const named = wanted(podFlows);
  if (named.length > 0) {
    const on = podStage(world);
    for (const name of named) await killPods(on, name);
  }
} finally {
  await world.close();
}
if ((values.fault ?? known).includes("disk") && wanted(flows).length > 0) {
  const script = fileURLToPath(new URL("disk-main.js", import.meta.url));
  const at = values.at === undefined ? [] : ["--at", values.at];
  const line = ["--mount", process.execPath, script, "--every", values.every, ...at, ...positionals];
  process.exitCode ||= spawnSync("unshare", line, { stdio: "inherit" }).status ?? 1;
}
process.stdout.write(`${total} faults in all\n`);
