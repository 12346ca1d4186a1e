import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { preparePod } from "../../src/api/prepare.ts";
import command from "../../src/cli/commands/cat-manifest.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { invoke } from "../helpers/trust.ts";

const scene = guestWorld();

describe("perigee cat-manifest", () => {
  it("prints it for people and for scripts, on one line when asked to, and foreign text harmlessly", async () => {
    const { world, image } = scene;
    const apps = [{ image, userLabels: ["a=\u001b[31m"] }];
    const uuidFile = world.path("uuid");
    const { uuid } = await preparePod(world.settings, { apps, uuidFile });
    const { lines, json } = await invoke(command, world.settings, { args: [uuid] });
    assert.ok(lines.length > 20);
    assert.deepEqual(JSON.parse(lines.join("\n")), json);
    assert.doesNotMatch(lines.join("\n"), /\u001b/);
    const options = { "pretty-print": false, "uuid-file": uuidFile };
    const short = await invoke(command, world.settings, { options });
    assert.equal(short.lines.length, 1);
    assert.deepEqual(short.json, json);
  });
});
