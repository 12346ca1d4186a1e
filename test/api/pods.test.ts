import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { listPods, podStatus, removePods } from "../../src/api/pods.ts";
import type { Settings } from "../../src/api/settings.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { FileLock } from "../../src/shim/flock.ts";
import { fails } from "../helpers/failures.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function settingsOf(t: TestContext): Promise<Settings> {
  const settings = testSettings();
  return { ...settings, directories: { ...settings.directories, data: await temporaryDirectory(t) } };
}

/** A pod in `run` with one app, held by this process: it looks as if it ran. */
function running({ directories }: Settings, createdAt = "2026-01-01T00:00:00.000Z"): Pod {
  const pod = Pod.create(openPods(directories.data));
  const apps = [{ name: "web", imageId: "sha512-aa", imageName: "example.com/web", treeId: "t" }];
  writePodRecord(pod.directory, { uuid: pod.uuid, createdAt, apps, network: "none", hostname: "h", cgroups: [] });
  writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
  mkdirSync(join(pod.directory, "status"));
  pod.move("run");
  return pod;
}

function end(pod: Pod, status: number): void {
  writeFileSync(join(pod.directory, "status", "web"), `${status}\n`);
  pod.release();
}

describe("listPods", () => {
  it("lists what there is, oldest first, and makes nothing where there is nothing", async (t) => {
    const settings = await settingsOf(t);
    assert.deepEqual(await listPods(settings), []);
    assert.equal(existsSync(join(settings.directories.data, "pods")), false);
    const later = running(settings, "2026-02-01T00:00:00.000Z");
    const earlier = running(settings);
    end(earlier, 3);
    const pods = await listPods(settings);
    assert.deepEqual(
      pods.map(({ uuid, state, apps }) => [uuid, state, apps[0]?.state, apps[0]?.exitStatus]),
      [
        [earlier.uuid, "exited", "exited", 3],
        [later.uuid, "running", "running", undefined],
      ],
    );
    later.release();
  });

  it("LIFE-21: tells the truth while others move and remove pods under its eyes", async (t) => {
    const settings = await settingsOf(t);
    for (const pod of Array.from({ length: 60 }, () => running(settings))) end(pod, 3);
    const line = 'for pod in run/*; do mv "$pod" exited-garbage/; done; rm -r exited-garbage/*';
    const mover = spawn("sh", ["-c", line], { cwd: openPods(settings.directories.data), stdio: "ignore" });
    const moved = once(mover, "exit");
    const states = new Set<string>();
    while (mover.exitCode === null) {
      for (const { state, apps } of await listPods(settings)) {
        states.add(state);
        // While it is removed file by file, what is gone is not made up for.
        if (state === "exited") assert.deepEqual([apps.length, apps[0]?.exitStatus], [1, 3]);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await moved, [0, null]);
    for (const state of states) assert.match(state, /^exited( garbage)?$/);
    assert.deepEqual(await listPods(settings), []);
  });
});

describe("podStatus", () => {
  it("waits for the end of a pod", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    const status = podStatus(settings, { pod: pod.uuid.slice(0, 8), wait: "forever" });
    end(pod, 7);
    const { state, apps } = await status;
    assert.deepEqual([state, apps[0]?.exitStatus], ["exited", 7]);
  });

  it("says that it waited long enough, and that it was interrupted", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    await assert.rejects(podStatus(settings, { pod: pod.uuid, wait: 1 }), fails("WAIT_TIMED_OUT", /still running/));
    const signal = AbortSignal.abort();
    await assert.rejects(podStatus(settings, { pod: pod.uuid, wait: "forever", signal }), fails("INTERRUPTED"));
    assert.equal((await podStatus(settings, { pod: pod.uuid })).state, "running");
    pod.release();
  });

  it("a pod that is removed while it is waited for is not there", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    const status = podStatus(settings, { pod: pod.uuid, wait: "forever" });
    pod.move("exited-garbage");
    rmSync(pod.directory, { recursive: true });
    await assert.rejects(status, fails("NOT_FOUND"));
    pod.release();
  });

  it("there is no pod where there are none", async (t) => {
    await assert.rejects(podStatus(await settingsOf(t), { pod: "abcd" }), fails("NOT_FOUND", /abcd/));
  });
});

describe("podStatus until it is ready (LIFE-82)", () => {
  const ready = (pod: Pod) => writeFileSync(join(pod.directory, "ready"), "");

  it("ends when the file is there, and says whether it is", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    assert.equal((await podStatus(settings, { pod: pod.uuid })).ready, false);
    const status = podStatus(settings, { pod: pod.uuid, waitReady: "forever" });
    ready(pod);
    assert.equal((await status).ready, true);
    assert.equal((await podStatus(settings, { pod: pod.uuid, waitReady: "forever" })).ready, true);
    pod.release();
  });

  it("says which app it waited for, and that it was interrupted", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    writeFileSync(join(pod.directory, "status", "web.ready"), "0\n");
    writeFileSync(join(pod.directory, "status", "web.text"), "loading \u001b[2J");
    const late = podStatus(settings, { pod: pod.uuid, waitReady: 1 });
    await assert.rejects(
      late,
      fails("WAIT_TIMED_OUT", /running and not ready/, { cause: /web has not said READY=1.*loading \\x1b/ }),
    );
    const signal = AbortSignal.abort();
    await assert.rejects(podStatus(settings, { pod: pod.uuid, waitReady: "forever", signal }), fails("INTERRUPTED"));
    pod.release();
  });

  it("LIFE-83: a pod that ends before it is ready is a failure", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    writeFileSync(join(pod.directory, "status", "web.ready"), "0\n");
    const status = podStatus(settings, { pod: pod.uuid, waitReady: "forever" });
    end(pod, 7);
    await assert.rejects(status, fails("NOT_READY", /before it was ready/, { cause: /ended with status 7/ }));
  });
});

describe("removePods", () => {
  it("removes each once, however often it is named", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    end(pod, 0);
    const removed = await removePods(settings, { pods: [pod.uuid, pod.uuid.slice(0, 6)] });
    assert.deepEqual(removed, [{ uuid: pod.uuid }]);
    assert.deepEqual(await listPods(settings), []);
  });

  it("removes nothing when one name means no pod, and none that runs", async (t) => {
    const settings = await settingsOf(t);
    const [ended, held] = [running(settings), running(settings)];
    end(ended, 0);
    rmSync(join(held.directory, "pid"));
    await assert.rejects(removePods(settings, { pods: [ended.uuid, "ffff-none"] }), fails("NOT_FOUND"));
    await assert.rejects(removePods(settings, { pods: [held.uuid] }), fails("WRONG_STATE", /running/));
    assert.equal((await listPods(settings)).length, 2);
    held.release();
  });

  it("waits for somebody who only looks", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    end(pod, 0);
    const look = FileLock.open(pod.directory, "shared");
    const removing = removePods(settings, { pods: [pod.uuid] });
    look?.release();
    assert.deepEqual(await removing, [{ uuid: pod.uuid }]);
  });
});
