/** LIFE-113: what takes all there is, memory or numbers of processes, in cgroups of the test's own: others go on, and nothing is left behind. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { isAlive, readInit, readSupervisor } from "../../src/pod/record.ts";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { guest, program, Running, valuesOf } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork(endPods);
const mebi = 1024 * 1024;

const hierarchy = readCgroupLayout().hierarchies.find(({ controllers }) => controllers.includes("memory"));

/** A memory cgroup with a limit, in place of a host that has no more; removed when `use` is done. */
async function withMemory(bytes: number, use: (enter: readonly string[]) => Promise<void>): Promise<void> {
  assert.ok(hierarchy !== undefined, "a hierarchy has the memory controller");
  const path = join(hierarchy.base, `perigee-test-${process.pid}-host`);
  // As the first pod with a limit does it, too.
  if (hierarchy.version === 2) writeFileSync(join(hierarchy.base, "cgroup.subtree_control"), "+memory");
  mkdirSync(path);
  try {
    const isV1 = hierarchy.version === 1;
    writeFileSync(join(path, isV1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
    // Without room to swap, what is above the limit is killed.
    const swap = join(path, isV1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
    if (existsSync(swap)) writeFileSync(swap, isV1 ? String(bytes) : "0");
    const members = join(path, isV1 ? "tasks" : "cgroup.procs");
    await use(["sh", "-c", 'echo 0 > "$0" && exec "$@"', members]);
    while (readFileSync(members, "latin1") !== "") await sleep(20);
  } finally {
    rmdirSync(path);
  }
}

describe("LIFE-113: a host without memory", () => {
  it("kills stage0 at whatever it is: one gc clears up", async () => {
    let killed = 0;
    for (const size of [8, 16, 24, 32, 40, 48, 56]) {
      await withMemory(size * mebi, async (enter) => {
        const { status } = work.command([...enter, ...work.runLine([image, "--", "exit", "7"])]);
        if (status !== 7) killed += 1;
      });
      const states = work.pods().map(({ state }) => state);
      assert.ok(
        states.every((state) => state === "exited" || state === "aborted prepare"),
        `${size} MiB: ${states}`,
      );
      work.must(["gc", "--grace-period=0s"]);
      assert.deepEqual(work.pods(), []);
    }
    assert.ok(killed > 0, "it was too little once at least");
    assert.equal(work.run([image, "--", "exit", "7"]).status, 7);
  });

  it("kills a supervisor: its pod ends, with a status that nobody knows, the one beside it goes on", async () => {
    const other = work.run(["--detach", image, "--", "wait", "600"]).stdout.trim();
    await withMemory(512 * mebi, async (enter) => {
      const detached = [program, ...work.globals, "--insecure-options=image", "run", "--detach", image, "--"];
      const { status, stdout, stderr } = work.command([...enter, ...detached, "wait", "600"]);
      assert.equal(status, 0, stderr);
      const uuid = stdout.trim();
      const directory = join(work.data, "pods", "run", uuid);
      const [supervisor, init] = [readSupervisor(directory), readInit(directory)];
      assert.ok(supervisor !== undefined && init !== undefined);
      // The one that the kernel chooses.
      writeFileSync(`/proc/${supervisor.pid}/oom_score_adj`, "1000");
      const hog = new Running(work.startCommand([...enter, guest, "alloc", String(2048 * mebi)], "pipe"));
      assert.equal(await hog.ended, -1, "it was killed, after the supervisor");
      while (isAlive(supervisor) || isAlive(init)) await sleep(20);
      const pod = work.pods().find((found) => found.uuid === uuid);
      assert.deepEqual([pod?.state, pod?.apps[0]?.exitStatus], ["exited", undefined]);
    });
    work.must(["gc", "--grace-period=0s"]);
    assert.deepEqual(
      work.pods().map(({ uuid, state }) => [uuid, state]),
      [[other, "running"]],
    );
    work.must(["stop", "--force", other]);
  });
});

describe("LIFE-113: an app that forks without end", () => {
  it("is held at the limit of its pod: others start meanwhile, and it is stopped", async () => {
    const bomb = work.startRun([image, "--", "fork", "1000000", ",", "wait", "600"]);
    await bomb.until(/waiting/);
    const [count = ""] = valuesOf(bomb.stdout, "forked");
    // Of the 2048, init is one and the app another.
    assert.equal(count, "2046,EAGAIN");
    assert.equal(work.run([image, "--", "fork", "100"]).status, 0);
    const [pod] = work.pods().filter(({ state }) => state === "running");
    work.must(["stop", "--force", pod?.uuid ?? ""]);
    assert.equal(await bomb.ended, 137);
  });
});
