/**
 * A sample of what `npm run faults` tries at every call: kill -9, errors of the disk and of the descriptor table, and losses of power, in the
 * commands that change what is stored or trusted. After each fault all invariants of spec/store.md are looked at.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { flows } from "../faults/flows.ts";
import { losePower, powerPoints } from "../faults/power.ts";
import { countCalls, faults, type Stage, spread, stage, tryAll } from "../faults/trials.ts";
import { FaultWorld } from "../faults/world.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";

const clean = leakSnapshot();
let world: FaultWorld;
before(async () => {
  world = await FaultWorld.open();
});
after(async () => {
  await world.close();
  await assertNothingLeft(clean);
});

/** How many calls of each flow meet each fault here. */
const samples: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  import: { kill: 5, "kill-one": 2, ENOSPC: 4, EIO: 3, "EIO-read": 1, EMFILE: 2, ENFILE: 1, power: 3 },
  "fetch-https": { kill: 4, ENOSPC: 2, EIO: 2, EMFILE: 1 },
  "fetch-file": { kill: 2, EIO: 1 },
  trust: { kill: 3, ENOSPC: 2, EIO: 2, power: 2 },
  "trust-rm": { kill: 2, EIO: 1 },
  "image-rm": { kill: 2, EIO: 2 },
  gc: { kill: 3, "kill-one": 1, ENOSPC: 1, EIO: 2, EMFILE: 1 },
  publish: { kill: 3, EIO: 2 },
};

const ids: Readonly<Record<string, string>> = { kill: "T-K01, T-K02", "kill-one": "T-K01, T-K02", power: "T-K03" };

async function tryFault(on: Stage, fault: string, count: number): Promise<readonly string[]> {
  const calls = await countCalls(on, faults[fault]?.calls ?? "change");
  assert.ok(calls > 0, "there are calls to fail");
  if (fault !== "power") return (await tryAll(on, fault, spread(calls, count, 2))).problems;
  const points = powerPoints(on.world.calls());
  // The last of them is the end of the command, where what it said must hold.
  const some = spread(points.length - 1, count - 1).map((index) => points[index - 1] ?? 0);
  return (await losePower(on, [...some, 0])).problems;
}

for (const [name, sample] of Object.entries(samples)) {
  describe(`I1 to I9, DUR-1, DUR-2, DUR-6: ${name}`, () => {
    let on: Stage;
    before(async () => {
      on = await stage(world, name, flows[name] ?? assert.fail(name));
    });
    for (const [fault, count] of Object.entries(sample)) {
      it(`${ids[fault] ?? "T-K04"}: ${fault} at ${count} calls`, async () => {
        assert.deepEqual(await tryFault(on, fault, count), []);
      });
    }
  });
}

const disks = ["/dev/loop-control", "/sbin/mkfs.ext4", "/usr/bin/unshare"].find((path) => !existsSync(path));
const skip = disks === undefined ? false : `no disk can be made: ${disks} is not there`;

it("T-K03, DUR-1, DUR-2: power lost on an ext4 disk while an image is imported", { skip }, () => {
  const script = fileURLToPath(new URL("../faults/disk-main.js", import.meta.url));
  const line = ["--mount", process.execPath, script, "--points", "3", "import"];
  const { status, stdout, stderr } = spawnSync("unshare", line, { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^import disk: lost at 3 points, 3 disks, 0 problems\n/);
});

it("every flow has a sample", () => assert.deepEqual(Object.keys(samples), Object.keys(flows)));
