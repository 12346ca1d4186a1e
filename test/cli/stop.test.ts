import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/stop.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { type Given, invoke } from "../helpers/trust.ts";

const guest = guestWorld();

const stop = (given: Given) => invoke(command, guest.world.settings, given);

describe("perigee stop", () => {
  it("prints the uuids of the pods; JSON says which had to be killed", async () => {
    const { uuid, exited } = await guest.world.start(guest.image, ["stubborn", "600"]);
    const { lines, json } = await stop({ args: [uuid.slice(0, 8)], options: { timeout: "10ms" } });
    assert.deepEqual([lines, json], [[uuid], [{ uuid, killed: true }]]);
    assert.ok([137, 143].includes(await exited));
    assert.deepEqual((await stop({ args: [uuid] })).json, [{ uuid, killed: false }]);
  });

  it("--force, with the uuid from a file", async () => {
    const { uuid, exited } = await guest.world.start(guest.image, ["sleep", "600"]);
    writeFileSync(guest.world.path("uuid"), uuid);
    const options = { force: true, "uuid-file": guest.world.path("uuid") };
    assert.deepEqual((await stop({ options })).json, [{ uuid, killed: true }]);
    assert.equal(await exited, 137);
  });

  it("needs a pod and a time that is one", async () => {
    await assert.rejects(stop({}), fails("USAGE"));
    await assert.rejects(stop({ args: ["abcd"], options: { timeout: "soon" } }), fails("USAGE", /--timeout/));
  });
});
