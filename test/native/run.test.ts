import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { loggedBytes, loggedText } from "../helpers/logs.ts";
import { fileScratch, makeApp, makePod, recordedStatus, runPod, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

describe("the exit status", () => {
  for (const user of [true, false]) {
    const where = user ? "in a user namespace" : "without a user namespace";
    it(`is the app's, ${where}`, async () => {
      const { status, pod } = await runPod(scratch, { command: ["/guest", "exit", "7"], user });
      assert.equal(status, 7);
      assert.equal(await recordedStatus(pod), "7");
    });
  }
  it("is 128+N of an app killed by signal N", async () => {
    const { status, pod } = await runPod(scratch, { command: ["/guest", "signal", "11"] });
    assert.equal(status, 139);
    assert.equal(await recordedStatus(pod), "139");
  });
  it("comes with every event, in order", async () => {
    const { events } = await runPod(scratch, { command: ["/guest", "exit", "3"] });
    assert.deepEqual(
      events.map(({ event, status }) => [event, status]),
      [
        ["app-started", undefined],
        ["ready", undefined],
        ["app-exited", 3],
        ["exited", 3],
      ],
    );
  });
});

describe("a program that cannot be executed", () => {
  const cases: readonly (readonly [why: string, command: string, status: number, errno: string])[] = [
    ["a path where nothing is", "/missing", 127, "ENOENT"],
    ["a name that is not in PATH", "missing", 127, "ENOENT"],
    ["a path through a file", "/guest/x", 127, "ENOTDIR"],
    ["a directory", "/proc", 126, "EACCES"],
    ["a file without x", "/plain", 126, "EACCES"],
    ["a file that is no program", "/nonsense", 126, "ENOEXEC"],
    ["a script whose interpreter is missing", "/script", 126, "ENOENT"],
  ];
  before(async () => {
    await writeFile(join(scratch.rootfs, "plain"), "text", { mode: 0o644 });
    await writeFile(join(scratch.rootfs, "nonsense"), "text", { mode: 0o755 });
    await writeFile(join(scratch.rootfs, "script"), "#!/missing\n", { mode: 0o755 });
  });
  for (const [why, command, expected, errno] of cases) {
    it(`${why}: ${expected}`, async () => {
      const { status, events, pod } = await runPod(scratch, { command: [command] });
      assert.equal(status, expected);
      assert.deepEqual(
        events.map(({ event }) => event),
        ["failed", "exited"],
      );
      assert.deepEqual([events[0]?.["step"], events[0]?.["errno"], events[0]?.["subject"]], ["exec", errno, command]);
      assert.deepEqual(await readdir(join(pod.path, "status")), [], "an app that never ran has no status");
    });
  }
  it("a name is found in PATH of the app's own environment; elements that are not absolute are passed over", async () => {
    const environment = [["PATH", ":.:bin:/proc/self:/"]] as const;
    const { status } = await runPod(scratch, { command: ["guest", "exit", "5"], app: { environment } });
    assert.equal(status, 5);
  });
});

describe("--report", () => {
  it("text has the form of every failure of perigee, and nothing of a name reaches the terminal unescaped (T-R47)", async () => {
    const { status, stderr } = await runPod(scratch, { command: ["/\u001b[31mé"], arguments: ["--report", "text"] });
    assert.equal(status, 127);
    assert.deepEqual(stderr.split("\n"), [
      "error[EXEC_NOT_FOUND]: the app's program is not in the image: /\\x1b[31m\\xc3\\xa9",
      "  cause: ENOENT: No such file or directory",
      "  try: name a program that is in the image with --exec",
      "",
    ]);
  });
  it("text of a pod that could not be set up", async () => {
    const sysctls = [{ key: "net.no.such", value: "1" }];
    const { status, stderr } = await runPod(scratch, { plan: { sysctls }, arguments: ["--report", "text"] });
    assert.equal(status, 125);
    assert.match(
      stderr,
      /^error\[SHIM_FAILED\]: the pod could not be run: sysctl net\.no\.such\n {2}cause: ENOENT: .*\n {2}try: perigee plan .*\n$/,
    );
  });
  it("text of an app whose working directory is not there", async () => {
    const { status, stderr } = await runPod(scratch, { app: { cwd: "/missing" }, arguments: ["--report", "text"] });
    assert.equal(status, 125);
    assert.match(
      stderr,
      /^error\[SHIM_FAILED\]: the app's working directory cannot be entered: \/missing\n {2}cause: ENOENT: .*\n {2}try: .* --working-dir\n$/,
    );
  });
  it("json is the error object", async () => {
    const { stderr } = await runPod(scratch, { command: ["/plain"], arguments: ["--report", "json"] });
    assert.deepEqual(JSON.parse(stderr), {
      error: {
        code: "NOT_EXECUTABLE",
        message: "the app's program cannot be executed: /plain",
        cause: "EACCES: Permission denied",
        hint: "make it executable in the image, or name another program with --exec",
      },
    });
  });
  it("without it the shim is silent", async () => {
    const { stderr } = await runPod(scratch, { command: ["/missing"] });
    assert.equal(stderr, "");
  });
});

describe("standard input", () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256));

  it("passes byte for byte, and its end", async () => {
    const running = await startPod(await makePod(scratch, { command: ["/guest", "cat"] }));
    running.stdin.end(bytes);
    const { status, stdout } = await running.ended;
    assert.equal(status, 0);
    assert.ok(Buffer.from(stdout, "latin1").equals(bytes));
  });
  it("of a file is copied, never handed on: root without a user namespace could open it for writing", async () => {
    const file = join(scratch.directory, "input");
    await writeFile(file, bytes);
    const stdin = openSync(file, "r");
    const running = await startPod(await makePod(scratch, { command: ["/guest", "cat"], user: false }), { stdin });
    closeSync(stdin);
    const { stdout } = await running.ended;
    assert.ok(Buffer.from(stdout, "latin1").equals(bytes));
    const fds = openSync(file, "r");
    const listing = await startPod(await makePod(scratch, { command: ["/guest", "fds"] }), { stdin: fds });
    closeSync(fds);
    assert.match(valuesOf((await listing.ended).stdout, "fd.0")[0] ?? "", /^pipe:/);
  });
  it("of a directory is /dev/null: a way to the host's files otherwise (T-R02)", async () => {
    const stdin = openSync("/", "r");
    const running = await startPod(await makePod(scratch, { command: ["/guest", "fds"] }), { stdin });
    closeSync(stdin);
    assert.deepEqual(valuesOf((await running.ended).stdout, "fd.0"), ["/dev/null"]);
  });
  it("of a pod in the background is /dev/null", async () => {
    const { pod } = await runPod(scratch, {
      command: ["/guest", "fds"],
      app: { log: { path: "main/log", bytes: 65536, files: 1 } },
      plan: { foreground: false },
    });
    assert.deepEqual(valuesOf(loggedText(join(pod.path, "main/log")), "fd.0"), ["/dev/null"]);
  });
});

describe("output", () => {
  const log = { path: "main/log", bytes: 16_384, files: 3 };

  it("goes to the caller and to the log; error output to the caller's error output", async () => {
    const { stdout, stderr, pod } = await runPod(scratch, { command: ["/guest", "error", "said"], app: { log } });
    assert.equal(stdout, "");
    assert.equal(stderr, "said\n");
    assert.equal(loggedText(join(pod.path, log.path)), "said\n");
  });
  it("of a pod in the background goes to the log alone", async () => {
    const { stdout, pod } = await runPod(scratch, {
      command: ["/guest", "echo", "said"],
      app: { log },
      plan: { foreground: false },
    });
    assert.equal(stdout, "");
    assert.equal(loggedText(join(pod.path, log.path)), "said\n");
  });
  it("T-R35: the log is bounded and rotated, the caller gets everything", async () => {
    const { stdout, status, pod } = await runPod(scratch, { command: ["/guest", "print", "1000000"], app: { log } });
    assert.equal(status, 0);
    assert.equal(stdout.length, 1_000_000);
    const files = (await readdir(join(pod.path, "main"))).filter((name) => name.startsWith("log"));
    assert.deepEqual(files.sort(), ["log", "log.1", "log.2"]);
    for (const name of files) assert.ok((await stat(join(pod.path, "main", name))).size <= log.bytes);
    const kept = ["log.2", "log.1", "log"].map((name) => loggedBytes(join(pod.path, "main", name)).toString("latin1"));
    assert.ok(stdout.endsWith(kept.join("")), "what is kept is the end, in order");
  });
  it("a log of one file is begun anew", async () => {
    const { pod } = await runPod(scratch, {
      command: ["/guest", "print", "100000"],
      app: { log: { ...log, files: 1 } },
    });
    const files = (await readdir(join(pod.path, "main"))).filter((name) => name.startsWith("log"));
    assert.deepEqual(files, ["log"]);
  });
  it("a caller that stops listening does not end the app, which is logged on", async () => {
    const running = await startPod(
      await makePod(scratch, { command: ["/guest", "print", "3000000"], app: { log: { ...log, bytes: 4_000_000 } } }),
    );
    running.stdin.end();
    running.stdout.once("data", () => running.stdout.destroy());
    assert.equal((await running.ended).status, 0);
  });
  it("a caller that reads slowly holds the app back instead of filling memory", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "print", "50000000"] });
    const running = await startPod(pod);
    running.stdin.end();
    running.stdout.pause();
    await running.event("ready");
    const memory = async (): Promise<number> => {
      const status = await readFile(`/proc/${running.child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    };
    const before = await memory();
    running.stdout.resume();
    const { stdout, status } = await running.ended;
    assert.equal(status, 0);
    assert.equal(stdout.length, 50_000_000);
    assert.ok(before < 8192 || process.env["PERIGEE_SHIM"] !== undefined, `${before} KiB`);
  });
  it("can be opened again by its path by an app of any user", async () => {
    const app = { uid: 1000, gid: 1000 };
    const { stdout } = await runPod(scratch, { command: ["/guest", "write", "/dev/stdout", "again"], app });
    assert.match(stdout, /^againwrite\.\/dev\/stdout=ok/);
  });
});

describe("several apps of one pod", () => {
  const apps = (...commands: readonly (readonly string[])[]) =>
    commands.map((command, index) => makeApp(scratch, { name: `app${index}`, command: ["/guest", ...command] }));

  it("share pid, net, ipc and uts namespaces; each has its own mount namespace and root", async () => {
    const running = await startPod(await makePod(scratch, { apps: apps(["stay"], ["stay"], ["stay"]) }));
    await running.output(/(waiting[\s\S]*){3}/);
    running.child.kill("SIGTERM");
    const { stdout, status } = await running.ended;
    assert.equal(status, 40);
    for (const kind of ["user", "pid", "net", "ipc", "uts", "cgroup", "time"]) {
      const found = valuesOf(stdout, `ns.${kind}`);
      assert.equal(found.length, 3, kind);
      assert.equal(new Set(found).size, 1, kind);
    }
    assert.equal(new Set(valuesOf(stdout, "ns.mnt")).size, 3);
  });
  it("have only their own mounts", async () => {
    const { stdout } = await runPod(scratch, { apps: apps(["mounts"], ["mounts"]) });
    const roots = stdout.split("\n").filter((line) => / \/ \/ .* - overlay /.test(line));
    assert.equal(roots.length, 2);
    assert.doesNotMatch(stdout, / ext4 | btrfs | xfs /);
  });
  it("have their own environments only (T-R07)", async () => {
    const [first, second] = apps(["env"], ["env"]);
    assert.ok(first && second);
    const { stdout } = await runPod(scratch, {
      apps: [
        { ...first, environment: [["SECRET", "one"]] },
        { ...second, environment: [["OTHER", "two"]] },
      ],
    });
    assert.deepEqual(stdout.trim().split("\n").sort(), ["env.OTHER=two", "env.SECRET=one"]);
  });
  it("end with the first that fails: the others are asked to, and its status is the pod's", async () => {
    const pod = await makePod(scratch, { apps: apps(["cat", ",", "exit", "9"], ["wait"]) });
    const running = await startPod(pod);
    await running.output("waiting");
    running.stdin.end();
    const { status, stdout } = await running.ended;
    assert.equal(status, 9);
    assert.match(stdout, /signal=TERM/);
    assert.equal(await recordedStatus(pod, "app0"), "9");
    assert.equal(await recordedStatus(pod, "app1"), "40");
  });
  it("go on when one ends well", async () => {
    const running = await startPod(await makePod(scratch, { apps: apps(["exit", "0"], ["wait"]) }));
    await running.output("waiting");
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 40);
  });
  it("do not start when one of them cannot", async () => {
    const [first, second] = apps(["wait"], ["missing"]);
    assert.ok(first && second);
    const { status, events, pod } = await runPod(scratch, { apps: [first, { ...second, command: ["/missing"] }] });
    assert.equal(status, 127);
    assert.equal(
      events.some(({ event }) => event === "ready"),
      false,
    );
    assert.equal(await recordedStatus(pod, "app0"), "137");
  });
});

describe("signals", () => {
  it("sent to the supervisor go to the app", async () => {
    const running = await startPod(await makePod(scratch, { command: ["/guest", "wait"] }));
    await running.output("waiting");
    for (const name of ["USR1", "USR2", "INT", "QUIT", "HUP", "WINCH", "TERM"] as const) {
      running.child.kill(`SIG${name}`);
      await running.output(`signal=${name}`);
    }
    assert.equal((await running.ended).status, 40);
  });
  it("SIGHUP of the caller means nothing to a pod in the background", async () => {
    const log = { path: "main/log", bytes: 65536, files: 1 };
    const pod = await makePod(scratch, { command: ["/guest", "wait"], app: { log }, plan: { foreground: false } });
    const running = await startPod(pod);
    await running.event("ready");
    const logged = (): string => loggedText(join(pod.path, log.path));
    for (let tries = 0; tries < 6000 && !logged().includes("waiting"); tries++) await sleep(10);
    running.child.kill("SIGHUP");
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 40);
    assert.equal(logged(), "waiting\nsignal=TERM\n");
  });
  it("sent to init from the host go to the app: how a pod is stopped", async () => {
    const running = await startPod(await makePod(scratch, { command: ["/guest", "wait"] }));
    await running.output("waiting");
    process.kill(Number((await running.event("ready"))["pid"]), "SIGTERM");
    assert.equal((await running.ended).status, 40);
  });
  it("the app begins with none blocked or ignored, whatever its caller ignored", async () => {
    const { stdout } = await runPod(scratch, { command: ["/guest", "privileges"] });
    assert.match(stdout, /SigBlk:\t0{16}\n/);
    assert.match(stdout, /SigIgn:\t0{16}\n/);
  });
  it("orphans are reaped by init and die with the pod", async () => {
    const [parent, counter] = [
      makeApp(scratch, { name: "a", command: ["/guest", "orphans", "20"] }),
      makeApp(scratch, { name: "b", command: ["/guest", "processes"] }),
    ];
    const { status, stdout } = await runPod(scratch, { apps: [{ ...parent }, counter] });
    assert.equal(status, 0);
    assert.deepEqual(valuesOf(stdout, "zombies").length, 1);
  });
});

describe("volumes", () => {
  it("are bound with their flags; a file on a file; missing targets are made", async () => {
    const volume = join(scratch.directory, "volume");
    await mkdir(volume);
    await chmod(volume, 0o777);
    await writeFile(join(volume, "file"), "content");
    await chmod(join(volume, "file"), 0o666);
    const mounts = [
      ...makeApp(scratch).mounts,
      { source: volume, target: "/data/deep/er", type: "bind", flags: ["nosuid", "nodev", "idmap"], data: "" },
      { source: volume, target: "/fixed", type: "bind", flags: ["ro", "nosuid", "nodev", "rec"], data: "" },
      { source: join(volume, "file"), target: "/etc/one-file", type: "bind", flags: ["ro", "file"], data: "" },
    ] as const;
    const command = ["/guest", "write", "/data/deep/er/new", "written"];
    const { stdout } = await runPod(scratch, { command, app: { mounts, readonlyRoot: true } });
    assert.match(stdout, /=ok/, "volumes stay writable below a read-only root");
    assert.equal(await readFile(join(volume, "new"), "utf8"), "written");
    assert.equal((await stat(join(volume, "new"))).uid, 0, "on an idmapped volume the app's root is the host's");
    const opened = await runPod(scratch, {
      command: ["/guest", "open", "/fixed/file", "/etc/one-file"],
      app: { mounts },
    });
    assert.match(opened.stdout, /open\.\/fixed\/file=content,EROFS\nopen\.\/etc\/one-file=content,EROFS/);
    const root = await runPod(scratch, { command: ["/guest", "write", "/new", "x"], app: { readonlyRoot: true } });
    assert.match(root.stdout, /=EROFS/);
  });
  it("sources are not looked for through links (T-R10, T-R21)", async () => {
    const mounts = [{ source: "/proc/self/root/etc", target: "/x", type: "bind", flags: [], data: "" }] as const;
    const { status, events } = await runPod(scratch, { app: { mounts } });
    assert.equal(status, 125);
    assert.deepEqual([events[0]?.["step"], events[0]?.["errno"]], ["mount-source", "ELOOP"]);
  });
});
