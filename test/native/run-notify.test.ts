import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppPlan } from "../../src/shim/plan.ts";
import { openLinks } from "../helpers/descriptors.ts";
import {
  fileScratch,
  makeApp,
  makePod,
  type PodDirectory,
  type RunningShim,
  runPod,
  startPod,
  valuesOf,
} from "../helpers/shim-pod.ts";

const scratch = fileScratch();

/** An app that says when it is ready. */
const saying = (command: readonly string[], options: Partial<AppPlan> = {}): AppPlan =>
  makeApp(scratch, {
    command: ["/guest", ...command],
    notify: "/dev/notify",
    ...options,
    environment: [
      ["PATH", "/"],
      ["NOTIFY_SOCKET", "/dev/notify"],
    ],
  });

const fileOf = (pod: PodDirectory, ...names: readonly string[]) => readFileSync(join(pod.path, ...names), "utf8");
const kinds = (events: readonly { readonly [key: string]: string | number }[]) => events.map(({ event }) => event);
const descriptorsOf = (running: RunningShim) => readdirSync(`/proc/${running.child.pid}/fd`).length;

async function until(look: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    if (look()) return;
    await sleep(20);
  }
  assert.fail("it did not happen");
}

describe("SHIM-30: the socket of an app that says when it is ready", () => {
  it("is in its own /dev, for every user of it, and READY=1 makes the pod ready", async () => {
    const app = saying(["stat", "/dev/notify", ",", "notify", "STATUS=warming up\nMAINPID=1", "READY=1", ",", "wait"], {
      uid: 1000,
      gid: 1000,
      capabilities: [],
    });
    const pod = await makePod(scratch, { apps: [app] });
    const running = await startPod(pod);
    await running.event("ready");
    assert.deepEqual(fileOf(pod, "status", "main.ready"), "1\n");
    assert.equal(fileOf(pod, "ready"), "");
    await until(() => existsSync(join(pod.path, "status", "main.text")));
    assert.equal(fileOf(pod, "status", "main.text"), "warming up");
    await running.output("waiting");
    running.child.kill("SIGTERM");
    const { status, events, stdout } = await running.ended;
    assert.equal(status, 40);
    assert.deepEqual(kinds(events), ["app-started", "app-ready", "ready", "app-exited", "exited"]);
    assert.match(valuesOf(stdout, "path./dev/notify")[0] ?? "", /^140666,0,0,/);
    assert.deepEqual(valuesOf(stdout, "notify"), ["ok", "ok"]);
  });

  it("a pod whose app has not said it is not ready, and one without such apps is when they are executed", async () => {
    const pod = await makePod(scratch, { apps: [saying(["notify", "STATUS=never", ",", "wait"])] });
    const running = await startPod(pod);
    await running.output("waiting");
    assert.equal(fileOf(pod, "status", "main.ready"), "0\n");
    assert.equal(existsSync(join(pod.path, "ready")), false);
    running.child.kill("SIGTERM");
    const { events } = await running.ended;
    assert.deepEqual(kinds(events), ["app-started", "app-exited", "exited"]);
    assert.equal(fileOf(pod, "status", "main.text"), "never", "the end does not lose what was said before");
    const plain = await runPod(scratch, { command: ["/guest", "exit", "0"] });
    assert.ok(existsSync(join(plain.pod.path, "ready")));
    assert.deepEqual(readdirSync(join(plain.pod.path, "status")), ["main"]);
  });

  it("of several apps all that say it must have said it; others have no socket", async () => {
    const apps = [
      saying(["wait"], { name: "late" }),
      saying(["notify", "READY=1", ",", "wait"], { name: "early" }),
      makeApp(scratch, { name: "plain", command: ["/guest", "stat", "/dev/notify", ",", "wait"] }),
    ];
    const running = await startPod(await makePod(scratch, { apps }));
    const { app } = await running.event("app-ready");
    assert.equal(app, "early");
    await running.output("path./dev/notify=ENOENT");
    running.child.kill("SIGTERM");
    assert.ok(!kinds((await running.ended).events).includes("ready"));
  });

  it("what is said right before the end counts, also by a process that has ended when it is heard", async () => {
    for (const verb of ["notify", "notify-child"]) {
      const pod = await makePod(scratch, { apps: [saying([verb, "READY=1"])] });
      const { status, events } = await (await startPod(pod)).ended;
      assert.equal(status, 0);
      assert.deepEqual(kinds(events), ["app-started", "app-ready", "ready", "app-exited", "exited"], verb);
    }
  });

  it("an app with handlers has it, too", async () => {
    const app = saying(["notify", "READY=1", ",", "wait"], { preStart: ["/guest", "exit", "0"] });
    const running = await startPod(await makePod(scratch, { apps: [app] }));
    await running.event("ready");
    await running.output("waiting");
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 40);
  });

  for (const keepRoot of [false, true]) {
    it(`an app that is started again says it anew, and until then the pod is not ready, keepRoot ${keepRoot}`, async () => {
      const restart = { policy: "always", most: 0, keepRoot } as const;
      // What is said by what the run leaves behind, and is not heard before the end, is not the next run's.
      const app = saying(["notify", "READY=1", "STATUS=up", "READY=1", ",", "sleep", "1", ",", "exit", "1"], {
        restart,
      });
      const pod = await makePod(scratch, { apps: [app] });
      const running = await startPod(pod);
      await running.event("ready");
      const isReady = (): boolean => existsSync(join(pod.path, "ready"));
      for (let run = 0; run < 2; run++) {
        await until(() => isReady() && fileOf(pod, "status", "main.ready") === "1\n");
        await until(() => !isReady() && fileOf(pod, "status", "main.ready") === "0\n");
      }
      await until(isReady);
      running.child.kill("SIGTERM");
      const { events } = await running.ended;
      assert.equal(kinds(events).filter((kind) => kind === "ready").length, 1);
      assert.ok(kinds(events).filter((kind) => kind === "app-ready").length >= 3, JSON.stringify(events));
    });
  }

  it("what a run left unread in a root that is kept makes the next one not ready", async () => {
    const once = ["notify-flood", "200", "100", ",", "notify", "READY=1", ",", "exit", "1"];
    const restart = { policy: "on-failure", most: 1, keepRoot: true } as const;
    const app = saying(["wait"], { restart, preStart: ["/guest", "exit", "0"], postStop: ["/guest", ...once] });
    const pod = await makePod(scratch, { apps: [app] });
    const running = await startPod(pod);
    await running.output("waiting");
    await until(() => existsSync(join(pod.path, "pids", "main")));
    process.kill(Number(fileOf(pod, "pids", "main").split(" ")[0]), "SIGKILL");
    await until(
      () =>
        existsSync(join(pod.path, "status", "main.restarts")) &&
        fileOf(pod, "status", "main.restarts").endsWith("running\n"),
    );
    await sleep(300);
    assert.deepEqual([fileOf(pod, "status", "main.ready"), existsSync(join(pod.path, "ready"))], ["0\n", false]);
    running.child.kill("SIGTERM");
    assert.ok(!kinds((await running.ended).events).includes("app-ready"));
  });

  it("a plan that names another place than right below /dev is refused", async () => {
    for (const notify of ["/run/notify", "/dev/pts/notify", `/dev/${"n".repeat(110)}`]) {
      const { events, status } = await runPod(scratch, { apps: [saying(["exit", "0"], { notify })] });
      assert.deepEqual([status, events[0]?.["step"]], [125, "plan"], notify);
    }
  });
});

describe("SHIM-31: a hostile app", () => {
  it("a flood, and datagrams that are long or binary, count for nothing, and hold up nothing", async () => {
    const app = saying([
      ...["notify-flood", "600", "100", ",", "notify-flood", "50", "100000", ",", "notify-flood", "50", "0", ","],
      ...["notify", `READY=1\n${"x".repeat(5000)}`, "ready=1", "READY=10", " READY=1", "XREADY=1", ","],
      ...["print", "300000", ",", "wait"],
    ]);
    const pod = await makePod(scratch, { apps: [app] });
    const running = await startPod(pod);
    await running.output("waiting");
    const { stdout, status } = await ended(running);
    assert.equal(fileOf(pod, "status", "main.ready"), "0\n");
    const [first = ""] = valuesOf(stdout, "flood");
    assert.deepEqual([status, first], [40, "600,ok"], "who sends too much waits, and goes on");
  });

  it("descriptors that come along are dropped", async () => {
    const running = await startPod(
      await makePod(scratch, { apps: [saying(["notify-descriptors", "64", ",", "wait"])] }),
    );
    await running.event("ready");
    const before = descriptorsOf(running);
    await running.output(/descriptors=\d+/);
    await running.output("waiting");
    // While it reads its cgroup, say, it holds one more for an instant; what came along would stay.
    await until(() => descriptorsOf(running) <= before);
    const held = openLinks(running.child.pid);
    assert.equal(held.filter((target) => target === "/dev/null").length <= 3, true, held.join(" "));
    assert.equal((await ended(running)).status, 40);
  });

  it("unlinking or replacing the socket keeps the app from being ready, and nothing else", async () => {
    const app = saying(["cat", "/proc/self/comm", ",", "notify", "READY=1", ",", "wait"]);
    const replaced = { ...app, preStart: ["/guest", "unlink", "/dev/notify"] };
    const running = await startPod(await makePod(scratch, { apps: [replaced] }));
    await running.output("waiting");
    const { status, stdout } = await ended(running);
    assert.deepEqual([status, valuesOf(stdout, "notify")], [40, ["ENOENT"]]);
  });

  it("a process outside of the pod counts for nothing", async () => {
    const running = await startPod(await makePod(scratch, { apps: [saying(["wait"])] }));
    await running.output("waiting");
    const init = Number((await running.event("app-started"))["pid"]);
    const script =
      'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.sendto(b"READY=1",sys.argv[1])';
    execFileSync("python3", ["-c", script, `/proc/${init}/root/dev/notify`]);
    await sleep(200);
    assert.ok(!kinds((await ended(running)).events).includes("ready"));
  });
});

async function ended(running: RunningShim) {
  running.child.kill("SIGTERM");
  return await running.ended;
}
