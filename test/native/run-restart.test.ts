/** Apps that are started again after their end: when, in what, and what the others see of it (SHIM-10 to SHIM-15). */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppPlan } from "../../src/shim/plan.ts";
import type { RestartPlan } from "../../src/shim/stages.ts";
import { hierarchies } from "../helpers/hierarchies.ts";
import {
  fileScratch,
  makeApp,
  makePod,
  mappedRoot,
  recordedStatus,
  runPod,
  startPod,
  valuesOf,
} from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const guest = (...words: readonly string[]): readonly string[] => ["/guest", ...words];
const failing = (most: number): RestartPlan => ({ policy: "on-failure", most, keepRoot: false });

/**
 * The reports between marks, without what differs from one process, and from one mount namespace, to the next: numbers of processes, descriptors
 * and mounts. Lines of mounts are sorted, as they come in the order of such numbers.
 */
function reports(text: string): readonly (readonly string[])[] {
  const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid|ns\.mnt|ns\.cgroup)[=:]/;
  const numbers = /(?<=^mount\.)\d+ \d+ 0:\d+|(?<=dir=\/proc\/self\/fd\/)\d+/g;
  return [...text.matchAll(/begin\n(.*?)end\n/gs)].map(([, part = ""]) => {
    const lines = part.split("\n").filter((line) => !own.test(line));
    return lines.map((line) => line.replaceAll(numbers, "N")).toSorted();
  });
}

/** Of another pod: its namespaces are others. */
const withoutNamespaces = (lines: readonly string[] | undefined) => lines?.filter((line) => !/^ns\./.test(line));

/** Empty for what is no process, or has none. */
function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

describe("an app that is started again", () => {
  it("SHIM-10: on-failure: until it ends well, or as often as the plan says; its last status is the pod's", async () => {
    const command = guest("echo", "run", ",", "exit", "3");
    const { status, stdout, events, pod } = await runPod(scratch, { app: { command, restart: failing(2) } });
    assert.deepEqual([status, stdout], [3, "run\n".repeat(3)], JSON.stringify(events));
    assert.deepEqual(
      events.map(({ event }) => event),
      [...["app-started", "ready", "app-exited", "app-started", "app-exited", "app-started", "app-exited", "exited"]],
    );
    assert.equal(await recordedStatus(pod), "3");
    assert.match(await readFile(join(pod.path, "status/main.restarts"), "utf8"), /^2 3 \d{10} running\n$/);
    const well = await runPod(scratch, { app: { command: guest("exit", "0"), restart: failing(5) } });
    assert.deepEqual([well.status, readdirSync(join(well.pod.path, "status"))], [0, ["main"]]);
  });

  it("SHIM-10: always: after a good end, too, until the pod is stopped, which ends it at once", async () => {
    const restart: RestartPlan = { policy: "always", most: 0, keepRoot: false };
    const running = await startPod(await makePod(scratch, { app: { command: guest("echo", "run"), restart } }));
    await running.output(/run\nrun\nrun\n/);
    running.child.kill("SIGTERM");
    const { status, events } = await running.ended;
    assert.ok(status === 0 || status === 143, `${status}: as it waited, or ran`);
    assert.equal(events.at(-1)?.["event"], "exited");
  });

  it("SHIM-11: waits 100 ms before it is started again, then twice as long each time", async () => {
    const { stdout } = await runPod(scratch, {
      app: { command: guest("echo", "run", ",", "exit", "1"), restart: failing(4) },
    });
    assert.equal(stdout, "run\n".repeat(5));
  });

  for (const user of [true, false]) {
    it(`SHIM-12: has the confinement of its first start, line by line, user namespace ${user}`, async () => {
      const app: Partial<AppPlan> = {
        restart: failing(2),
        environment: [["PATH", "/"]],
        rlimits: [{ name: "core", soft: 0, hard: 0 }],
        umask: 0o027,
        oomScore: 500,
        command: guest("echo", "begin", ",", "all", ",", "echo", "end", ",", "exit", "1"),
      };
      for (const choice of [
        app,
        { ...app, uid: 12, gid: 13, groups: [14], cwd: "/dev" },
        { ...app, noNewPrivileges: false },
      ]) {
        const { stdout, events } = await runPod(scratch, { app: choice, user });
        const [first, second, third, ...others] = reports(stdout);
        assert.ok(first !== undefined && first.length > 60, stdout + JSON.stringify(events));
        assert.deepEqual(second, first);
        assert.deepEqual(third, first);
        assert.deepEqual(others, []);
        const plain = await runPod(scratch, { app: { ...choice, restart: undefined }, user });
        const [once] = reports(plain.stdout);
        assert.deepEqual(withoutNamespaces(once), withoutNamespaces(first), "as an app that is never started again");
      }
    });
  }

  it("SHIM-13: has a new root each time: nothing that the run before wrote is there (ACE-8)", async () => {
    const { stdout, status, pod } = await runPod(scratch, {
      app: {
        restart: failing(2),
        command: guest(
          "list",
          "/",
          ",",
          "write",
          "/mine",
          "x",
          ",",
          "write",
          "/dev/shm/mine",
          "x",
          ",",
          "list",
          "/dev/shm",
          ",",
          "exit",
          "1",
        ),
      },
    });
    assert.equal(status, 1);
    assert.deepEqual(valuesOf(stdout, "write./mine"), ["ok", "ok", "ok"]);
    assert.equal(valuesOf(stdout, "list./").filter((name) => name === "mine").length, 0, stdout);
    const upper = statSync(join(pod.path, "main/upper"));
    assert.deepEqual([upper.uid, upper.gid], [mappedRoot, mappedRoot]);
    assert.equal(readFileSync(join(pod.path, "main/upper/mine"), "utf8"), "x", "what the last run wrote is kept");
  });

  it("SHIM-13: keeps its root where the plan says so", async () => {
    const { stdout } = await runPod(scratch, {
      app: {
        restart: { policy: "on-failure", most: 1, keepRoot: true },
        command: guest("list", "/", ",", "write", "/mine", "x", ",", "exit", "1"),
      },
    });
    assert.equal(valuesOf(stdout, "list./").filter((name) => name === "mine").length, 1, stdout);
  });

  it("SHIM-13: has its handlers around every run", async () => {
    const { stdout, status } = await runPod(scratch, {
      app: {
        restart: failing(1),
        preStart: guest("list", "/", ",", "write", "/before", "x"),
        command: guest("cat", "/before", ",", "exit", "6"),
        postStop: guest("cat", "/before", ",", "echo", "after"),
      },
    });
    assert.equal(status, 6);
    assert.equal(valuesOf(stdout, "list./").includes("before"), false, stdout);
    assert.deepEqual(
      stdout.split("\n").filter((line) => !line.startsWith("list")),
      [...["write./before=ok", "xxafter", "write./before=ok", "xxafter", ""]],
    );
  });

  it("SHIM-14: leaves no process behind: what it forked is killed before it is started again", async () => {
    const { stdout, status } = await runPod(scratch, {
      app: { restart: failing(2), command: guest("processes", ",", "fork", "20", ",", "exit", "1") },
    });
    assert.equal(status, 1);
    const zombies = valuesOf(stdout, "zombies");
    const alive = valuesOf(stdout, "processes").map((count, run) => Number(count) - Number(zombies[run]));
    assert.equal(alive.length, 3);
    // init and the app, and perhaps the last of the process that made its root.
    for (const count of alive) assert.ok(count === 2 || count === 3, stdout);
  });

  it("SHIM-14: nothing of it lives on when the supervisor is killed between two runs", async () => {
    const restart: RestartPlan = { policy: "always", most: 0, keepRoot: false };
    const command = guest("echo", "run", ",", "fork", "3", ",", "exit", "0");
    const pod = await makePod(scratch, { app: { command, restart } });
    const running = await startPod(pod);
    await running.output(/run\n.*run\n/s);
    const { pid } = await running.event("ready");
    running.child.kill("SIGKILL");
    await running.ended;
    while (existsSync(`/proc/${pid}`)) await sleep(10);
    const inPod = readdirSync("/proc").filter((name) => cwdOf(name).includes(pod.path));
    assert.deepEqual(inPod, [], "not even what makes its root anew");
  });

  it("SHIM-15: that cannot be started again ends the pod, and is told", async () => {
    const program = join(scratch.rootfs, "program");
    copyFileSync(join(scratch.rootfs, "guest"), program);
    const pod = await makePod(scratch, { app: { command: ["/program", "wait"], restart: failing(3) } });
    const running = await startPod(pod, { arguments: ["--report", "text"] });
    await running.event("ready");
    await running.output("waiting");
    rmSync(program);
    process.kill(Number(readFileSync(join(pod.path, "pids/main"), "utf8").split(" ")[0]), "SIGKILL");
    const { status, stderr } = await running.ended;
    assert.equal(status, 127);
    assert.match(stderr, /^error\[EXEC_NOT_FOUND\]: the app's program is not in the image: \/program$/m);
    assert.match(readFileSync(join(pod.path, "status/main.restarts"), "utf8"), /^0 137 \d{10} waiting\n$/);
  });

  it("SHIM-15: whose root cannot be made anew ends the pod, and is told", async () => {
    const pod = await makePod(scratch, { app: { command: guest("wait"), restart: failing(3) } });
    const running = await startPod(pod, { arguments: ["--report", "text"] });
    await running.event("ready");
    await running.output("waiting");
    renameSync(join(pod.path, "main"), join(pod.path, "gone"));
    process.kill(Number(readFileSync(join(pod.path, "pids/main"), "utf8").split(" ")[0]), "SIGKILL");
    const { status, stderr } = await running.ended;
    assert.equal(status, 125);
    assert.match(stderr, /^error\[SHIM_FAILED\]: the pod could not be run: restart main\n {2}cause: ENOENT/);
    assert.equal(await recordedStatus(pod), "137");
  });
});

describe("one of several apps that is started again", () => {
  const places = hierarchies();
  it("has a hierarchy to be told by", () => assert.ok(places.length > 0));
  for (const place of places) {
    it(`SHIM-14: leaves nothing in its cgroup, and the other app is left alone: ${place}`, async () => {
      const cgroup = join(place, `perigee-test-${process.pid}-again`);
      mkdirSync(cgroup);
      try {
        const command = guest("processes", ",", "fork", "20", ",", "cgroups", ",", "exit", "1");
        const { status, stdout, events } = await runPod(scratch, {
          apps: [
            makeApp(scratch, { name: "other", command: guest("sleep", "60") }),
            makeApp(scratch, { name: "again", command, restart: failing(2), cgroups: [cgroup] }),
          ],
          plan: { removeCgroups: [cgroup] },
        });
        assert.equal(status, 1, JSON.stringify(events));
        const zombies = valuesOf(stdout, "zombies");
        const alive = valuesOf(stdout, "processes").map((count, run) => Number(count) - Number(zombies[run]));
        assert.equal(alive.length, 3);
        // init, both apps, and perhaps the last of the process that made the root.
        for (const count of alive) assert.ok(count === 3 || count === 4, stdout);
        assert.equal(existsSync(cgroup), false);
      } finally {
        if (existsSync(cgroup)) rmdirSync(cgroup);
      }
    });
  }
});
