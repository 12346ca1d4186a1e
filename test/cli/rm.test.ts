import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/rm.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { type Given, invoke, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
const rm = (given: Given) => invoke(command, settingsIn(path()), given);

function ended(): Pod {
  const pod = Pod.create(openPods(path("data")));
  pod.move("run");
  pod.release();
  return pod;
}

describe("perigee rm", () => {
  it("removes pods and prints their uuids", async () => {
    const pods = [ended(), ended()];
    const { lines } = await rm({ args: pods.map(({ uuid }) => uuid.slice(0, 13)) });
    assert.deepEqual(
      lines,
      pods.map(({ uuid }) => uuid),
    );
    for (const { directory } of pods) assert.equal(existsSync(directory), false);
  });

  it("takes the uuid from a file", async () => {
    const { uuid } = ended();
    writeFileSync(path("uuid"), uuid);
    assert.deepEqual((await rm({ options: { "uuid-file": path("uuid") } })).json, [{ uuid }]);
  });

  it("refuses one that runs, and a line without a pod", async () => {
    const pod = Pod.create(openPods(path("data")));
    pod.move("run");
    await assert.rejects(rm({ args: [pod.uuid] }), fails("WRONG_STATE", /running/, { hint: /perigee stop/ }));
    pod.release();
    await assert.rejects(rm({}), fails("USAGE"));
  });
});
