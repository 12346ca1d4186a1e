import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { preparePod } from "../../src/pod/prepare.ts";
import { removeDeadStepPods } from "../../src/recipe/dead-pods.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
  mkdirSync(world.data, { recursive: true });
});
after(() => world.remove());

function podOf(isStep: true | undefined): Pod {
  const pod = Pod.create(openPods(world.data));
  preparePod(pod, {
    apps: [{ name: "step", imageId: "layer-1", imageName: "example.com/made", treeId: "layer-1" }],
    network: "none",
    hostname: "step",
    manifest: { acKind: "PodManifest" } as never,
    cgroups: { make: [], remove: [] } as never,
    claim: undefined,
    isStep,
  });
  pod.move("run");
  return pod;
}

describe("removeDeadStepPods (RECIPE-53)", () => {
  it("takes those of steps that nobody holds, and no others", async () => {
    const [dead, held, other] = [podOf(true), podOf(true), podOf(undefined)];
    dead.release();
    other.release();
    await removeDeadStepPods(world.data, world.settings.log);
    assert.deepEqual([...world.podRemains()].sort(), [held.uuid, other.uuid].sort());
    held.release();
    await removeDeadStepPods(world.data, world.settings.log);
    assert.deepEqual(world.podRemains(), [other.uuid]);
    assert.deepEqual(world.heard, []);
  });
});
