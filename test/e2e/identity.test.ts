/** T-C05: numbers of processes that come again, and several commands that mean one pod at the same time (LIFE-115). */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { Running } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork(endPods);

/** Field 22 of /proc/PID/stat. */
function startTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

describe("LIFE-115, T-C05: a number that another process has by now", () => {
  const strangers: ChildProcess[] = [];
  after(async () => {
    for (const stranger of strangers) {
      stranger.kill("SIGKILL");
      if (stranger.exitCode === null && stranger.signalCode === null) await once(stranger, "exit");
    }
  });

  /** A pod that has ended, whose file `pid` names a process which has nothing to do with it, and came later. */
  async function mistaken(): Promise<{ readonly uuid: string; readonly stranger: ChildProcess }> {
    assert.equal(work.run([image, "--", "exit", "7"]).status, 7);
    const [uuid = ""] = work.pods().map((pod) => pod.uuid);
    const stranger = spawn("sleep", ["600"], { stdio: "ignore" });
    strangers.push(stranger);
    await once(stranger, "spawn");
    const { pid = 0 } = stranger;
    const before = startTimeOf(pid) - 1;
    writeFileSync(join(work.data, "pods", "run", uuid, "pid"), `${pid} ${before} ${pid} ${before}\n`);
    return { uuid, stranger };
  }

  for (const words of [["stop"], ["stop", "--force"], ["rm"], ["gc", "--grace-period=0s"]]) {
    it(`${words.join(" ")} leaves that process alone, and the pod has ended`, async () => {
      const { uuid, stranger } = await mistaken();
      assert.equal(work.pods().find((pod) => pod.uuid === uuid)?.state, "exited");
      work.must(words[0] === "gc" ? words : [...words, uuid]);
      assert.ok(existsSync(`/proc/${stranger.pid}`));
      assert.deepEqual([stranger.exitCode, stranger.signalCode], [null, null]);
      work.must(["gc", "--grace-period=0s"]);
      assert.deepEqual(work.pods(), []);
      assert.ok(existsSync(`/proc/${stranger.pid}`));
    });
  }
});

describe("LIFE-115, T-C05: several clients and one pod", () => {
  const clients = 6;

  /** The exit statuses of the same command, given by all of them at once. */
  async function all(args: readonly string[]): Promise<readonly number[]> {
    const running = Array.from({ length: clients }, () => new Running(work.start(args)));
    return (await Promise.all(running.map(({ ended }) => ended))).sort((a, b) => a - b);
  }

  it("run-prepared: one runs it, the others are refused", async () => {
    const uuid = work.must(["--insecure-options=image", "prepare", image, "--", "exit", "7"]).trim();
    assert.deepEqual(await all(["--insecure-options=image", "run-prepared", uuid]), [
      7,
      ...Array(clients - 1).fill(125),
    ]);
    assert.deepEqual(
      work.pods().map((pod) => [pod.uuid, pod.state, pod.apps[0]?.exitStatus]),
      [[uuid, "exited", 7]],
    );
  });

  it("stop: all find it stopped; rm: all find it gone", async () => {
    const { status, stdout, stderr } = work.run(["--detach", image, "--", "wait", "600"]);
    assert.equal(status, 0, stderr);
    const uuid = stdout.trim();
    work.untilPrinted(uuid, "waiting");
    assert.deepEqual(await all(["stop", "--timeout", "60", uuid]), Array(clients).fill(0));
    assert.equal(work.pods().find((pod) => pod.uuid === uuid)?.apps[0]?.exitStatus, 40);
    // Who looks when it is gone is told that there is no such pod (3), who waits two seconds for another that removes it, so (6, LIFE-32).
    const statuses = await all(["rm", uuid]);
    assert.equal(statuses[0], 0);
    assert.ok(
      statuses.every((status) => [0, 3, 6].includes(status)),
      String(statuses),
    );
    assert.equal(
      work.pods().find((pod) => pod.uuid === uuid),
      undefined,
    );
  });

  it("run with one name: one has it, the others are refused", async () => {
    const named = ["--insecure-options=image", "run", "--detach", "--pod-name=the-one", image, "--", "wait", "600"];
    const statuses = await all(named);
    assert.deepEqual(statuses, [0, ...Array(clients - 1).fill(125)]);
    assert.equal(work.pods().filter(({ state }) => state === "running").length, 1);
    work.must(["stop", "the-one"]);
  });
});
