import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { podStatus } from "../../src/api/pods.ts";
import { type StopOptions, stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { readSupervisor } from "../../src/pod/record.ts";
import { fails } from "../helpers/failures.ts";
import { loggedText } from "../helpers/logs.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const guest = guestWorld();

const stop = (pods: readonly string[], more: Partial<StopOptions> = {}) =>
  stopPods(guest.world.settings, { pods, force: false, timeoutMs: 30_000, ...more });

/** Resolves when the app has printed `waiting`: it has set up its signals then. */
async function waiting(uuid: string): Promise<void> {
  const log = join(guest.world.data, "pods", "run", uuid, "logs", "guest");
  while (!loggedText(log).includes("waiting")) await new Promise((resolve) => setImmediate(resolve));
}

describe("stopPods", () => {
  it("asks with SIGTERM, and the app decides how it ends", async () => {
    const { uuid, exited } = await guest.world.start(guest.image, ["wait"]);
    await waiting(uuid);
    assert.deepEqual(await stop([uuid.slice(0, 8)]), [{ uuid, killed: false }]);
    assert.equal(await exited, 40);
    assert.equal((await podStatus(guest.world.settings, { pod: uuid })).apps[0]?.exitStatus, 40);
  });

  it("kills what does not listen when the time is over, and at once with force", async () => {
    for (const options of [{ timeoutMs: 50 }, { force: true }]) {
      const { uuid, exited } = await guest.world.start(guest.image, ["stubborn", "600"]);
      await waiting(uuid);
      assert.deepEqual(await stop([uuid], options), [{ uuid, killed: true }]);
      assert.equal(await exited, 137);
    }
  });

  it("stops several at once, each once; ones that have ended are no error", async () => {
    const pods = [await guest.world.start(guest.image, ["wait"]), await guest.world.start(guest.image, ["wait"])];
    for (const { uuid } of pods) await waiting(uuid);
    const uuids = pods.map(({ uuid }) => uuid);
    const stopped = uuids.map((uuid) => ({ uuid, killed: false }));
    assert.deepEqual(await stop([...uuids, ...uuids]), stopped);
    assert.deepEqual(await stop(uuids), stopped);
  });

  it("refuses a pod that is still being prepared, and asks nobody", async () => {
    const pod = Pod.create(openPods(guest.world.data));
    const { uuid, exited } = await guest.world.start(guest.image, ["wait"]);
    await waiting(uuid);
    await assert.rejects(stop([uuid, pod.uuid]), fails("WRONG_STATE", /prepared/));
    assert.equal((await podStatus(guest.world.settings, { pod: uuid })).state, "running");
    await stop([uuid]);
    assert.equal(await exited, 40);
    pod.release();
  });

  it("LIFE-31: goes on with a supervisor that somebody stopped, so that the end is seen and cleared up after", async () => {
    for (const [options, killed, status] of [
      [{}, false, 40],
      [{ force: true }, true, 137],
    ] as const) {
      const { uuid, exited } = await guest.world.start(guest.image, ["wait"]);
      await waiting(uuid);
      const supervisor = readSupervisor(join(guest.world.data, "pods", "run", uuid));
      assert.ok(supervisor !== undefined);
      process.kill(supervisor.pid, "SIGSTOP");
      assert.equal((await podStatus(guest.world.settings, { pod: uuid })).state, "running");
      assert.deepEqual(await stop([uuid], options), [{ uuid, killed }]);
      assert.equal(await exited, status);
      const { state, apps } = await podStatus(guest.world.settings, { pod: uuid });
      assert.deepEqual([state, apps[0]?.exitStatus], ["exited", status]);
    }
  });

  it("LIFE-31: kills a supervisor that does not end after its pod", async () => {
    const pod = Pod.create(openPods(guest.world.data));
    pod.move("run");
    pod.release();
    // Holds the lock as a supervisor would that hangs; init is long dead.
    const holder = spawn("flock", ["--no-fork", pod.directory, "sleep", "600"], { stdio: "ignore" });
    const ended = once(holder, "exit");
    while ((await podStatus(guest.world.settings, { pod: pod.uuid })).state !== "running") await sleep(10);
    const stat = readFileSync(`/proc/${holder.pid}/stat`, "utf8");
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    writeFileSync(join(pod.directory, "pid"), `4194304 1 ${holder.pid} ${startTime}\n`);
    assert.deepEqual(await stop([pod.uuid], { force: true }), [{ uuid: pod.uuid, killed: true }]);
    assert.deepEqual(await ended, [null, "SIGKILL"]);
    assert.equal((await podStatus(guest.world.settings, { pod: pod.uuid })).state, "exited");
  });

  it("LIFE-31: ends a pod whose file pid is damaged, with its record and without", async () => {
    for (const damaged of [["pid"], ["pid", "record"]]) {
      for (const isPatient of [true, false]) {
        const { uuid, exited } = await guest.world.start(guest.image, ["stubborn", "600"]);
        await waiting(uuid);
        for (const file of damaged) writeFileSync(join(guest.world.data, "pods", "run", uuid, file), "\0\0\0");
        if (isPatient) assert.deepEqual(await stop([uuid], { force: true }), [{ uuid, killed: true }]);
        // Gives up at the first pause: there was no waiting for what nobody can tell.
        else await assert.rejects(stop([uuid], { force: true, signal: AbortSignal.abort() }), fails("INTERRUPTED"));
        assert.equal(await exited, 137);
        assert.equal((await podStatus(guest.world.settings, { pod: uuid })).state, "exited");
      }
    }
  });

  it("LIFE-114, T-C05: waits as long as it says, though the date jumps a year ahead", async (t) => {
    const { uuid, exited } = await guest.world.start(guest.image, ["wait"]);
    await waiting(uuid);
    const before = Date.now();
    let looks = 0;
    t.mock.method(Date, "now", () => before + (looks++ === 0 ? 0 : 365 * 24 * 3_600_000));
    assert.deepEqual(await stop([uuid], { timeoutMs: 600_000 }), [{ uuid, killed: false }]);
    assert.equal(await exited, 40);
  });

  it("can be interrupted while it waits", async () => {
    const { uuid } = await guest.world.start(guest.image, ["stubborn", "600"]);
    await waiting(uuid);
    await assert.rejects(stop([uuid], { signal: AbortSignal.timeout(50) }), fails("INTERRUPTED"));
    await stop([uuid], { force: true });
  });

  it("knows no pod that is not there", async () => {
    await assert.rejects(stop(["ffffffff"]), fails("NOT_FOUND"));
  });
});
