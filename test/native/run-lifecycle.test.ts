import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, existsSync, openSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { assertNoMountLeft, mountLines } from "../helpers/mounts.ts";
import { fileScratch, makeApp, makePod, runPod, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

/** Waits for the end of a process that is not a child: pidfd-like, by the file that goes away. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      const text = await readFile(`/proc/${pid}/stat`, "utf8");
      if (text.slice(text.lastIndexOf(")") + 2).startsWith("Z")) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const startTime = (stat: string): string => stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";

describe("the files of a running pod", () => {
  it("`pid` has init and its start time; `status` comes with the end", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "wait"] });
    const running = await startPod(pod);
    const init = Number((await running.event("ready"))["pid"]);
    const [pid, start] = (await readFile(join(pod.path, "pid"), "utf8")).trim().split(" ");
    assert.equal(Number(pid), init);
    assert.equal(start, startTime(await readFile(`/proc/${init}/stat`, "utf8")));
    assert.equal(existsSync(join(pod.path, "status/main")), false);
    await running.output("waiting");
    running.child.kill("SIGTERM");
    await running.ended;
    assert.equal(await readFile(join(pod.path, "status/main"), "utf8"), "40\n");
    const left = (await readdir(pod.path, { recursive: true })).filter((name) => name.endsWith(".tmp"));
    assert.deepEqual(left, [], "no temporary file is left");
  });
});

describe("the lock of the pod directory", () => {
  const isLocked = (path: string): boolean => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      execFileSync("flock", ["--nonblock", "--shared", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
      return false;
    } catch {
      return true;
    } finally {
      closeSync(fd);
    }
  };
  it("is held as long as the supervisor lives, and by it alone: kill -9 frees it", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "wait"] });
    const running = await startPod(pod);
    await running.output("waiting");
    assert.equal(isLocked(pod.path), true);
    running.child.kill("SIGKILL");
    await running.ended;
    assert.equal(isLocked(pod.path), false);
  });
  it("of somebody else stops the start", async () => {
    const pod = await makePod(scratch);
    const first = await startPod({
      ...pod,
      plan: { ...pod.plan, apps: [makeApp(scratch, { command: ["/guest", "wait"] })] },
    });
    await first.output("waiting");
    const second = await startPod(pod);
    const { status, events } = await second.ended;
    assert.deepEqual([status, events[0]?.["step"], events[0]?.["errno"]], [125, "lock", "EAGAIN"]);
    first.child.kill("SIGTERM");
    await first.ended;
  });
});

describe("kill -9", () => {
  it("of the supervisor ends init and every process of the pod at once", async () => {
    const apps = [
      makeApp(scratch, { name: "a", command: ["/guest", "stubborn", "600"] }),
      makeApp(scratch, { name: "b", command: ["/guest", "wait", "600"] }),
    ];
    const running = await startPod(await makePod(scratch, { apps }));
    await running.event("ready");
    const events = (await Promise.all(["ready", "app-started"].map((kind) => running.event(kind)))).map((event) =>
      Number(event["pid"]),
    );
    running.child.kill("SIGKILL");
    for (const pid of events) await gone(pid);
  });
  it("of init ends the pod: 137 for every app, recorded", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "stubborn", "600"] });
    const running = await startPod(pod);
    await running.output("waiting");
    process.kill(Number((await running.event("ready"))["pid"]), "SIGKILL");
    assert.equal((await running.ended).status, 137);
    assert.equal(await readFile(join(pod.path, "status/main"), "utf8"), "137\n");
  });
  it("of an app is the app's status", async () => {
    const running = await startPod(await makePod(scratch, { command: ["/guest", "wait"] }));
    process.kill(Number((await running.event("app-started"))["pid"]), "SIGKILL");
    assert.equal((await running.ended).status, 137);
  });
});

describe("teardown", () => {
  it("programs run at the end, in order, with their input, an empty environment and the lock held", async () => {
    const program = join(scratch.directory, "teardown");
    const result = join(scratch.directory, "torn-down");
    await writeFile(
      program,
      `#!/bin/sh\n{ cat; env | grep -v '^PWD=\\|^SHLVL=\\|^_='; flock --nonblock --shared . true && echo free || echo locked; } >> ${result}\n`,
    );
    await chmod(program, 0o755);
    const pod = await makePod(scratch, {
      command: ["/guest", "exit", "4"],
      plan: { teardowns: ["one", "two"].map((stdinFile) => ({ program, stdinFile })) },
    });
    await writeFile(join(pod.path, "one"), "first\n");
    await writeFile(join(pod.path, "two"), "second\n");
    const running = await startPod(pod);
    running.stdin.end();
    assert.equal((await running.ended).status, 4);
    assert.deepEqual((await readFile(result, "utf8")).split("\n"), ["first", "locked", "second", "locked", ""]);
  });
  it("NET-20: has the environment it is given; its input is removed when it ended well, and stays when not", async () => {
    const result = join(scratch.directory, "torn-down-environment");
    const script = async (name: string, status: number) => {
      const path = join(scratch.directory, name);
      await writeFile(path, `#!/bin/sh\ncat > /dev/null; echo "$GIVEN $NET" >> ${result}; exit ${status}\n`, {
        mode: 0o755,
      });
      return path;
    };
    const given = { environment: [["GIVEN", "a=b"]] as const, netVariable: "NET" };
    const pod = await makePod(scratch, {
      command: ["/guest", "exit", "0"],
      plan: {
        teardowns: [
          { program: await script("teardown-well", 0), stdinFile: "well", ...given },
          { program: await script("teardown-ill", 1), stdinFile: "ill", environment: [] },
        ],
      },
    });
    for (const name of ["well", "ill"]) await writeFile(join(pod.path, name), "");
    const running = await startPod(pod);
    running.stdin.end();
    assert.equal((await running.ended).status, 0);
    assert.equal(await readFile(result, "utf8"), "a=b \n \n");
    assert.deepEqual(
      ["well", "ill"].map((name) => existsSync(join(pod.path, name))),
      [false, true],
    );
  });
  it("runs when the start failed, too", async () => {
    const result = join(scratch.directory, "torn-down-failed");
    const program = join(scratch.directory, "teardown-failed");
    await writeFile(program, `#!/bin/sh\ncat > ${result}\n`, { mode: 0o755 });
    const pod = await makePod(scratch, {
      command: ["/missing"],
      plan: { teardowns: [{ program, stdinFile: "input" }] },
    });
    await writeFile(join(pod.path, "input"), "told");
    const running = await startPod(pod);
    assert.equal((await running.ended).status, 127);
    assert.equal(await readFile(result, "utf8"), "told");
  });
});

describe("cgroups", () => {
  const name = `perigee-test-${process.pid}`;
  let controllers: readonly string[];
  before(async () => {
    const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" "));
    controllers = mounts
      .filter((fields) => ["cgroup", "cgroup2"].includes(fields[fields.indexOf("-") + 1] ?? ""))
      .map((fields) => fields[4] ?? "");
    assert.ok(controllers.length > 0, "no cgroup file system is mounted");
  });
  /** A cgroup of our own below each hierarchy, usable at once: cpuset needs its parent's processors and memory. */
  const makeCgroups = async (suffix: string): Promise<string[]> =>
    Promise.all(
      controllers.map(async (controller) => {
        const path = join(controller, `${name}-${suffix}`);
        await mkdir(path);
        for (const file of ["cpuset.cpus", "cpuset.mems"]) {
          if (!existsSync(join(path, file))) continue;
          await writeFile(join(path, file), await readFile(join(controller, file)));
        }
        return path;
      }),
    );
  const remove = async (paths: readonly string[]): Promise<void> => {
    for (const path of paths) if (existsSync(path)) await rmdir(path);
  };

  for (const user of [true, false]) {
    it(`are joined by init and the apps, shown as the root, and removed at the end, user namespace ${user}`, async () => {
      const cgroups = await makeCgroups(`join-${user}`);
      try {
        const pod = await makePod(scratch, {
          command: ["/guest", "wait"],
          plan: { cgroups, removeCgroups: cgroups },
          user,
        });
        const running = await startPod(pod);
        await running.output("waiting");
        const init = Number((await running.event("ready"))["pid"]);
        const app = Number((await running.event("app-started"))["pid"]);
        for (const path of cgroups) {
          const members = (await readFile(join(path, "cgroup.procs"), "utf8")).trim().split("\n").map(Number);
          assert.deepEqual(new Set(members), new Set([init, app]), path);
        }
        running.child.kill("SIGTERM");
        await running.ended;
        for (const path of cgroups) assert.equal(existsSync(path), false, path);
      } finally {
        await remove(cgroups);
      }
    });
    it(`of an app are joined by it alone, and are the root of its cgroup namespace, user namespace ${user}`, async () => {
      const [parents, own] = [await makeCgroups(`pod-${user}`), await makeCgroups(`app-${user}`)];
      try {
        const apps = [
          makeApp(scratch, { name: "a", command: ["/guest", "cgroups"], cgroups: own }),
          makeApp(scratch, { name: "b", command: ["/guest", "cgroups"] }),
        ];
        const { status, stdout } = await runPod(scratch, {
          apps,
          user,
          plan: { cgroups: parents, removeCgroups: [...own, ...parents] },
        });
        assert.equal(status, 0);
        const lines = stdout
          .trim()
          .split("\n")
          .filter((line) => line.includes(":") && line !== "");
        assert.equal(lines.length, controllers.length * 2);
        assert.ok(
          lines.every((line) => line.endsWith(":/")),
          stdout,
        );
        for (const path of [...own, ...parents]) assert.equal(existsSync(path), false, path);
      } finally {
        await remove([...own, ...parents]);
      }
    });
  }
  it("memory used beyond the limit ends the app with 137", async (test) => {
    const limits = [
      ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
      ["memory.max", "memory.swap.max"],
    ];
    const cgroups = await makeCgroups("memory");
    try {
      const limited = cgroups.find((path) => limits.some(([file]) => existsSync(join(path, file ?? ""))));
      assert.ok(limited, "no memory controller");
      const file = limits.map(([limit]) => join(limited, limit ?? "")).find((path) => existsSync(path));
      await writeFile(file ?? "", String(32 * 1024 * 1024));
      const { status } = await runPod(scratch, {
        command: ["/guest", "alloc", String(200 * 1024 * 1024)],
        plan: { cgroups, removeCgroups: cgroups },
      });
      assert.equal(status, 137, test.name);
    } finally {
      await remove(cgroups);
    }
  });
  it("what is left in a cgroup is killed before it is removed", async () => {
    const cgroups = await makeCgroups("left");
    const left = spawn("sleep", ["600"], { stdio: "ignore" });
    const killed = new Promise((resolve) => left.on("exit", (_, signal) => resolve(signal)));
    try {
      for (const path of cgroups) await writeFile(join(path, "cgroup.procs"), String(left.pid));
      const { status } = await runPod(scratch, { plan: { removeCgroups: cgroups } });
      assert.equal(status, 0);
      assert.equal(await killed, "SIGKILL");
      for (const path of cgroups) assert.equal(existsSync(path), false, path);
    } finally {
      left.kill("SIGKILL");
      await killed;
      await remove(cgroups);
    }
  });
  it("a path that is no cgroup is refused", async () => {
    const { status, events } = await runPod(scratch, { plan: { cgroups: [scratch.rootfs] } });
    assert.deepEqual([status, events[0]?.["step"]], [125, "cgroup"]);
  });
  it("T-R53: a v2 device program decides what can be opened", async () => {
    const v2 = (await makeCgroups("devices")).filter((path) => existsSync(join(path, "cgroup.kill")));
    const rest = controllers
      .map((controller) => join(controller, `${name}-devices`))
      .filter((path) => !v2.includes(path));
    await remove(rest);
    assert.equal(v2.length, 1, "no v2 hierarchy");
    try {
      // r0 = 0; exit: nothing is allowed.
      const program = Buffer.from("b7000000000000009500000000000000", "hex");
      const plan = { cgroups: v2, removeCgroups: v2, deviceFilter: { cgroup: v2[0] ?? "", program } };
      const { stdout } = await runPod(scratch, { command: ["/guest", "open", "/dev/zero"], plan });
      assert.equal(stdout, "open./dev/zero=EPERM,EPERM\n");
    } finally {
      await remove(v2);
    }
  });
});

describe("the pod's end", () => {
  it("leaves no mount, no process and no temporary file", async () => {
    const mounts = mountLines();
    const { status, stdout } = await runPod(scratch, { command: ["/guest", "orphans", "3"] });
    assert.equal(status, 0, stdout);
    await assertNoMountLeft(mounts);
    assert.deepEqual(valuesOf(stdout, "error"), []);
  });
});
