import assert from "node:assert/strict";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { PodFollower } from "../../src/pod/follow.ts";
import { podsOf } from "../../src/pod/pod.ts";
import { end, execute, preparing, running, settingsOf } from "../helpers/pod-directories.ts";

describe("PodFollower (LIFE-86)", () => {
  it("tells everything once, from the beginning of a pod to its end", async (t) => {
    const settings = await settingsOf(t);
    const follower = new PodFollower(podsOf(settings.directories.data), () => {});
    const look = () => follower.look(true).map(({ event }) => event);
    assert.deepEqual(look(), []);
    assert.equal(follower.isBlind, true, "there is nothing yet that could be watched");
    const pod = preparing(settings);
    assert.deepEqual(look(), ["created"]);
    assert.equal(follower.isBlind, false);
    writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
    pod.move("run");
    assert.deepEqual(look(), ["started"]);
    execute(pod);
    assert.deepEqual(look(), ["app-started", "ready"]);
    assert.deepEqual(look(), []);
    writeFileSync(join(pod.directory, "status", "web"), "3\n");
    assert.deepEqual(look(), ["app-exited"]);
    assert.equal(follower.isExpecting, true, "its lock is about to be free");
    pod.release();
    assert.deepEqual(look(), ["exited"]);
    assert.equal(follower.isExpecting, false);
    rmSync(pod.directory, { recursive: true });
    const [removed] = follower.look(true);
    assert.deepEqual([removed?.event, removed?.uuid, typeof removed?.time], ["removed", pod.uuid, "string"]);
    assert.deepEqual(look(), []);
    follower.close();
  });

  it("is woken by what happens, and looks there only", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    let wake = (): void => {};
    const follower = new PodFollower(podsOf(settings.directories.data), () => wake());
    follower.look(true);
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    execute(pod);
    await woken;
    assert.ok(follower.look(false).some(({ event }) => event === "app-started"));
    end(pod, 0);
    follower.close();
  });

  it("an app that is started again has its events again", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    execute(pod);
    const follower = new PodFollower(podsOf(settings.directories.data), () => {});
    follower.look(true);
    utimesSync(join(pod.directory, "pids", "web"), new Date(), new Date(Date.now() + 5000));
    assert.deepEqual(
      follower.look(true).map(({ event }) => event),
      ["app-started"],
    );
    pod.release();
    follower.close();
  });
});
