import assert from "node:assert/strict";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { historyOf, inOrder, type PodEvent } from "../../src/pod/history.ts";
import { findPod, podsOf } from "../../src/pod/pod.ts";
import { end, execute, preparing, running, settingsOf } from "../helpers/pod-directories.ts";

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const words = (events: readonly PodEvent[]) =>
  events.map(({ event, app, status }) => [event, app, status].filter((word) => word !== undefined).join(" "));

describe("historyOf (LIFE-85)", () => {
  it("tells what files tell, at their times and in their order", async (t) => {
    const settings = await settingsOf(t);
    const root = podsOf(settings.directories.data);
    const pod = running(settings, { name: "front" });
    execute(pod);
    writeFileSync(join(pod.directory, "status", "web.ready"), "1\n");
    writeFileSync(join(pod.directory, "status", "web.post-stop"), "4\n");
    const { directory, uuid } = pod;
    const history = () => {
      const found = findPod(root, uuid);
      return found === undefined ? [] : historyOf(found);
    };
    for (const [index, name] of ["pid", "pids/web", "status/web.ready", "ready"].entries()) {
      utimesSync(join(directory, name), at(index), at(index));
    }
    end(pod, 3);
    utimesSync(join(directory, "status", "web"), at(9), at(9));
    utimesSync(join(directory, "status", "web.post-stop"), at(10), at(10));
    assert.deepEqual(words(history()), [
      "created",
      "started",
      "app-started web",
      "app-ready web",
      "ready",
      "app-exited web 3",
      "exited",
      "post-stop web 4",
    ]);
    const exit = history().find(({ event }) => event === "app-exited");
    assert.deepEqual(exit, {
      event: "app-exited",
      uuid,
      name: "front",
      app: "web",
      image: "example.com/web",
      status: 3,
      time: at(9).toISOString(),
    });
  });

  it("LIFE-16: an end that nobody saw has no time, and comes last", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    execute(pod);
    pod.release();
    const found = findPod(podsOf(settings.directories.data), pod.uuid);
    assert.ok(found);
    const last = historyOf(found).at(-1);
    assert.deepEqual([last?.event, last?.time], ["exited", undefined]);
  });

  it("knows that a pod waits, and that gc has marked one", async (t) => {
    const settings = await settingsOf(t);
    const root = podsOf(settings.directories.data);
    const waiting = preparing(settings);
    waiting.move("prepared");
    waiting.release();
    const marked = running(settings);
    marked.move("exited-garbage");
    end(marked, 0);
    for (const [{ uuid }, event] of [
      [waiting, "prepared"],
      [marked, "marked"],
    ] as const) {
      const found = findPod(root, uuid);
      assert.ok(found);
      assert.equal(historyOf(found).at(-1)?.event, event);
    }
  });

  it("events of one instant are in the order of a pod's life", () => {
    const time = at(0).toISOString();
    const mixed = (["removed", "ready", "created", "app-started"] as const).map((event) => ({
      event,
      uuid: "u",
      time,
    }));
    assert.deepEqual(words(inOrder(mixed)), ["created", "app-started", "ready", "removed"]);
  });
});
