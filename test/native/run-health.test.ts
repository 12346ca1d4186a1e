/** Health checks: when they are made, in what, what they say, and what becomes of an app that is not well (SHIM-16 to SHIM-19). */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppPlan, Plan } from "../../src/shim/plan.ts";
import type { HealthPlan } from "../../src/shim/stages.ts";
import { limitingHierarchies } from "../helpers/hierarchies.ts";
import {
  fileScratch,
  guest as guestProgram,
  makeApp,
  makePod,
  type PodDirectory,
  type RunningShim,
  startPod,
  valuesOf,
} from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const guest = (...words: readonly string[]): readonly string[] => ["/guest", ...words];
const checking = (command: readonly string[], changes: Partial<HealthPlan> = {}): HealthPlan => ({
  command,
  interval: 30,
  timeout: 10_000,
  startPeriod: 0,
  retries: 2,
  action: "none",
  ...changes,
});

interface Scene extends RunningShim {
  readonly pod: PodDirectory;
  /** The file of the app's health as soon as it matches. */
  health(pattern: RegExp): Promise<string>;
  stop(): Promise<{ readonly status: number | null; readonly stdout: string }>;
}

async function start(app: Partial<AppPlan>, user = true, plan: Partial<Plan> = {}): Promise<Scene> {
  const pod = await makePod(scratch, { app, user, plan });
  const running = await startPod(pod);
  running.stdin.end();
  await running.event("ready");
  const health = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const text = readFileSync(join(pod.path, "status/main.health"), "latin1");
      if (pattern.test(text)) return text;
      assert.equal(running.child.exitCode, null, `${text} never matched ${pattern}`);
      await sleep(10);
    }
  };
  /** When the app, which waits, has seen to its signals. */
  const stop = async () => {
    await running.output("waiting");
    running.child.kill("SIGTERM");
    return await running.ended;
  };
  return { ...running, pod, health, stop };
}

/** What a process reports of itself, without what differs from one process to the next. */
const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid|controlling)[=:]/;
const report = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "" && !own.test(line));

describe("a check", () => {
  it("SHIM-16: makes the app healthy, or unhealthy once so many have failed", async () => {
    const well = await start({ command: guest("wait"), health: checking(guest("echo", "fine")) });
    assert.equal(await well.health(/^healthy/), "healthy 0 0\nfine\n");
    assert.equal((await well.stop()).status, 40);
    // Each check waits at the gate until somebody writes there.
    const gates = join(scratch.directory, "gates");
    mkdirSync(gates);
    execFileSync("mkfifo", ["--mode=666", join(gates, "gate")]);
    const ill = await start({
      command: guest("wait", "3600"),
      mounts: [...makeApp(scratch).mounts, { source: gates, target: "/gates", type: "bind", flags: [], data: "" }],
      health: checking(guest("cat", "/gates/gate", ",", "error", "no", ",", "exit", "7"), {
        retries: 3,
        timeout: 3_600_000,
      }),
    });
    for (const expected of ["starting 1", "starting 2", "unhealthy 3", "unhealthy 4"]) {
      await writeFile(join(gates, "gate"), "");
      assert.equal(await ill.health(new RegExp(`^${expected} `)), `${expected} 7\nno\n`);
    }
    assert.equal((await ill.stop()).status, 40, "it only is told");
  });

  it("SHIM-16: counts no failure while the app may still start", async () => {
    const health = checking(guest("exit", "1"), { startPeriod: 3_600_000, retries: 1 });
    const { health: told, stop } = await start({ command: guest("wait"), health });
    await told(/^starting 0 1\n/);
    await stop();
  });

  for (const user of [true, false]) {
    it(`SHIM-16: has the confinement of the app, line by line, user namespace ${user}`, async () => {
      const base: Partial<AppPlan> = {
        command: guest("all", ",", "wait"),
        uid: 12,
        gid: 13,
        groups: [14],
        cwd: "/dev",
        umask: 0o027,
        rlimits: [{ name: "core", soft: 0, hard: 0 }],
        oomScore: 500,
      };
      for (const app of [base, { ...base, uid: 0, gid: 0, groups: [], noNewPrivileges: false }]) {
        // In two halves, because 4096 bytes are kept of each.
        for (const verb of ["privileges", "mounts", "namespaces", "cgroups", "limits", "ids", "env", "cwd"]) {
          const scene = await start(
            { ...app, command: guest("echo", "begin", ",", verb, ",", "wait"), health: checking(guest(verb)) },
            user,
          );
          const text = await scene.health(/^healthy/);
          await scene.output("waiting");
          const { stdout } = await scene.stop();
          const ofApp = report(stdout.slice(stdout.indexOf("begin\n") + 6, stdout.indexOf("waiting")));
          assert.ok(ofApp.length > 0, verb);
          assert.deepEqual(report(text.slice(text.indexOf("\n") + 1)), ofApp, verb);
        }
      }
    });
  }

  it("SHIM-17: writes neither to the app's output nor to its log, has no input, and 4096 bytes of it are kept", async () => {
    const log = { path: "log", bytes: 65536, files: 2 };
    const command = guest("cat", ",", "print", "200000", ",", "echo", "the-end");
    const scene = await start({ command: guest("wait"), log, health: checking(command) });
    const text = await scene.health(/^healthy/);
    assert.ok(text.endsWith("the-end\n"));
    assert.equal(text.length, "healthy 0 0\n".length + 4096);
    const { stdout } = await scene.stop();
    assert.ok(!stdout.includes("the-end"));
    assert.ok(!readFileSync(join(scene.pod.path, "log"), "latin1").includes("the-end"));
  });

  it("SHIM-18: that hangs is killed at its limit, with all that it started", async () => {
    const health = checking(guest("fork", "5", ",", "stubborn", "60"), { timeout: 200, interval: 100 });
    const scene = await start({ command: guest("wait"), health });
    assert.match(await scene.health(/^unhealthy/), /^unhealthy \d+ timeout\n/);
    const { pid } = await scene.event("ready");
    const alive = (): number => ofChildren(pid, "status").filter((text) => /^State:\t[^Z]/m.test(text)).length;
    // The app, and perhaps a check. What was killed may not have come to its end yet; what was not would stay for ever.
    let fewest = alive();
    for (let look = 0; look < 3000 && fewest > 2; look++) {
      await sleep(10);
      fewest = Math.min(fewest, alive());
    }
    assert.ok(fewest <= 2, ofChildren(pid, "status").join("\n"));
    assert.equal((await scene.stop()).status, 40);
  });

  it("SHIM-16: that cannot be executed has failed, with the status of that", async () => {
    const scene = await start({ command: guest("wait"), health: checking(["/missing"]) });
    await scene.health(/^unhealthy \d+ 127\n/);
    await scene.stop();
  });
});

/** What there is of `file` of each child of a process; of those that are gone nothing. */
function ofChildren(pid: number | string | undefined, file: string): readonly string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
  return children.flatMap((child) => {
    try {
      return [readFileSync(`/proc/${child}/${file}`, "latin1").trim()];
    } catch {
      return [];
    }
  });
}

/** Somebody who lets nobody execute a file. */
async function hold(file: string): Promise<{ asked(): Promise<void>; end(): Promise<void> }> {
  const child = spawn(guestProgram, ["hold", file], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let text = "";
  const says = async (word: string): Promise<void> => {
    while (!text.includes(word)) {
      assert.equal(child.exitCode, null, text);
      await sleep(10);
    }
  };
  child.stdout.on("data", (bytes: Buffer) => {
    text += bytes;
  });
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  await says("holding");
  return { asked: () => says("asked"), end };
}

describe("a check that does not come to its program", () => {
  it("SHIM-42: holds up nobody: the ends of apps are noticed, and its own app's end is its own", {
    timeout: 120_000,
  }, async () => {
    const volume = join(scratch.directory, "slow");
    mkdirSync(volume);
    copyFileSync(guestProgram, join(volume, "check"));
    const held = await hold(join(volume, "check"));
    try {
      const health = checking(["/slow/check", "exit", "0"], { timeout: 3_600_000 });
      const first = makeApp(scratch, { name: "first", command: guest("cat") });
      const second = makeApp(scratch, { name: "second", command: guest("wait", "3600"), health });
      const mounts = [
        ...second.mounts,
        { source: volume, target: "/slow", type: "bind" as const, flags: ["nosuid", "nodev"] as const, data: "" },
      ];
      const pod = await makePod(scratch, { apps: [first, { ...second, mounts }] });
      const running = await startPod(pod);
      const { pid } = await running.event("ready");
      await held.asked();
      await running.output("waiting");
      running.stdin.end();
      assert.equal((await running.event("app-exited"))["app"], "first");
      // What init made is still what it was made as: it stands before its program.
      assert.ok(ofChildren(pid, "comm").includes("perigee-init"));
      assert.equal(readFileSync(join(pod.path, "status/second.health"), "latin1"), "starting 0 none\n");
      running.child.kill("SIGTERM");
      const { status, events } = await running.ended;
      assert.deepEqual([status, events.at(-1)?.["event"]], [40, "exited"]);
    } finally {
      await held.end();
    }
  });

  for (const place of limitingHierarchies()) {
    for (const [action, expected] of [
      ["none", 40],
      ["kill", 137],
    ] as const) {
      it(`SHIM-41: has failed where nothing can be forked, and the app is unhealthy: ${action}, ${place}`, async () => {
        const cgroup = join(place, `perigee-test-${process.pid}-check-${action}`);
        mkdirSync(cgroup);
        try {
          const app = { command: guest("wait", "3600"), health: checking(guest("exit", "0"), { action }) };
          const scene = await start(app, true, { cgroups: [cgroup], removeCgroups: [cgroup] });
          await scene.health(/^healthy 0 0\n$/);
          writeFileSync(join(cgroup, "pids.max"), "1");
          if (action === "none") {
            await scene.health(/^unhealthy \d+ 125\n$/);
            writeFileSync(join(cgroup, "pids.max"), "max");
            await scene.health(/^healthy 0 0\n$/);
            scene.child.kill("SIGTERM");
          }
          assert.equal((await scene.ended).status, expected);
          assert.match(await readHealth(scene), action === "none" ? /^healthy 0 0\n$/ : /^unhealthy 2 125\n$/);
        } finally {
          if (existsSync(cgroup)) rmdirSync(cgroup);
        }
      });
    }
  }
  it("has a hierarchy that counts processes", () => assert.ok(limitingHierarchies().length > 0));
});

describe("an app that is unhealthy", () => {
  it("SHIM-19: is killed, which ends the pod", async () => {
    const scene = await start({ command: guest("wait"), health: checking(guest("exit", "1"), { action: "kill" }) });
    assert.equal((await scene.ended).status, 137);
    assert.match(await readHealth(scene), /^unhealthy 2 1\n$/);
  });

  it("SHIM-19: is killed, and started again as its policy says", async () => {
    const scene = await start({
      command: guest("echo", "run", ",", "write", "/up", "", ",", "wait"),
      restart: { policy: "on-failure", most: 1, keepRoot: false },
      health: checking(guest("absent", "/up"), { action: "kill" }),
    });
    const { status, stdout } = await scene.ended;
    assert.deepEqual([status, valuesOf(stdout.replaceAll("run", "run="), "run").length], [137, 2]);
  });

  it("SHIM-19: is asked to end, and started again whatever it ends with", async () => {
    const scene = await start({
      // It is well until it may be asked to end.
      command: guest("block", ",", "write", "/up", "", ",", "echo", "run", ",", "wait"),
      restart: { policy: "unhealthy", most: 0, keepRoot: false },
      health: checking(guest("absent", "/up"), { action: "restart" }),
    });
    await scene.output(/^run\n.*^run\n.*^run\n/ms);
    const { status } = await scene.stop();
    assert.ok(status === 40 || status === 137, String(status));
    assert.match(readFileSync(join(scene.pod.path, "status/main.restarts"), "latin1"), /^[2-9] 40 /);
  });
});

async function readHealth({ pod }: Scene): Promise<string> {
  return readFileSync(join(pod.path, "status/main.health"), "latin1");
}
