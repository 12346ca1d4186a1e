import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { holdEnded } from "../../src/pod/ended.ts";
import { findPod, openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function podIn(t: TestContext) {
  const root = openPods(await temporaryDirectory(t));
  const pod = Pod.create(root);
  t.after(() => pod.release());
  return { root, pod };
}

describe("holdEnded", () => {
  it("keeps others from moving or removing the pod, to whom it has ended all the while", async (t) => {
    const { root, pod } = await podIn(t);
    pod.move("run");
    pod.release();
    const held = holdEnded(root, pod);
    const other = holdEnded(root, pod);
    assert.equal(held.directory, join(root, "run", pod.uuid));
    assert.equal(findPod(root, pod.uuid)?.state, "exited");
    other.release();
    assert.equal(Pod.take(root, pod.uuid, "run"), undefined);
    held.release();
    const taken = Pod.take(root, pod.uuid, "run");
    taken?.move("exited-garbage");
    taken?.release();
    const marked = holdEnded(root, pod);
    assert.equal(findPod(root, pod.uuid)?.state, "exited garbage");
    marked.release();
  });

  it("refuses one that has not ended, with its state", async (t) => {
    const { root, pod } = await podIn(t);
    assert.throws(() => holdEnded(root, pod), fails("WRONG_STATE", /is preparing/));
    pod.move("run");
    assert.throws(() => holdEnded(root, pod), fails("WRONG_STATE", /is running/, { hint: /perigee stop/ }));
  });

  it("LIFE-15: and one whose init outlived its supervisor", async (t) => {
    const { root, pod } = await podIn(t);
    pod.move("run");
    const stat = readFileSync("/proc/self/stat", "latin1");
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    writeFileSync(join(pod.directory, "pid"), `${process.pid} ${startTime}\n`);
    pod.release();
    assert.throws(() => holdEnded(root, pod), fails("WRONG_STATE", /still runs/));
  });

  it("one that is gone is not found", async (t) => {
    const { root } = await podIn(t);
    assert.throws(() => holdEnded(root, { uuid: "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11" }), fails("NOT_FOUND"));
  });
});
