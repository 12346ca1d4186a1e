import assert from "node:assert/strict";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/gc.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { contextOf, type Given, invoke, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
const gc = (given: Given = {}) => invoke(command, settingsIn(path()), given);

function ended(): string {
  const pod = Pod.create(openPods(path("data")));
  pod.move("run");
  pod.release();
  return pod.uuid;
}

describe("perigee gc", () => {
  it("keeps what ended for 30 minutes by default, and removes it when the grace is over", async () => {
    const uuid = ended();
    assert.deepEqual((await gc()).lines, [`marked ${uuid}`]);
    assert.deepEqual((await gc({ options: { "grace-period": "1h" } })).lines, []);
    assert.deepEqual((await gc({ options: { "grace-period": "0s" } })).lines, [`removed ${uuid}`]);
  });

  it("--mark-only removes nothing, whatever the grace", async () => {
    const uuid = ended();
    const options = { "mark-only": true, "grace-period": "0s" };
    assert.deepEqual((await gc({ options })).json, {
      marked: [uuid],
      removed: [],
      failed: [],
      trees: [],
      blobs: [],
      layers: [],
    });
    assert.deepEqual((await gc({ options: { "grace-period": "0s" } })).lines, [`removed ${uuid}`]);
  });

  it("removes prepared pods that expired", async () => {
    const pod = Pod.create(openPods(path("data")));
    pod.move("prepared");
    pod.release();
    assert.deepEqual((await gc({ options: { "grace-period": "0s" } })).lines, []);
    const { lines } = await gc({ options: { "expire-prepared": "0s", "grace-period": "0s" } });
    assert.deepEqual(lines, [`marked ${pod.uuid}`, `removed ${pod.uuid}`]);
  });

  it("ends with 1 when a pod could not be removed, and names it", () => {
    const failed = [{ uuid: "u", reason: "it is busy" }];
    const result = { marked: [], removed: [], failed, trees: ["t".repeat(40)], blobs: [], layers: ["layer-1"] };
    assert.equal(command.status?.(result), 1);
    assert.equal(command.status?.({ ...result, failed: [] }), 0);
    const lines = command.text(result, contextOf(command, settingsIn(path())));
    assert.deepEqual(lines, ["failed u: it is busy", `removed tree ${"t".repeat(24)}`, "removed layer layer-1"]);
  });

  it("refuses durations that are none", async () => {
    await assert.rejects(gc({ options: { "grace-period": "soon" } }), fails("USAGE", /--grace-period/));
  });
});
