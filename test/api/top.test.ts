import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { topPods, type UsedByPod } from "../../src/api/top.ts";
import { fails } from "../helpers/failures.ts";
import { end, running, settingsOf } from "../helpers/pod-directories.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();

async function samplesOf(options: Parameters<typeof topPods>[1] = {}): Promise<readonly (readonly UsedByPod[])[]> {
  const samples: (readonly UsedByPod[])[] = [];
  await topPods(scene.world.settings, options, (sample) => samples.push(sample));
  return samples;
}

describe("topPods (LIFE-87)", () => {
  it("knows what pods and their apps use, and sorts them", async () => {
    const { world, image } = scene;
    const idle = await world.start(image, ["wait"], { podName: "idle-one" });
    const apps = ["one", "two"].map((name) => ({ image, name, args: name === "one" ? ["busy", "60"] : ["wait"] }));
    const busy = await world.start(image, [], { apps });
    const [sample = []] = await samplesOf();
    assert.deepEqual(
      sample.map(({ uuid }) => uuid),
      [busy.uuid, idle.uuid],
    );
    const [first, second] = sample;
    assert.equal(second?.name, "idle-one");
    assert.deepEqual(
      first?.apps.map(({ app, pids }) => [app, pids]),
      [
        ["one", 1],
        ["two", 1],
      ],
    );
    const [one, two] = first?.apps ?? [];
    assert.ok(Number(one?.cpuPercent) > Number(two?.cpuPercent), JSON.stringify(first));
    for (const used of [first, second, one, two]) {
      assert.ok(
        Number(used?.memory) > 0 && Number(used?.read) >= 0 && Number(used?.written) >= 0,
        JSON.stringify(used),
      );
    }
    assert.deepEqual((await samplesOf({ sort: "name" }))[0]?.at(-1)?.name, "idle-one");
    assert.equal((await samplesOf({ pods: ["idle-one"] }))[0]?.length, 1);
    busy.signal(9);
    idle.signal(15);
    await Promise.all([busy.exited, idle.exited]);
  });

  it("pods come and go; named ones that are all gone end it, an interruption too", async () => {
    const { world, image } = scene;
    const pod = await world.start(image, ["wait"]);
    const samples: number[] = [];
    await topPods(world.settings, { pods: [pod.uuid], intervalMs: 20 }, (sample) => {
      samples.push(sample.length);
      if (samples.length === 2) pod.signal(15);
    });
    assert.deepEqual([samples[0], samples.at(-1)], [1, 0]);
    await assert.rejects(samplesOf({ pods: [pod.uuid] }), fails("WRONG_STATE", /is exited/));
    await assert.rejects(samplesOf({ pods: ["nobody-here"] }), fails("NOT_FOUND"));
    await assert.rejects(samplesOf({ intervalMs: 60_000, signal: AbortSignal.abort() }), fails("INTERRUPTED"));
  });

  it("there is nothing to see where nothing runs", async (t) => {
    const settings = await settingsOf(t);
    const held = running(settings);
    const samples: (readonly UsedByPod[])[] = [];
    await topPods(settings, {}, (sample) => samples.push(sample));
    end(held, 0);
    assert.equal(samples[0]?.[0]?.memory, undefined, "what cannot be known is not made up");
  });
});
