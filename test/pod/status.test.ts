import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { findPods, openPods, Pod } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { statusOf } from "../../src/pod/status.ts";

let data = "";
let root = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), `perigee-status-${process.pid}-`));
  root = openPods(data);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

function running(): Pod {
  const pod = Pod.create(root);
  const apps = [
    { name: "web", imageId: `sha512-${"a".repeat(128)}`, imageName: "example.com/web", treeId: "t" },
    { name: "log", imageId: `sha512-${"b".repeat(128)}`, imageName: "example.com/log", treeId: "t" },
  ];
  writePodRecord(pod.directory, {
    uuid: pod.uuid,
    createdAt: "2026-01-01T00:00:00.000Z",
    apps,
    network: "host",
    hostname: "h",
    cgroups: [],
  });
  mkdirSync(join(pod.directory, "status"));
  pod.move("run");
  return pod;
}

function status() {
  const [found] = findPods(root);
  assert.ok(found !== undefined);
  const status = statusOf(root, found);
  assert.ok(status !== undefined);
  return status;
}

describe("statusOf", () => {
  it("SHIM-5: says how a post-stop handler ended, beside its app", () => {
    const pod = running();
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    writeFileSync(join(pod.directory, "status", "web"), "0\n");
    writeFileSync(join(pod.directory, "status", "web.post-stop"), "137\n");
    writeFileSync(join(pod.directory, "status", "log.post-stop"), "nonsense\n");
    assert.deepEqual(
      status().apps.map((app) => [app.exitStatus, app.postStopStatus]),
      [
        [0, 137],
        [undefined, undefined],
      ],
    );
    pod.release();
  });

  it("LIFE-63: says how often an app was started again, how its last run ended, and whether it waits for the next", () => {
    const pod = running();
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    writeFileSync(join(pod.directory, "status", "web.restarts"), "2 137 1767225600 waiting\n");
    writeFileSync(join(pod.directory, "status", "log.restarts"), "0 1 1767225600 sometimes\n");
    const restarts = { count: 2, lastExitStatus: 137, lastExitedAt: "2026-01-01T00:00:00.000Z" };
    assert.deepEqual(
      status().apps.map((app) => [app.state, app.restarts]),
      [
        ["restarting", restarts],
        ["running", undefined],
      ],
    );
    writeFileSync(join(pod.directory, "status", "web.restarts"), "3 137 1767225600 running\n");
    assert.deepEqual([status().apps[0]?.state, status().apps[0]?.restarts?.count], ["running", 3]);
    pod.release();
    assert.equal(status().apps[0]?.state, "exited");
  });

  it("LIFE-67: says whether an app is well", () => {
    const pod = running();
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    writeFileSync(join(pod.directory, "status", "web.health"), "unhealthy 3 7\nno\n");
    const [web, log] = status().apps;
    assert.ok(web?.health !== undefined);
    const { checkedAt, ...health } = web.health;
    assert.ok(Math.abs(Date.parse(checkedAt) - Date.now()) < 600_000);
    assert.deepEqual(health, { state: "unhealthy", failingStreak: 3, lastStatus: 7, lastOutput: "no\n" });
    assert.equal(log?.health, undefined);
    pod.release();
  });

  it("a pod that has no init yet has apps that are created", () => {
    const pod = running();
    assert.deepEqual(
      status().apps.map((app) => app.state),
      ["created", "created"],
    );
    pod.release();
  });

  it("an app that ended while the pod runs is exited, the other is running", () => {
    const pod = running();
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    writeFileSync(join(pod.directory, "status", "web"), "3\n");
    assert.deepEqual(
      status().apps.map((app) => [app.state, app.exitStatus]),
      [
        ["exited", 3],
        ["running", undefined],
      ],
    );
    assert.equal(status().pid, 4194304);
    pod.release();
  });

  it("LIFE-16: after a killed supervisor the apps are exited with an unknown status", () => {
    const pod = running();
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    pod.release();
    const { state, pid, apps } = status();
    assert.equal(state, "exited");
    assert.equal(pid, undefined);
    assert.deepEqual(
      apps.map((app) => [app.state, app.exitStatus]),
      [
        ["exited", undefined],
        ["exited", undefined],
      ],
    );
  });

  it("a pod without a record is still shown", () => {
    Pod.create(root).release();
    const { state, apps } = status();
    assert.equal(state, "aborted prepare");
    assert.deepEqual(apps, []);
  });
});
