/**
 * A sample of what `npm run faults` tries at every call: kill -9, errors of the disk and of the descriptor table, and losses of power, in the
 * commands that change what is stored or trusted. After each fault all invariants of spec/store.md are looked at.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { flows } from "../faults/flows.ts";
import { isSync, losePower, losePowerAgain, powerPoints } from "../faults/power.ts";
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
  "fetch-oci": { kill: 1, EIO: 1, power: 2 },
  trust: { kill: 3, ENOSPC: 2, EIO: 2, power: 2, "power-again": 2 },
  "trust-rm": { kill: 2, EIO: 1, "power-again": 1 },
  "image-rm": { kill: 2, EIO: 2 },
  gc: { kill: 3, "kill-one": 1, ENOSPC: 1, EIO: 2, EMFILE: 1 },
  publish: { kill: 3, EIO: 2 },
};

const ids: Readonly<Record<string, string>> = {
  kill: "T-K01, T-K02",
  "kill-one": "T-K01, T-K02",
  power: "T-K03",
  "power-again": "T-K03",
};

async function tryFault(on: Stage, fault: string, count: number): Promise<readonly string[]> {
  const calls = await countCalls(on, faults[fault]?.calls ?? "change");
  assert.ok(calls > 0, "there are calls to fail");
  const isPower = fault === "power" || fault === "power-again";
  if (!isPower) return (await tryAll(on, fault, spread(calls, count, 2))).problems;
  const points = powerPoints(on.world.calls());
  // The last of them is the end of the command, where what it said must hold.
  const some = (many: number) => spread(points.length - 1, many).map((index) => points[index - 1] ?? 0);
  const tally = await (fault === "power" ? losePower(on, [...some(count - 1), 0]) : losePowerAgain(on, some(count)));
  assert.equal(tally.points, count);
  return tally.problems;
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

it("DUR-2: names of layers and blobs that a fetch finds are synced before the image is listed", async () => {
  const flow = flows["fetch-oci"] ?? assert.fail();
  await stage(world, "fetch-oci", flow);
  const { status, stderr } = await world.faulty(flow.args(world), { calls: "change" });
  assert.equal(status, 0, stderr);
  const store = world.work.path("data", "store");
  const calls = world.calls();
  const listed = calls.findIndex(({ name, to }) => /^rename/.test(name) && dirname(to) === join(store, "index"));
  const synced = new Set(calls.slice(0, listed).flatMap((call) => (isSync(call) ? [call.path] : [])));
  const shelves = readdirSync(join(store, "blobs", "oci")).map((shelf) => join("blobs", "oci", shelf));
  assert.ok(shelves.length > 0);
  for (const path of ["blobs", "blobs/oci", "layers", ...shelves]) assert.ok(synced.has(join(store, path)), path);
});

it("T-K04: a full disk is told as one where directories of blobs are made", async () => {
  const on = await stage(world, "fetch-oci", flows["fetch-oci"] ?? assert.fail());
  await countCalls(on, "change");
  const shelves = world.work.path("data", "store", "blobs", "oci");
  const at = world.calls().findIndex(({ name, path }) => /^mkdir/.test(name) && dirname(path) === shelves);
  assert.ok(at >= 0);
  assert.deepEqual((await tryAll(on, "ENOSPC", [at + 1])).problems, []);
});

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
