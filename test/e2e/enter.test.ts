/** Whatever is entered is confined exactly as the app is, and leads nowhere else (spec/pod-lifecycle.md LIFE-40 to LIFE-46, T-R30). */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readAppProcess } from "../../src/pod/record.ts";
import { shimPath } from "../../src/shim/binary.ts";
import { spawnEnter } from "../../src/shim/enter.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { guest, program, Running, tableOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
const shell = "example.com/shell";
before(() => {
  work.stored(image, { exec: ["/guest"] }, { "etc/passwd": "web:x:1000:1000::/srv:/bin/sh\n" });
  work.stored(shell, { exec: ["/guest"] }, { "bin/sh": "#!/guest echo\n" }, (rootfs) =>
    chmodSync(join(rootfs, "bin", "sh"), 0o755),
  );
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

/** A pod in the background; stopped when `use` is done. */
async function inPod(
  args: readonly string[],
  use: (uuid: string, directory: string) => Promise<void> | void,
  insecure: readonly string[] = [],
): Promise<void> {
  const { status, stdout, stderr } = work.run(["--detach", ...args], { insecure });
  assert.equal(status, 0, stderr);
  const uuid = stdout.trim();
  try {
    await use(uuid, join(work.data, "pods", "run", uuid));
  } finally {
    work.must(["stop", "--force", uuid]);
    work.must(["rm", uuid]);
  }
}

const enter = (uuid: string, ...command: readonly string[]) => work.perigee(["enter", uuid, ...command]);
const startEnter = (uuid: string, ...command: readonly string[]) =>
  new Running(work.start(["enter", uuid, ...command]));

/** The one process that this one of the host started and that has not ended. */
async function childOf(pid: number | undefined): Promise<number> {
  for (;;) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
    if (children.length === 1) return Number(children[0]);
    await sleep(5);
  }
}

async function sleeping(pid: number): Promise<void> {
  while (!/^State:\tS/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) await sleep(5);
}

const confining =
  /^(Umask|Uid|Gid|Groups|CoreDumping|THP_enabled|SigBlk|SigIgn|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|Speculation\w+|Cpus_allowed|Mems_allowed|Threads):/;

/** Everything of a process that its confinement shows in, as the kernel tells it to the host. */
function confinement(pid: number): Readonly<Record<string, string>> {
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, "latin1");
  const link = (name: string) => readlinkSync(`/proc/${pid}/${name}`);
  return {
    status: read("status")
      .split("\n")
      .filter((line) => confining.test(line))
      .join("\n"),
    limits: read("limits"),
    cgroup: read("cgroup"),
    mounts: read("mountinfo"),
    environment: read("environ"),
    score: read("oom_score_adj"),
    personality: read("personality"),
    descriptors: readdirSync(`/proc/${pid}/fd`).join(" "),
    directory: link("cwd"),
    root: link("root"),
    ...Object.fromEntries(readdirSync(`/proc/${pid}/ns`).map((name) => [`ns/${name}`, link(`ns/${name}`)])),
  };
}

describe("the confinement of what is entered (T-R30, T-R31, LIFE-41)", () => {
  const pods: readonly (readonly [what: string, args: readonly string[], app: string, insecure?: readonly string[]])[] =
    [
      ["by default", [image, "--", "stay", "600"], "guest"],
      ["of a user with groups", [image, "--user=web", "--supplementary-gids=7,9", "--", "stay", "600"], "guest"],
      ["in the host's user namespace", ["--private-users=no", image, "--", "stay", "600"], "guest"],
      ["on the host's network", ["--net=host", image, "--", "stay", "600"], "guest"],
      [
        "with limits, a score, a directory and a filter of its own",
        [
          image,
          ..."--memory=64Mi --cpu=500m --oom-score-adj=300 --working-dir=/etc --environment=A=b".split(" "),
          "--",
          "stay",
          "600",
        ],
        "guest",
      ],
      [
        "with capabilities and without a filter",
        [image, "--caps-retain=CAP_NET_RAW", "--", "stay", "600"],
        "guest",
        ["seccomp"],
      ],
      ["read-only", [image, "--readonly-rootfs", "--", "stay", "600"], "guest"],
      [
        "of the first of two apps",
        [
          image,
          "--name=one",
          "--memory=64Mi",
          "--",
          "stay",
          "600",
          "---",
          image,
          "--name=two",
          "--user=web",
          "--",
          "stay",
          "600",
        ],
        "one",
      ],
      [
        "of the last of two apps",
        [
          image,
          "--name=one",
          "--memory=64Mi",
          "--",
          "stay",
          "600",
          "---",
          image,
          "--name=two",
          "--user=web",
          "--",
          "stay",
          "600",
        ],
        "two",
      ],
    ];
  for (const [what, args, app, insecure] of pods) {
    it(`is that of the app, byte for byte: ${what}`, async () => {
      await inPod(
        args,
        async (uuid, directory) => {
          const entered = new Running(work.start(["enter", "--app", app, uuid, "/guest", "stay", "600"]));
          await entered.until(/waiting/);
          while (!readFileSync(join(directory, "logs", app), "latin1").includes("waiting")) await sleep(10);
          const own = readAppProcess(directory, app);
          assert.ok(own);
          const pid = await childOf(entered.child.pid);
          // Only in its wait for signals a process has the mask that it was started with.
          for (const waiting of [pid, own.pid]) await sleeping(waiting);
          assert.deepEqual(confinement(pid), confinement(own.pid));
          entered.child.kill("SIGTERM");
          assert.equal(await entered.ended, 40);
        },
        insecure,
      );
    });
  }
  it("nothing that a pod must not do can be done, and a limit of memory holds", async () => {
    await inPod([image, "--memory=64Mi", "--", "stay", "600"], (uuid) => {
      const inside = work.run([image, "--memory=64Mi", "--", "try"]).stdout;
      assert.deepEqual(tableOf(enter(uuid, "/guest", "try").stdout, "try"), tableOf(inside, "try"));
      assert.equal(enter(uuid, "/guest", "alloc", String(200 << 20)).status, 137);
    });
  });
  it("the caller's keys cannot be found (T-R08)", async () => {
    const line = (uuid: string) => [guest, "with-key", program, ...work.globals, "enter", uuid, "/guest", "try"];
    for (const [insecure, expected] of [
      [[], "EPERM"],
      [["seccomp"], "ENOKEY"],
    ] as const) {
      await inPod(
        [image, "--", "stay", "600"],
        (uuid) => {
          const { stdout, stderr } = work.command([...line(uuid), "keyring-search"]);
          assert.equal(tableOf(stdout, "try")["keyring-search"], expected, stderr);
        },
        insecure,
      );
    }
  });
});

describe("an app that looks on (T-R01, T-R03, T-R04, LIFE-42)", () => {
  for (const [what, flags, capabilities] of [
    ["in a user namespace", [], []],
    ["with the right to trace everybody", ["--private-users=no"], ["--caps-retain=CAP_SYS_PTRACE,CAP_DAC_OVERRIDE"]],
  ] as const) {
    it(`finds no file of the host and no program to write to in 200 entries, ${what}`, async () => {
      const hunter = work.startRun([...flags, image, ...capabilities, "--", "hunt"]);
      await hunter.until(/waiting/);
      const [pod] = work.pods().filter(({ state }) => state === "running");
      assert.ok(pod);
      const directory = join(work.data, "pods", "run", pod.uuid);
      const own = readAppProcess(directory, "guest");
      assert.ok(own);
      const plan = join(directory, "plan");
      const request = { plan, uuid: pod.uuid, app: "guest", process: own, command: ["/guest", "exit", "0"] };
      const before = readFileSync(shimPath());
      for (let entry = 0; entry < 200; entry++) {
        assert.equal(await spawnEnter(request, ["ignore", "ignore", "inherit"]).exited, 0);
      }
      hunter.child.kill("SIGTERM");
      assert.equal(await hunter.ended, 0, hunter.stderr);
      const found = tableOf(hunter.stdout, "hunt");
      assert.deepEqual(Object.keys(found), ["met"], hunter.stdout);
      assert.ok(Number(found["met"]) > 0, "no process of ours was seen before it became the command");
      assert.ok(before.equals(readFileSync(shimPath())));
    });
  }
});

describe("a command", () => {
  it("has the caller's input and output, and its own status is the status (LIFE-43)", async () => {
    await inPod([image, "--", "stay", "600"], async (uuid) => {
      assert.deepEqual(work.perigee(["enter", uuid, "/guest", "cat"], { input: "a\0b" }), {
        status: 0,
        stdout: "a\0b",
        stderr: "",
      });
      assert.equal(enter(uuid, "/guest", "error", "to stderr").stderr, "to stderr\n");
      assert.equal(enter(uuid, "/guest", "exit", "7").status, 7);
      assert.equal(enter(uuid, "guest").status, 127);
      const signalled = startEnter(uuid, "/guest", "stay", "600");
      await signalled.until(/waiting/);
      signalled.child.kill("SIGUSR1");
      signalled.child.kill("SIGTERM");
      assert.equal(await signalled.ended, 40);
      assert.equal(enter(uuid, "/guest", "signal", "9").status, 137);
    });
  });
  it("is not asked about flags behind the pod, and may be missing: then it is a shell (LIFE-40)", async () => {
    await inPod([shell, "--", "stay", "600"], (uuid) => {
      assert.equal(enter(uuid, "/guest", "echo", "--debug", "--", "--format").stdout, "--debug -- --format\n");
      assert.equal(enter(uuid).stdout, "/bin/sh\n");
    });
  });
  it("failures say what is missing, with 125 to 127 (CLI-11)", async () => {
    await inPod([image, "--", "stay", "600"], (uuid) => {
      for (const [line, status, words] of [
        [[uuid, "nosuch"], 127, /^error\[EXEC_NOT_FOUND\]: the command is not in the app: nosuch\n/],
        [[uuid, "/etc/passwd"], 126, /^error\[NOT_EXECUTABLE\]: the command cannot be executed: \/etc\/passwd\n/],
        [[uuid], 127, /not in the app: \/bin\/sh/],
        [["--app=gest", uuid, "x"], 125, /^error\[USAGE\].*\n.*its apps are guest\n.*--app guest/],
        [["--nosuch", uuid], 125, /^error\[USAGE\]/],
        [[], 125, /^error\[USAGE\]: one pod is needed/],
        [["ffffffff"], 125, /^error\[NOT_FOUND\]/],
      ] as const) {
        const outcome = work.perigee(["enter", ...line]);
        assert.deepEqual([outcome.status, outcome.stdout], [status, ""]);
        assert.match(outcome.stderr, words);
      }
      const { stderr } = work.perigee(["--format=json", "enter", uuid, "nosuch"]);
      assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "EXEC_NOT_FOUND");
    });
  });
  it("of a pod of several apps needs a name for which", async () => {
    const two = [image, "--name=one", "--", "stay", "600", "---", image, "--name=two", "--", "stay", "600"];
    await inPod(two, (uuid) => {
      const { status, stderr } = enter(uuid, "/guest", "env");
      assert.equal(status, 125);
      assert.match(stderr, /its apps are one, two/);
      assert.match(work.must(["enter", "--app=two", uuid, "/guest", "env"]), /AC_APP_NAME=two/);
    });
  });
  it("ends with its pod, and one that ended is not entered (LIFE-44)", async () => {
    await inPod([image, "--", "stay", "600"], async (uuid) => {
      const entered = startEnter(uuid, "/guest", "stay", "600");
      await entered.until(/waiting/);
      work.must(["stop", uuid]);
      assert.equal(await entered.ended, 137);
      const { status, stderr } = enter(uuid, "/guest", "exit", "0");
      assert.equal(status, 125);
      assert.match(stderr, /^error\[WRONG_STATE\].*does not run: it is exited/);
    });
  });
  it("ends with perigee, even if that is killed (LIFE-44)", async () => {
    await inPod([image, "--", "stay", "600"], async (uuid) => {
      const entered = startEnter(uuid, "/guest", "stay", "600");
      await entered.until(/waiting/);
      const pid = await childOf(entered.child.pid);
      entered.child.kill("SIGKILL");
      await entered.ended;
      for (let attempt = 0; attempt < 3000; attempt++) {
        if (!readdirSync("/proc").includes(String(pid))) return;
        await sleep(20);
      }
      assert.fail("the command outlived its caller");
    });
  });
});

describe("a terminal (T-R06, LIFE-45)", () => {
  const onTerminal = [guest, "pty", "80", "24", program, ...work.globals, "enter"];
  it("is the command's own, of the pod's devpts and the caller's size; the caller's cannot be typed into", async () => {
    await inPod([image, "--", "stay", "600"], (uuid) => {
      const { stdout, stderr } = work.command([...onTerminal, uuid, "/guest", "tty", ",", "try", "tiocsti"], {
        env: { TERM: "vt220" },
      });
      assert.match(stdout, /tty\.0=\/dev\/pts\/\d+\r?\n/, stderr);
      assert.match(stdout, /size=80x24/);
      assert.match(stdout, /controlling=1/);
      assert.match(stdout, /modes=same/);
      assert.match(stdout, /try\.tiocsti=E\w+/);
      assert.match(
        work.command([...onTerminal, uuid, "/guest", "env"], { env: { TERM: "vt220" } }).stdout,
        /env\.TERM=vt220/,
      );
    });
  });
  it("is not there when output goes elsewhere, which arrives as it was written", async () => {
    await inPod([image, "--", "stay", "600"], (uuid) => {
      assert.equal(enter(uuid, "/guest", "echo", "a").stdout, "a\n");
      assert.match(enter(uuid, "/guest", "tty").stdout, /tty\.0=no/);
    });
  });
});

describe("damaged files of a pod (LIFE-46)", () => {
  for (const [what, name, content] of [
    ["a plan cut short", "plan", "shim\0" + "1\0uuid\0"],
    ["an empty plan", "plan", ""],
    ["a process that never was", "pids/guest", "1999999 5\n"],
    ["no process", "pids/guest", "all of them\n"],
  ] as const) {
    it(`${what}: nothing is executed`, async () => {
      await inPod([image, "--", "stay", "600"], (uuid, directory) => {
        writeFileSync(join(directory, name), content);
        const { status, stderr } = enter(uuid, "/guest", "env");
        assert.equal(status, 125);
        assert.match(stderr, /^error\[(SHIM_FAILED|WRONG_STATE)\]/);
      });
    });
  }
  it("a process of the host instead of the app's: nothing is executed", async () => {
    await inPod([image, "--", "stay", "600"], (uuid, directory) => {
      const stat = readFileSync("/proc/self/stat", "latin1");
      const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
      writeFileSync(join(directory, "pids", "guest"), `${process.pid} ${start}\n`);
      const { status, stderr } = enter(uuid, "/guest", "env");
      assert.equal(status, 125);
      assert.match(stderr, /none of the pod/);
    });
  });
  it("the plan of another pod: nothing is executed", async () => {
    await inPod([image, "--", "stay", "600"], async (uuid, directory) => {
      await inPod([image, "--", "stay", "600"], (_, other) => {
        writeFileSync(join(directory, "plan"), readFileSync(join(other, "plan")));
        const { status, stderr } = enter(uuid, "/guest", "env");
        assert.equal(status, 125);
        assert.match(stderr, /the plan of another pod/);
      });
    });
  });
});
