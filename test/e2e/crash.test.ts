/** Whatever is killed, whenever, and however full the disk is: `list` tells the truth, `gc` clears up, and the next command works. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { guestImage, guestWork } from "../helpers/guest-work.ts";
import { isAlive, untilDead } from "../helpers/processes.ts";
import { type ListedPod, type Outcome, program } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork(() => clearUp());

/** After one gc there is nothing left of any pod (I5). */
function clearUp(): void {
  work.must(["gc", "--grace-period=0s"]);
  assert.deepEqual(work.pods(), []);
  const phases = ["embryo", "prepare", "prepared", "run", "exited-garbage", "garbage"];
  for (const phase of phases) assert.deepEqual(readdirSync(join(work.data, "pods", phase)), [], phase);
}

async function runningPod() {
  const running = work.startRun([image, "--", "wait", "600"]);
  await running.until(/waiting/);
  const pod = work.pods().find(({ state }) => state === "running");
  assert.ok(pod?.pid !== undefined && running.child.pid !== undefined);
  return { running, uuid: pod.uuid, init: pod.pid, supervisor: running.child.pid };
}

const found = (uuid: string): ListedPod | undefined => work.pods().find((pod) => pod.uuid === uuid);

describe("T-K05: kill -9 of a running pod's", () => {
  it("supervisor: the pod ends, its status is unknown and not invented, others go on", async () => {
    const other = await runningPod();
    const uuids = new Set(work.pods().map(({ uuid }) => uuid));
    const running = work.startRun([image, "--", "wait", "600"]);
    await running.until(/waiting/);
    const pod = work.pods().find(({ uuid }) => !uuids.has(uuid));
    assert.ok(pod?.pid !== undefined);
    running.child.kill("SIGKILL");
    await running.ended;
    assert.deepEqual([found(pod.uuid)?.state, found(pod.uuid)?.apps[0]?.exitStatus], ["exited", undefined]);
    await untilDead(pod.pid);
    work.must(["gc", "--grace-period=0s"]);
    assert.deepEqual(
      work.pods().map(({ uuid, state }) => [uuid, state]),
      [[other.uuid, "running"]],
    );
    other.running.child.kill("SIGTERM");
    assert.equal(await other.running.ended, 40);
    clearUp();
  });

  it("init: the status is 137, also in the record", async () => {
    const { running, uuid, init } = await runningPod();
    process.kill(init, "SIGKILL");
    assert.equal(await running.ended, 137);
    assert.deepEqual([found(uuid)?.state, found(uuid)?.apps[0]?.exitStatus], ["exited", 137]);
    clearUp();
  });

  it("supervisor while it is stopped: gc kills what is left before it deletes", async () => {
    const { running, uuid, init, supervisor } = await runningPod();
    // Init cannot notice that its supervisor is gone, so it is gc that has to end it.
    process.kill(init, "SIGSTOP");
    process.kill(supervisor, "SIGKILL");
    await running.ended;
    assert.equal(found(uuid)?.state, "exited");
    clearUp();
    assert.equal(isAlive(init), false);
  });
});

describe("LIFE-31: a supervisor that somebody stopped", () => {
  for (const [words, status] of [
    [["stop"], 40],
    [["stop", "--force"], 137],
  ] as const) {
    it(`does not keep a pod from ${words.join(" ")}, rm and gc`, async () => {
      const { running, uuid, init, supervisor } = await runningPod();
      process.kill(supervisor, "SIGSTOP");
      assert.equal(found(uuid)?.state, "running");
      assert.equal(work.perigee(["rm", uuid]).status, 6);
      work.must(["gc", "--grace-period=0s"]);
      assert.equal(found(uuid)?.state, "running", "gc leaves it alone");
      work.must([...words, uuid]);
      assert.deepEqual([found(uuid)?.state, found(uuid)?.apps[0]?.exitStatus], ["exited", status]);
      assert.equal(await running.ended, status);
      assert.equal(isAlive(init), false);
      work.must(["rm", uuid]);
      clearUp();
    });
  }
  it("and whose init was killed: the pod runs no more once it is stopped, and nothing is left", async () => {
    const { running, uuid, init, supervisor } = await runningPod();
    process.kill(supervisor, "SIGSTOP");
    process.kill(init, "SIGKILL");
    await untilDead(init);
    work.must(["stop", "--force", uuid]);
    assert.equal(await running.ended, 137);
    work.must(["rm", uuid]);
    clearUp();
  });
  it("and is then killed: rm clears up at once", async () => {
    const { running, uuid, init, supervisor } = await runningPod();
    process.kill(supervisor, "SIGSTOP");
    process.kill(supervisor, "SIGKILL");
    await running.ended;
    assert.equal(found(uuid)?.state, "exited");
    work.must(["rm", uuid]);
    assert.equal(isAlive(init), false);
    assert.equal(found(uuid), undefined);
    clearUp();
  });
});

describe("T-K02: kill -9", () => {
  const instants = Array.from({ length: 20 }, (_, index) => (index + 1) * 5);

  it(`of run, after ${instants[0]} to ${instants.at(-1)} ms: list tells the truth, one gc clears up`, async () => {
    for (const instant of instants) {
      const running = work.startRun([image, "--", "sleep", "600"]);
      await sleep(instant);
      running.child.kill("SIGKILL");
      await running.ended;
      const states = work.pods().map(({ state }) => state);
      assert.ok(states.length <= 1, String(states));
      assert.ok(
        states.every((state) => state === "exited" || state === "aborted prepare"),
        `${instant} ms: ${states}`,
      );
      clearUp();
    }
  });

  it("of run --detach: a pod that runs goes on and can be stopped, any other is cleared up", async () => {
    for (const instant of instants.filter((_, index) => index % 2 === 1)) {
      const child = work.start(["--insecure-options=image", "run", "--detach", image, "--", "sleep", "600"], "ignore");
      const ended = new Promise((resolve) => child.once("close", resolve));
      await sleep(instant);
      child.kill("SIGKILL");
      await ended;
      const running = work.pods().filter(({ state }) => state === "running");
      if (running.length > 0) work.must(["stop", "--force", ...running.map(({ uuid }) => uuid)]);
      clearUp();
    }
  });

  it("of gc: the next one finishes", async () => {
    for (const instant of [20, 35, 50, 65, 80]) {
      assert.equal(work.run([image, "--", "exit", "0"]).status, 0);
      const child = work.start(["gc", "--grace-period=0s"], "ignore");
      const ended = new Promise((resolve) => child.once("close", resolve));
      await sleep(instant);
      child.kill("SIGKILL");
      await ended;
      clearUp();
    }
  });

  it("T-K01: of fetch: nothing half-made is listed, the next fetch stores it", async () => {
    const aci = work.image("example.com/other", { exec: ["/guest"] }, { large: "x".repeat(8 * 1024 * 1024) });
    for (const instant of instants.map((time) => time * 2)) {
      const child = work.start(["--insecure-options=image", "fetch", aci], "ignore");
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      await sleep(instant);
      child.kill("SIGKILL");
      const status = await ended;
      const isListed = /example\.com\/other/.test(work.must(["image", "list"]));
      if (status === 0) assert.ok(isListed);
      if (isListed) {
        assert.equal(work.run(["example.com/other", "--", "stat", "/large"]).status, 0);
        clearUp();
        work.must(["image", "rm", "example.com/other"]);
      }
      work.must(["gc", "--grace-period=0s"]);
      assert.deepEqual(readdirSync(join(work.data, "store", "staging")), []);
    }
    work.must(["--insecure-options=image", "fetch", aci]);
    assert.equal(work.run(["example.com/other", "--", "exit", "5"]).status, 5);
  });
});

describe("T-C02: many pods", () => {
  it("100 one after the other, none fails", () => {
    for (let count = 0; count < 100; count += 1) assert.equal(work.run([image, "--", "exit", "7"]).status, 7);
    clearUp();
  });

  it("T-C03: 30 at once, with gc and list all the while, none fails", async () => {
    let isOver = false;
    const runs = Array.from({ length: 30 }, () => work.startRun([image, "--", "exit", "7"]));
    const ended = Promise.all(runs.map((run) => run.ended)).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const args of [["list"], ["gc", "--grace-period=0s"]]) {
        const child = work.start(args, "ignore");
        assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0, args[0]);
      }
    }
    assert.deepEqual(await ended, Array(30).fill(7), runs.map(({ stderr }) => stderr).join(""));
    clearUp();
  });
});

describe("T-K04: a full disk", () => {
  const disk = work.path("disk");
  const small = (args: readonly string[]): Outcome =>
    work.command([program, ...work.globals, "--dir", join(disk, "data"), "--insecure-options=image", ...args]);
  const mount = (size: string) =>
    assert.equal(work.command(["mount", "-t", "tmpfs", "-o", `size=${size}`, "perigee-e2e", disk]).status, 0);
  const unmount = () => assert.equal(work.command(["umount", disk]).status, 0);

  function assertFull({ status, stderr }: Outcome, expected: number): void {
    assert.equal(status, expected, stderr);
    assert.match(stderr, /^error\[[A-Z_]+\]: /m);
    assert.match(stderr, /ENOSPC|no space|full/i);
    assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+/);
  }

  it("during fetch: one error, nothing half-made, and with room it works", () => {
    const aci = work.path("example.com-guest.aci");
    mkdirSync(disk);
    for (const size of ["64k", "256k", "512k", "768k", "1024k"]) {
      mount(size);
      try {
        assertFull(small(["fetch", aci]), 1);
        assert.equal(small(["image", "list", "--format", "json"]).stdout.trim(), "[]");
        const store = join(disk, "data", "store");
        if (existsSync(store)) assert.deepEqual(readdirSync(join(store, "staging")), [], size);
        assert.equal(work.command(["mount", "-o", "remount,size=32m", disk]).status, 0);
        assert.equal(small(["run", aci, "--", "exit", "7"]).status, 7);
        assert.equal(small(["gc", "--grace-period=0s"]).status, 0);
      } finally {
        unmount();
      }
    }
  });

  it("during run: one error, no pod, and with room it works", () => {
    mount("32m");
    try {
      assert.equal(small(["fetch", work.path("example.com-guest.aci")]).status, 0);
      for (const left of [0, 4096, 8192, 16384, 24576, 32768]) {
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(join(disk, "filler"), Buffer.alloc(bavail * bsize - left));
        const outcome = small(["run", image, "--", "exit", "7"]);
        if (outcome.status !== 7) assertFull(outcome, 125);
        if (left === 0) assert.equal(outcome.status, 125);
        rmSync(join(disk, "filler"));
        assert.equal(small(["gc", "--grace-period=0s"]).status, 0);
        assert.equal(small(["list", "--format", "json"]).stdout.trim(), "[]");
        assert.equal(small(["run", image, "--", "exit", "7"]).status, 7);
      }
      assert.equal(small(["gc", "--grace-period=0s"]).status, 0);
    } finally {
      unmount();
    }
  });
});
