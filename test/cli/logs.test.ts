import assert from "node:assert/strict";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/logs.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { contextOf, type Given } from "../helpers/trust.ts";

const scene = guestWorld();

async function printed(given: Given, format: "table" | "json" = "table"): Promise<string> {
  const parts: Uint8Array[] = [];
  const context = contextOf(command, scene.world.settings, given);
  const write = (bytes: Uint8Array): Promise<void> => Promise.resolve(void parts.push(Buffer.from(bytes)));
  const result = await command.run({ ...context, format, write });
  assert.deepEqual([command.text(result, context), command.json?.(result)], [[], undefined]);
  return Buffer.concat(parts).toString("latin1");
}

describe("perigee logs", () => {
  it("CLI-71: prints the lines that were asked for", async () => {
    const { world, image } = scene;
    const uuidFile = world.path("uuid");
    const { uuid, exited } = await world.start(image, ["echo", "a", ",", "echo", "b"], { uuidFile });
    await exited;
    assert.equal(await printed({ args: [uuid] }), "a\nb\n");
    assert.equal(await printed({ options: { "uuid-file": uuidFile, tail: "1" } }), "b\n");
    assert.equal(await printed({ args: [uuid], options: { stream: "stderr", tail: "all" } }), "");
    assert.equal(await printed({ args: [uuid], options: { since: "1h", follow: true } }), "a\nb\n");
    assert.equal(await printed({ args: [uuid], options: { until: "1h" } }), "");
    assert.match(await printed({ args: [uuid], options: { app: "guest", timestamps: true } }), /^2\S+Z a\n2\S+Z b\n$/);
    const [line = ""] = (await printed({ args: [uuid] }, "json")).split("\n");
    assert.equal(JSON.parse(line).line, "a");
  });
  for (const [name, value] of [
    ["tail", "-1"],
    ["tail", "many"],
    ["stream", "stdin"],
    ["since", "yesterday"],
    ["until", ""],
  ] as const) {
    it(`--${name} ${value} is refused`, async () => {
      const { uuid, exited } = await scene.world.start(scene.image, ["exit", "0"]);
      await exited;
      await assert.rejects(printed({ args: [uuid], options: { [name]: value } }), fails("USAGE"));
    });
  }
  it("one pod is needed", () => assert.rejects(printed({ args: [] }), fails("USAGE")));
});
