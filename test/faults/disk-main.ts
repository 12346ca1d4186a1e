/** Losses of power on a disk: `unshare --mount … node disk-main.js [--every N] [--points N] [--at N] [FLOW…]`, which main.ts starts. Prints counts, and what did not hold. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Disk } from "./disk.ts";
import { flows } from "./flows.ts";
import { losePower, powerPoints } from "./power.ts";
import { countCalls, spread, stage } from "./trials.ts";
import { FaultWorld } from "./world.ts";

const { values, positionals } = parseArgs({
  options: { every: { type: "string", default: "1" }, points: { type: "string" }, at: { type: "string" } },
  allowPositionals: true,
});

/** The last is the end of the command, where what it said must hold. */
function pick(all: readonly number[]): readonly number[] {
  if (values.at !== undefined) return [Number(values.at)];
  if (values.points === undefined) return all.filter((_, index) => index % Number(values.every) === 0);
  return [...spread(all.length - 1, Number(values.points) - 1).map((index) => all[index - 1] ?? 0), 0];
}

/** A disk that loses nothing would prove nothing. */
function requireLosses(disk: Disk): void {
  const [synced, other] = [join(disk.path, "synced"), join(disk.path, "other")];
  writeFileSync(synced, "synced");
  disk.sync();
  writeFileSync(other, "not synced");
  const left = disk.afterCrash(disk.path, (path) => {
    const found = existsSync(join(path, "other")) ? readFileSync(join(path, "other"), "utf8") : "";
    return [readFileSync(join(path, "synced"), "utf8"), found];
  });
  assert.deepEqual(left, ["synced", ""], "what was synced is on the disk, and nothing else");
  rmSync(synced);
  rmSync(other);
}

const disk = Disk.open();
try {
  requireLosses(disk);
  process.env["TMPDIR"] = disk.path;
  const world = await FaultWorld.open();
  try {
    for (const name of positionals.length > 0 ? positionals : Object.keys(flows)) {
      const flow = flows[name];
      if (flow === undefined) throw new Error(`there is no flow ${name}`);
      const on = await stage(world, name, flow);
      await countCalls(on, "change");
      const { points, images, problems } = await losePower(on, pick(powerPoints(world.calls())), disk);
      process.stdout.write(`${name} disk: lost at ${points} points, ${images} disks, ${problems.length} problems\n`);
      for (const problem of problems) process.stdout.write(`${problem.slice(0, 1500).replace(/^/gm, "    ")}\n`);
      if (problems.length > 0) process.exitCode = 1;
    }
  } finally {
    await world.close();
  }
} finally {
  disk.close();
}
