/**
 * A sample of what `npm run faults` tries at every step of a pod's life: kill -9 of the process that makes a call (stage0, the supervisor,
 * init, an app on its way to be executed), or of all of them at once. After each: `list` tells the truth, one gc clears up, the command works.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { podFlows } from "../faults/pod-flows.ts";
import { countSteps, killAt, type PodStage, podStage } from "../faults/pod-trials.ts";
import { spread } from "../faults/trials.ts";
import { FaultWorld } from "../faults/world.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";

const clean = leakSnapshot();
let world: FaultWorld;
let on: PodStage;
before(async () => {
  world = await FaultWorld.open();
  on = podStage(world);
});
after(async () => {
  await world.close();
  await assertNothingLeft(clean);
});

/** How many steps of each flow are the last of all its processes, and of the one that makes the call. */
const samples: Readonly<Record<string, { readonly all: number; readonly one: number }>> = {
  run: { all: 6, one: 12 },
  "run-detached": { all: 2, one: 4 },
  prepare: { all: 4, one: 1 },
  "run-prepared": { all: 3, one: 4 },
  stop: { all: 2, one: 1 },
  "stop-force": { all: 2, one: 1 },
  enter: { all: 3, one: 3 },
  rm: { all: 4, one: 2 },
  "gc-pods": { all: 4, one: 2 },
};

describe("T-K02, LIFE-112: kill -9 at steps of", () => {
  for (const [name, { all, one }] of Object.entries(samples)) {
    it(`${name}: of all its processes at ${all}, of the one that makes the call at ${one}`, async () => {
      const steps = await countSteps(on, name);
      assert.ok(steps > 0, "there are steps to die at");
      assert.deepEqual((await killAt(on, name, "all", spread(steps, all, 2))).problems, []);
      assert.deepEqual((await killAt(on, name, "one", spread(steps, one, 3))).problems, []);
    });
  }
});

it("every flow has a sample", () => assert.deepEqual(Object.keys(samples), Object.keys(podFlows)));
