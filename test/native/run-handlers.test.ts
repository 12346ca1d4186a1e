/** pre-start and post-stop handlers: when they run, in what, and what their end means (SHIM-1 to SHIM-7). */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AppPlan } from "../../src/shim/plan.ts";
import { loggedText } from "../helpers/logs.ts";
import { makeApp, makePod, makeScratch, runPod, type Scratch, startPod, valuesOf } from "../helpers/shim-pod.ts";

let scratch: Scratch;
before(async () => {
  scratch = await makeScratch();
  await writeFile(join(scratch.rootfs, "plain"), "text", { mode: 0o644 });
});
after(() => scratch.remove());

const guest = (...words: readonly string[]): readonly string[] => ["/guest", ...words];

/** What a process reports of itself, without what differs from one process to the next. */
function report(text: string, name: string): readonly string[] {
  const [, part = ""] = new RegExp(`begin ${name}\n([^]*?)end ${name}\n`).exec(text) ?? [];
  const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid)[=:]/;
  return part.split("\n").filter((line) => !own.test(line));
}

const reporting = (name: string): readonly string[] =>
  guest("echo", "begin", name, ",", "all", ",", "echo", "end", name);

describe("handlers of an app", () => {
  for (const user of [true, false]) {
    const apps = (own: Partial<AppPlan>): readonly AppPlan[] => [
      makeApp(scratch, { name: "first", command: guest("exit", "0") }),
      makeApp(scratch, { name: "with", ...own }),
      makeApp(scratch, { name: "last", command: guest("exit", "0") }),
    ];
    it(`SHIM-1: have the root, the rights and the surroundings of the app, line by line, user namespace ${user}`, async () => {
      const own = {
        uid: 12,
        gid: 13,
        groups: [14],
        cwd: "/dev",
        environment: [["PATH", "/"]] as const,
        rlimits: [{ name: "core", soft: 0, hard: 0 }] as const,
        umask: 0o027,
        oomScore: 500,
        preStart: reporting("before"),
        command: reporting("app"),
        postStop: reporting("after"),
      };
      for (const choice of [own, { ...own, uid: 0, gid: 0, groups: [], noNewPrivileges: false }]) {
        for (const list of [apps(choice), [makeApp(scratch, choice)]]) {
          const { status, stdout, events } = await runPod(scratch, { apps: list, user });
          assert.equal(status, 0, JSON.stringify(events));
          const app = report(stdout, "app");
          assert.ok(app.length > 60, stdout);
          assert.deepEqual(report(stdout, "before"), app);
          assert.deepEqual(report(stdout, "after"), app);
        }
      }
    });
  }

  it("SHIM-2: run one after the other in one root, which keeps what each leaves (ACI-36, ACI-37)", async () => {
    const { status, stdout, events, pod } = await runPod(scratch, {
      app: {
        preStart: guest("write", "/trace", "before"),
        command: guest("cat", "/trace", ",", "write", "/trace", "after"),
        postStop: guest("cat", "/trace", ",", "exit", "0"),
      },
    });
    assert.equal(status, 0);
    assert.equal(stdout, "write./trace=ok\nbeforewrite./trace=ok\nafter");
    assert.deepEqual(
      events.map(({ event, handler }) => handler ?? event),
      ["pre-start", "app-started", "ready", "app-exited", "post-stop", "exited"],
    );
    assert.deepEqual((await readdir(join(pod.path, "status"))).sort(), ["main", "main.post-stop"]);
    assert.equal(await readFile(join(pod.path, "status/main.post-stop"), "utf8"), "0\n");
  });

  it("SHIM-2: hold up no other app, and the pod is ready when all have started", async () => {
    const running = await startPod(
      await makePod(scratch, {
        apps: [
          makeApp(scratch, { name: "a", preStart: guest("wait"), command: guest("wait") }),
          makeApp(scratch, { name: "b", command: guest("exit", "0") }),
        ],
      }),
    );
    assert.equal((await running.event("app-started"))["app"], "b");
    // Else the signal could be what b ends by, and with it the pod.
    await running.event("app-exited");
    running.child.kill("SIGTERM");
    const { status, events } = await running.ended;
    assert.equal(status, 125);
    assert.ok(!events.some(({ event }) => event === "ready"));
    const failed = events.find(({ event }) => event === "failed");
    assert.deepEqual([failed?.["step"], failed?.["subject"]], ["pre-start", "a"]);
    assert.match(String(failed?.["message"]), /stopped before the app had started/);
  });

  it("SHIM-3: their output is the app's, in its log too; its standard input is not theirs", async () => {
    const pod = await makePod(scratch, {
      app: {
        preStart: guest("cat", ",", "echo", "before"),
        command: guest("cat", ",", "echo", "app"),
        postStop: guest("cat", ",", "error", "after"),
        log: { path: "log", bytes: 65536, files: 2 },
      },
    });
    const running = await startPod(pod);
    running.stdin.end("for the app\n");
    const { stdout, stderr } = await running.ended;
    assert.deepEqual([stdout, stderr], ["before\nfor the app\napp\n", "after\n"]);
    assert.equal(loggedText(join(pod.path, "log")), "before\nfor the app\napp\nafter\n");
  });

  it("SHIM-3: with a terminal, they have it without controlling it", async () => {
    const app = {
      terminal: true,
      preStart: guest("tty"),
      command: guest("echo", "app", ",", "tty"),
      postStop: guest("echo", "after", ",", "tty"),
    };
    const { status, stdout } = await runPod(scratch, { app });
    assert.equal(status, 0);
    assert.deepEqual(
      ["tty.0", "tty.1", "controlling"].map((key) => valuesOf(stdout.replaceAll("\r", ""), key)),
      [
        ["no", "/dev/pts/0", "no"],
        ["/dev/pts/0", "/dev/pts/0", "/dev/pts/0"],
        ["0", "1", "0"],
      ],
    );
  });
});

describe("a pre-start handler that fails", () => {
  const cases: readonly (readonly [why: string, handler: readonly string[], cause: RegExp])[] = [
    ["a status", guest("exit", "3"), /^\/guest ended with status 3$/],
    ["a signal", guest("signal", "11"), /^\/guest was ended by signal 11$/],
    ["more time than it has", guest("stubborn", "60"), /^\/guest took longer than 1 seconds$/],
    ["a missing program", ["/missing"], /^ENOENT: \/missing: No such file or directory$/],
    ["a file that cannot be executed", ["/plain"], /^EACCES: \/plain: Permission denied$/],
  ];
  for (const [why, preStart, cause] of cases) {
    it(`SHIM-4: keeps the app from starting and fails the pod, which names it: ${why}`, async () => {
      const { status, stdout, stderr, pod } = await runPod(scratch, {
        app: {
          // Only who is to be too late has little time.
          handlerSeconds: preStart.includes("stubborn") ? 1 : 90,
          preStart,
          command: guest("echo", "started"),
          postStop: guest("echo", "post-stop"),
        },
        arguments: ["--report", "text"],
      });
      assert.deepEqual([status, stdout.replace("waiting\n", "")], [125, ""]);
      const [first, second] = stderr.split("\n");
      assert.equal(first, "error[SHIM_FAILED]: the pre-start handler failed, so the app was not started: main");
      assert.match((second ?? "").replace("  cause: ", ""), cause);
      assert.deepEqual(await readdir(join(pod.path, "status")), []);
    });
  }

  it("SHIM-4: changes nothing in a pod that has failed already", async () => {
    const { status, events } = await runPod(scratch, {
      apps: [
        makeApp(scratch, { name: "a", preStart: guest("sleep", "60"), command: guest("wait") }),
        makeApp(scratch, { name: "b", command: guest("exit", "7") }),
      ],
    });
    assert.equal(status, 7);
    assert.ok(!events.some(({ event }) => event === "failed"));
  });
});

describe("a post-stop handler", () => {
  for (const [why, command, expected] of [
    ["success", guest("exit", "0"), 0],
    ["a status", guest("exit", "9"), 9],
    ["a signal", guest("signal", "9"), 137],
  ] as const) {
    it(`SHIM-5: runs after ${why}, and does not change the status`, async () => {
      const { status, stdout, stderr, pod } = await runPod(scratch, {
        app: { command, postStop: guest("echo", "cleared", ",", "exit", "4") },
        arguments: ["--report", "text"],
      });
      assert.deepEqual([status, stdout], [expected, "cleared\n"]);
      assert.equal(stderr, "warning: main: the post-stop handler ended with status 4\n");
      assert.equal(await readFile(join(pod.path, "status/main"), "utf8"), `${expected}\n`);
      assert.equal(await readFile(join(pod.path, "status/main.post-stop"), "utf8"), "4\n");
    });
  }

  it("SHIM-5: that takes too long is killed", async () => {
    const { status, stderr } = await runPod(scratch, {
      app: { handlerSeconds: 1, postStop: guest("stubborn", "60") },
      arguments: ["--report", "text"],
    });
    assert.deepEqual([status, stderr], [0, "warning: main: the post-stop handler ended with status 137\n"]);
  });

  it("SHIM-5: that cannot be executed is told like one that fails, as JSON too", async () => {
    const { status, stderr } = await runPod(scratch, {
      app: { postStop: ["/missing"] },
      arguments: ["--report", "json"],
    });
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stderr), {
      log: { level: "warn", message: "main: the post-stop handler ended with status 127" },
    });
  });

  it("SHIM-6: runs when the pod is stopped, and no signal that ends the pod ends it", async () => {
    const running = await startPod(
      await makePod(scratch, {
        app: { command: guest("wait"), postStop: guest("echo", "cleaning", ",", "sleep", "1", ",", "echo", "clean") },
      }),
    );
    await running.output("waiting");
    running.child.kill("SIGTERM");
    await running.output("cleaning");
    running.child.kill("SIGTERM");
    const { status, stdout } = await running.ended;
    assert.equal(status, 40);
    assert.match(stdout, /cleaning\nclean\n$/);
  });

  it("SHIM-6: of every app runs when one has failed; programs that do not end by themselves are killed after ten seconds", async () => {
    const pod = await makePod(scratch, {
      apps: [
        // Of the first the input is the caller's: it fails when the others are as they are to be.
        makeApp(scratch, { name: "c", command: guest("cat", ",", "exit", "5") }),
        makeApp(scratch, { name: "a", command: guest("stubborn", "60"), postStop: guest("echo", "a is clear") }),
        makeApp(scratch, { name: "b", command: guest("wait"), postStop: guest("echo", "b is clear") }),
      ],
    });
    const running = await startPod(pod);
    await running.output(/waiting\n.*waiting\n/s);
    running.stdin.end();
    const { status, stdout } = await running.ended;
    assert.equal(status, 5);
    for (const app of ["a", "b"]) assert.match(stdout, new RegExp(`${app} is clear`));
    assert.equal(await readFile(join(pod.path, "status/a"), "utf8"), "137\n");
  });
});

describe("init", () => {
  it("SHIM-7: holds rights to start something only as long as a handler may come", async () => {
    const held = async (app: Partial<AppPlan>): Promise<string> => {
      const running = await startPod(await makePod(scratch, { app: { command: guest("wait"), ...app } }));
      await running.output("waiting");
      const pid = Number((await running.event("ready"))["pid"]);
      // The app may run before init has given anything up; who passes a signal on has done so.
      running.child.kill("SIGUSR1");
      await running.output("signal=USR1");
      const text = await readFile(`/proc/${pid}/status`, "utf8");
      running.child.kill("SIGTERM");
      await running.ended;
      return /^CapPrm:\s*([0-9a-f]+)$/m.exec(text)?.[1] ?? "";
    };
    const killOnly = "0000000000000020";
    assert.equal(await held({}), killOnly);
    assert.equal(await held({ preStart: guest("exit", "0") }), killOnly);
    assert.notEqual(await held({ postStop: guest("exit", "0") }), killOnly);
  });

  it("SHIM-7: cannot be reached through /proc by an app while it holds them", async () => {
    const { status, stdout } = await runPod(scratch, {
      app: { command: guest("fds", ",", "open", "/proc/1/mem", "/proc/1/exe"), postStop: guest("exit", "0") },
    });
    assert.equal(status, 0);
    assert.match(stdout, /^init-fd\.error=EACCES$/m);
    assert.deepEqual(valuesOf(stdout, "open./proc/1/mem"), ["EACCES,EACCES"]);
    assert.ok(!existsSync("/plain"));
  });
});
