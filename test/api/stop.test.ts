import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { podStatus } from "../../src/api/pods.ts";
import { type StopOptions, stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { PodWorld } from "../helpers/pod-world.ts";

const clean = leakSnapshot();
let world: PodWorld;
let image = "";
before(async () => {
  world = await PodWorld.open();
  image = await world.stored("example.com/guest", { exec: ["/guest"] });
});
after(async () => {
  await world.close();
  await assertNothingLeft(clean);
});

const stop = (pods: readonly string[], more: Partial<StopOptions> = {}) =>
  stopPods(world.settings, { pods, force: false, timeoutMs: 30_000, ...more });

/** Resolves when the app has printed `waiting`: it has set up its signals then. */
async function waiting(uuid: string): Promise<void> {
  const log = join(world.data, "pods", "run", uuid, "logs", "guest");
  while (!readFileSync(log, { encoding: "utf8", flag: "a+" }).includes("waiting"))
    await new Promise((resolve) => setImmediate(resolve));
}

describe("stopPods", () => {
  it("asks with SIGTERM, and the app decides how it ends", async () => {
    const { uuid, exited } = await world.start(image, ["wait"]);
    await waiting(uuid);
    assert.deepEqual(await stop([uuid.slice(0, 8)]), [{ uuid, killed: false }]);
    assert.equal(await exited, 40);
    assert.equal((await podStatus(world.settings, { pod: uuid })).apps[0]?.exitStatus, 40);
  });

  it("kills what does not listen when the time is over, and at once with force", async () => {
    for (const options of [{ timeoutMs: 50 }, { force: true }]) {
      const { uuid, exited } = await world.start(image, ["stubborn", "600"]);
      await waiting(uuid);
      assert.deepEqual(await stop([uuid], options), [{ uuid, killed: true }]);
      assert.equal(await exited, 137);
    }
  });

  it("stops several at once, each once; ones that have ended are no error", async () => {
    const pods = [await world.start(image, ["wait"]), await world.start(image, ["wait"])];
    for (const { uuid } of pods) await waiting(uuid);
    const uuids = pods.map(({ uuid }) => uuid);
    const stopped = uuids.map((uuid) => ({ uuid, killed: false }));
    assert.deepEqual(await stop([...uuids, ...uuids]), stopped);
    assert.deepEqual(await stop(uuids), stopped);
  });

  it("refuses a pod that is still being prepared, and asks nobody", async () => {
    const pod = Pod.create(openPods(world.data));
    const { uuid, exited } = await world.start(image, ["wait"]);
    await waiting(uuid);
    await assert.rejects(stop([uuid, pod.uuid]), fails("WRONG_STATE", /prepared/));
    assert.equal((await podStatus(world.settings, { pod: uuid })).state, "running");
    await stop([uuid]);
    assert.equal(await exited, 40);
    pod.release();
  });

  it("can be interrupted while it waits", async () => {
    const { uuid } = await world.start(image, ["stubborn", "600"]);
    await waiting(uuid);
    await assert.rejects(stop([uuid], { signal: AbortSignal.timeout(50) }), fails("INTERRUPTED"));
    await stop([uuid], { force: true });
  });

  it("knows no pod that is not there", async () => {
    await assert.rejects(stop(["ffffffff"]), fails("NOT_FOUND"));
  });
});
