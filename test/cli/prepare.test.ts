import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podStatus } from "../../src/api/pods.ts";
import command from "../../src/cli/commands/prepare.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { invoke } from "../helpers/trust.ts";

const scene = guestWorld();

describe("perigee prepare", () => {
  it("prints the uuid and nothing else, and warns before", async () => {
    const { world, image } = scene;
    const args = ["--volume", "data,kind=empty", image, "--", "exit", "5"];
    const { lines, json } = await invoke(command, world.settings, { args });
    const { uuid } = Object(json);
    assert.deepEqual(lines, [uuid]);
    assert.match(world.heard.join("\n"), /volume data is mounted nowhere/);
    assert.equal((await podStatus(world.settings, { pod: uuid })).state, "prepared");
  });
});
