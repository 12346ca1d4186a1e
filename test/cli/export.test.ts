import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { runPod } from "../../src/api/run.ts";
import command from "../../src/cli/commands/export.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { invoke } from "../helpers/trust.ts";

const scene = guestWorld();

describe("perigee export", () => {
  it("prints the path, and the image's facts for scripts; takes the flags of build", async () => {
    const { world, image } = scene;
    const pod = await runPod(world.settings, { apps: [{ image, args: ["exit", "0"] }], foreground: false });
    await (await pod.spawn()).exited;
    const output = world.path("out.aci");
    const args = [pod.uuid, output];
    const { lines, json } = await invoke(command, world.settings, {
      args,
      options: { app: "guest", compression: "none" },
    });
    assert.deepEqual(lines, [output]);
    assert.deepEqual(Object.keys(Object(json)).sort(), ["id", "name", "path", "size"]);
    assert.ok(existsSync(output));
    await assert.rejects(invoke(command, world.settings, { args }), fails("ALREADY_EXISTS"));
    await invoke(command, world.settings, { args, options: { overwrite: true } });
  });
});
