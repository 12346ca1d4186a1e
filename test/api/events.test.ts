import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { type PodEvent, podEvents } from "../../src/api/events.ts";
import { fails } from "../helpers/failures.ts";
import { end, execute, running, settingsOf } from "../helpers/pod-directories.ts";

describe("podEvents", () => {
  it("without follow it ends with what files tell, of `since` only", async (t) => {
    const settings = await settingsOf(t);
    const told: PodEvent[] = [];
    await podEvents(settings, {}, (event) => told.push(event));
    assert.equal(told.length, 0);
    end(running(settings), 3);
    await podEvents(settings, {}, (event) => told.push(event));
    assert.deepEqual(
      told.map(({ event }) => event),
      ["created", "started", "app-exited", "exited"],
    );
    const late: PodEvent[] = [];
    await podEvents(settings, { since: new Date("2026-01-01T00:00:01Z") }, (event) => late.push(event));
    assert.deepEqual(late, told.slice(1));
  });

  it("follows a pod from before it was there until it is gone, and ends when it is interrupted", async (t) => {
    const settings = await settingsOf(t);
    const controller = new AbortController();
    const told: string[] = [];
    const steps: Partial<Record<PodEvent["event"], () => void>> = {};
    const following = podEvents(settings, { follow: true, signal: controller.signal }, ({ event }) => {
      told.push(event);
      steps[event]?.();
    });
    const pod = running(settings);
    steps.started = () => execute(pod);
    steps.ready = () => end(pod, 0);
    steps.exited = () => rmSync(pod.directory, { recursive: true });
    steps.removed = () => controller.abort();
    await assert.rejects(following, fails("INTERRUPTED"));
    assert.deepEqual(told, ["created", "started", "app-started", "ready", "app-exited", "exited", "removed"]);
  });
});
