import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "../../src/api/gc.ts";
import { type LogsOptions, podLogs } from "../../src/api/logs.ts";
import { preparePod } from "../../src/api/prepare.ts";
import { stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { loggedText, record, recordTime } from "../helpers/logs.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();

const open = (pod: string, options: Partial<LogsOptions> = {}) => podLogs(scene.world.settings, { pod, ...options });

async function read(pod: string, options: Partial<LogsOptions> = {}): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const lines of (await open(pod, options)).lines) {
    found.push(...lines.map(({ app, stream, bytes }) => `${app} ${stream} ${bytes}`));
  }
  return found;
}

/** When the app has printed this, and it is in the log. */
async function logged(uuid: string, app: string, text: string): Promise<void> {
  const log = join(scene.world.data, "pods", "run", uuid, "logs", app);
  while (!loggedText(log).includes(text)) await sleep(10);
}

const stop = (uuid: string) => stopPods(scene.world.settings, { pods: [uuid], force: false, timeoutMs: 30_000 });

describe("podLogs", () => {
  it("LIFE-70: what an app printed, while it runs and until gc, by uuid, prefix and name", async () => {
    const { world, image } = scene;
    const { uuid, exited } = await world.start(image, ["echo", "a", ",", "error", "b"], { podName: "logged" });
    await exited;
    const expected = ["guest stdout a", "guest stderr b"];
    for (const pod of [uuid, uuid.slice(0, 8), "logged"])
      assert.deepEqual((await read(pod)).toSorted(), expected.toSorted());
    await collectGarbage(world.settings, { gracePeriodMs: 3_600_000, expirePreparedMs: 0, markOnly: true });
    assert.deepEqual((await read(uuid)).length, 2);
    await collectGarbage(world.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false });
    await assert.rejects(open(uuid), fails("NOT_FOUND"));
  });

  it("LIFE-70: a pod that has not run, an app that is none and one without a log are told apart", async () => {
    const { world, image } = scene;
    const prepared = await preparePod(world.settings, { apps: [{ image }] });
    await assert.rejects(open(prepared.uuid), fails("WRONG_STATE", /it is prepared/, { hint: /run-prepared/ }));
    const pod = Pod.create(openPods(world.data));
    await assert.rejects(open(pod.uuid), fails("WRONG_STATE", /it is preparing/));
    pod.release();
    await assert.rejects(open("nobody"), fails("NOT_FOUND"));
    const { uuid, exited } = await world.start(image, ["exit", "0"]);
    await exited;
    await assert.rejects(open(uuid, { apps: ["guets"] }), fails("USAGE", /has no app guets/, { hint: /--app guest/ }));
    rmSync(join(world.data, "pods", "run", uuid, "logs", "guest"));
    await assert.rejects(open(uuid), fails("WRONG_STATE", /has no log/, { cause: /terminal/ }));
    writeFileSync(join(world.data, "pods", "run", uuid, "record"), "{");
    await assert.rejects(open(uuid), fails("WRONG_STATE", /damaged/));
  });

  it("LIFE-73: follows until the apps have ended, with everything that they printed", async () => {
    const { world, image } = scene;
    const { uuid } = await world.start(image, ["print", "300000", ",", "wait"]);
    const followed: string[] = [];
    for await (const lines of (await open(uuid, { follow: true })).lines) {
      followed.push(...lines.map(({ app, stream, bytes }) => `${app} ${stream} ${bytes}`));
      if (lines.some(({ bytes }) => bytes.includes("waiting"))) void stop(uuid);
    }
    assert.match(String(followed.at(-1)), /signal=TERM$/);
    // A line that was shown before its end came is in two parts.
    assert.equal(
      followed.join("").replaceAll("guest stdout ", ""),
      (await read(uuid)).join("").replaceAll("guest stdout ", ""),
    );
  });

  it("follows an app that has ended no longer than that, though another one runs on", async () => {
    const { world, image } = scene;
    const { runPod } = await import("../../src/api/run.ts");
    const apps = [
      { image, name: "short", args: ["echo", "done"] },
      { image, name: "long", args: ["wait"] },
    ];
    const { uuid } = await (await runPod(world.settings, { apps, foreground: false })).spawn();
    assert.deepEqual(await read(uuid, { follow: true, apps: ["short"] }), ["short stdout done"]);
    await logged(uuid, "long", "waiting");
    await stop(uuid);
    assert.deepEqual((await read(uuid, { tail: 1 })).toSorted(), ["long stdout signal=TERM", "short stdout done"]);
  });

  it("ends quietly when it is told to, and shows an unfinished line while it follows", async () => {
    const { world, image } = scene;
    const { uuid } = await world.start(image, ["wait"]);
    await logged(uuid, "guest", "waiting");
    const directory = join(world.data, "pods", "run", uuid, "logs");
    writeFileSync(join(directory, "guest"), record(0, "O", "name? "), { flag: "a" });
    const controller = new AbortController();
    const heard: string[] = [];
    for await (const lines of (await open(uuid, { follow: true, signal: controller.signal })).lines) {
      heard.push(...lines.map(({ bytes }) => bytes.toString()));
      if (heard.includes("name? ")) controller.abort();
    }
    assert.deepEqual(heard, ["waiting", "name? "]);
    await stop(uuid);
  });

  it("LIFE-75: a pod that is moved while it is read is read on; what stands in place of a log is no log", async () => {
    const { world, image } = scene;
    const { uuid, exited } = await world.start(image, ["echo", "a"]);
    await exited;
    const { lines } = await open(uuid);
    await collectGarbage(world.settings, { gracePeriodMs: 3_600_000, expirePreparedMs: 0, markOnly: true });
    assert.equal((await lines.next()).value?.[0]?.bytes.toString(), "a");
    await lines.return();
    const log = join(world.data, "pods", "exited-garbage", uuid, "logs", "guest");
    renameSync(log, `${log}.gone`);
    await assert.rejects(open(uuid), fails("WRONG_STATE", /has no log/));
  });

  it("LIFE-94: follows until a time, and reads what is there, however fast the app writes on", async () => {
    const { world, image } = scene;
    const { uuid } = await world.start(image, ["wait"]);
    const log = join(world.data, "pods", "run", uuid, "logs", "guest");
    for (const options of [{ follow: true, until: new Date() }, { tail: 2, until: new Date() }, {}]) {
      let rounds = 0;
      // More of it before anything else is asked for.
      for await (const _ of (await open(uuid, options)).lines) {
        writeFileSync(log, record(rounds, "o", "more"), { flag: "a" });
        assert.ok(++rounds < 1000, JSON.stringify(options));
      }
    }
    await stop(uuid);
  });

  it("LIFE-72: since and until are times", async () => {
    const { world, image } = scene;
    const { uuid, exited } = await world.start(image, ["exit", "0"]);
    await exited;
    const log = join(world.data, "pods", "run", uuid, "logs", "guest");
    writeFileSync(log, [0, 1, 2, 3].map((n) => record(n, "o", `${n}`)).join(""));
    const [since, until] = [1, 3].map((n) => new Date(recordTime(n)));
    assert.deepEqual(await read(uuid, { since, until }), ["guest stdout 1", "guest stdout 2"]);
  });
});
