import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { collectPods, removePod, treeRoots } from "../../src/pod/gc.ts";
import { claimRange } from "../../src/pod/id-ranges.ts";
import { findPods, openPods, Pod } from "../../src/pod/pod.ts";
import { isAlive, readInit, writePodRecord } from "../../src/pod/record.ts";

let data = "";
let root = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), `perigee-gc-${process.pid}-`));
  root = openPods(data);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const collect = (more: Partial<Parameters<typeof collectPods>[2]> = {}) =>
  collectPods(data, root, {
    gracePeriodMs: 0,
    expirePreparedMs: 86_400_000,
    markOnly: false,
    now: Date.now,
    log: silentLog,
    ...more,
  });

function exited(treeId = "tree", trees?: readonly string[]): Pod {
  const pod = Pod.create(root);
  const apps = [{ name: "a", imageId: "i", imageName: "example.com/a", treeId }];
  writePodRecord(pod.directory, {
    uuid: pod.uuid,
    createdAt: new Date().toISOString(),
    apps,
    ...(trees && { trees }),
    network: "none",
    hostname: "h",
    cgroups: [],
  });
  pod.move("run");
  pod.release();
  return pod;
}

describe("collectPods (LIFE-18)", () => {
  it("marks, and removes after the grace period only", async () => {
    const { uuid } = exited();
    assert.deepEqual((await collect({ gracePeriodMs: 60_000 })).marked, [uuid]);
    assert.equal(findPods(root)[0]?.state, "exited garbage");
    assert.deepEqual((await collect({ gracePeriodMs: 60_000 })).removed, []);
    assert.deepEqual((await collect()).removed, [uuid]);
    assert.deepEqual(findPods(root), []);
  });

  it("LIFE-110, T-C05: a pod that has to wait is kept by a clock that is behind; one that has not is removed by any clock", async () => {
    const hour = 3_600_000;
    const behind = () => Date.now() - 24 * 365 * hour;
    const { uuid } = exited();
    const prepared = Pod.create(root);
    prepared.move("prepared");
    prepared.release();
    const kept = await collect({ gracePeriodMs: hour / 2, expirePreparedMs: hour, now: behind });
    assert.deepEqual(kept, { marked: [uuid], removed: [], failed: [] });
    assert.deepEqual(
      findPods(root)
        .map(({ state }) => state)
        .sort(),
      ["exited garbage", "prepared"],
    );
    const gone = await collect({ gracePeriodMs: 0, expirePreparedMs: 0, now: behind });
    assert.deepEqual([...gone.removed].sort(), [uuid, prepared.uuid].sort());
  });

  it("only marks when asked to", async () => {
    exited();
    assert.deepEqual((await collect({ markOnly: true })).removed, []);
    assert.equal(readdirSync(join(root, "exited-garbage")).length, 1);
  });

  it("passes over pods that somebody holds, in every phase", async () => {
    const preparing = Pod.create(root);
    const running = Pod.create(root);
    running.move("run");
    assert.deepEqual(await collect(), { marked: [], removed: [], failed: [] });
    preparing.release();
    running.release();
  });

  it("aborted preparations go at once, prepared pods when they expired", async () => {
    const aborted = Pod.create(root);
    aborted.release();
    const prepared = Pod.create(root);
    prepared.move("prepared");
    prepared.release();
    assert.deepEqual((await collect()).removed, [aborted.uuid]);
    assert.deepEqual((await collect({ expirePreparedMs: 0 })).removed, [prepared.uuid]);
  });

  it("LIFE-11: removes dead embryos", async () => {
    const uuid = "abcd0000-0000-4000-8000-000000000001";
    mkdirSync(join(root, "embryo", uuid));
    assert.deepEqual((await collect()).removed, [uuid]);
    assert.deepEqual(readdirSync(join(root, "embryo")), []);
  });

  it("LIFE-15: kills what is left of a pod before it deletes", async () => {
    const pod = exited();
    const child = spawn("sleep", ["600"]);
    const ended = once(child, "exit");
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    writeFileSync(
      join(root, "run", pod.uuid, "pid"),
      `${child.pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}\n`,
    );
    const init = readInit(join(root, "run", pod.uuid));
    assert.ok(init !== undefined && isAlive(init));
    assert.deepEqual((await collect()).removed, [pod.uuid]);
    const [, signal] = await ended;
    assert.equal(signal, "SIGKILL");
    assert.equal(isAlive(init), false);
  });

  it("LIFE-17: gives the ids of a removed pod to the next", async () => {
    const pod = exited();
    const base = claimRange(data, pod.uuid);
    await collect();
    assert.equal(claimRange(data, "next"), base);
  });
});

describe("removePod", () => {
  it("removes a pod that has ended, without grace", async () => {
    const { uuid } = exited();
    const [found] = findPods(root);
    assert.ok(found !== undefined);
    await removePod(data, root, found);
    assert.equal(existsSync(join(root, "run", uuid)), false);
    assert.deepEqual(findPods(root), []);
  });

  it("LIFE-32: follows a pod that gc moves, and waits for gc when that removes it", async () => {
    const [moved, removed] = [exited(), exited()];
    const found = findPods(root);
    const [holder, other] = [Pod.take(root, moved.uuid, "run"), Pod.take(root, removed.uuid, "run")];
    assert.ok(holder !== undefined && other !== undefined && found.length === 2);
    const removing = [holder, other].map(({ uuid }) => removePod(data, root, { uuid }));
    holder.move("exited-garbage");
    holder.release();
    other.move("exited-garbage");
    rmSync(other.directory, { recursive: true });
    await Promise.all(removing);
    other.release();
    assert.deepEqual(findPods(root), []);
  });

  it("LIFE-32: waits for a supervisor that clears up, and says so when it does not end", async () => {
    const pod = exited();
    writeFileSync(join(root, "run", pod.uuid, "pid"), "4194304 1\n");
    const holder = Pod.take(root, pod.uuid, "run");
    const start = Date.now();
    await assert.rejects(
      removePod(data, root, pod),
      (error: unknown) => error instanceof Failure && error.code === "LOCKED" && /stop --force/.test(error.hint ?? ""),
    );
    assert.ok(Date.now() - start >= 1900);
    const removing = removePod(data, root, pod);
    holder?.release();
    await removing;
    assert.deepEqual(findPods(root), []);
  });

  it("refuses one that runs", async () => {
    const pod = Pod.create(root);
    pod.move("run");
    const [found] = findPods(root);
    assert.ok(found !== undefined);
    await assert.rejects(
      removePod(data, root, found),
      (error: unknown) => error instanceof Failure && error.code === "WRONG_STATE",
    );
    pod.release();
  });
});

describe("treeRoots (LIFE-14)", () => {
  it("names the trees of every pod that is there", () => {
    exited("one");
    exited("two");
    assert.deepEqual([...treeRoots(root)].sort(), ["one", "two"]);
    exited("three", ["four", "five"]);
    assert.deepEqual([...treeRoots(root)].sort(), ["five", "four", "one", "three", "two"]);
  });

  it("LIFE-22: are unknown while a pod runs whose record is damaged, and not for one that ended", () => {
    exited("one");
    const damaged = exited("two");
    rmSync(join(damaged.directory, "record"));
    writeFileSync(join(damaged.directory, "record"), "torn");
    assert.deepEqual([...treeRoots(root)], ["one"]);
    const held = Pod.take(root, damaged.uuid, damaged.phase);
    assert.equal(treeRoots(root), "unknown");
    held?.release();
  });
});
