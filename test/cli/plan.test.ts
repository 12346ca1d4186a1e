import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import command from "../../src/cli/commands/plan.ts";
import { PodWorld } from "../helpers/pod-world.ts";
import { contextOf, invoke } from "../helpers/trust.ts";

let world: PodWorld;
let image = "";
before(async () => {
  world = await PodWorld.open();
  image = await world.stored("example.com/guest", { exec: ["/guest", "\u001b[31m"] });
});
after(() => world.close());

describe("perigee plan", () => {
  it("says in words what run would do with the same line, and does nothing", async () => {
    const args = ["--net=host", "--volume", "data,kind=empty", image, "--memory", "64Mi", "--", "now"];
    const { lines, json } = await invoke(command, world.settings, { args });
    const text = lines.join("\n");
    assert.match(text, /^pod 00000000-/);
    assert.match(text, /network of the host/);
    assert.match(text, /^Warnings\n {2}volume data is mounted nowhere/m);
    assert.doesNotMatch(text, /\u001b/);
    assert.ok(lines.every((line) => /^( {2})?\S/.test(line)));
    assert.deepEqual(Object.keys(Object(json)), ["topics", "warnings", "isolators", "records"]);
    assert.deepEqual(world.remains(), []);
  });

  it("takes --detach of run too", async () => {
    const { lines } = await invoke(command, world.settings, { args: ["--detach", image] });
    assert.ok(lines.length > 10);
  });

  it("has no heading without warnings", () => {
    const context = contextOf(command, world.settings);
    const plan = { topics: [{ topic: "pod", lines: ["x"] }], warnings: [], isolators: [], records: [] };
    assert.deepEqual(command.text(plan, context), ["pod", "  x"]);
  });
});
