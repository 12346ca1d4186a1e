import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { copyFile, cp, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { AppPlan } from "../../src/shim/plan.ts";
import { fileScratch, makeApp, makePod, mappedRoot, runPod, shim, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const bothUsers = [true, false];
const inUser = (user: boolean): string => (user ? "in a user namespace" : "without a user namespace");

/** struct sock_filter array: `mkdirat` and `mkdir` fail with EDQUOT, an errno that nothing else gives here. */
function filterOfMkdir(): Buffer {
  const x64 = process.arch === "x64";
  const calls = x64 ? [83, 258] : [34];
  const instruction = (code: number, jt: number, jf: number, k: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(jt, 2);
    bytes.writeUInt8(jf, 3);
    bytes.writeUInt32LE(k, 4);
    return bytes;
  };
  return Buffer.concat([
    instruction(0x20, 0, 0, 0), // load the number
    ...calls.map((call, index) => instruction(0x15, calls.length - index, 0, call)),
    instruction(0x06, 0, 0, 0x7fff0000), // allow
    instruction(0x06, 0, 0, 0x00050000 | 122), // errno
  ]);
}

describe("privileges", () => {
  const setOf = (text: string, name: string): string => new RegExp(`status\\.${name}:\\t(\\S+)`).exec(text)?.[1] ?? "";
  const bits = (capabilities: readonly number[]): string =>
    capabilities
      .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)
      .toString(16)
      .padStart(16, "0");
  const capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  const wanted = bits([0, 5, 10]);

  for (const user of bothUsers) {
    it(`T-R31: root has exactly the capabilities of the plan, none inheritable or ambient, ${inUser(user)}`, async () => {
      const { stdout } = await runPod(scratch, { command: ["/guest", "privileges"], app: { capabilities }, user });
      for (const name of ["CapBnd", "CapPrm", "CapEff"]) assert.equal(setOf(stdout, name), wanted, name);
      for (const name of ["CapInh", "CapAmb"]) assert.equal(setOf(stdout, name), bits([]), name);
    });
    it(`T-R60: another user has none but in the bounding set, ${inUser(user)}`, async () => {
      const app = { capabilities, uid: 1000, gid: 1000 };
      const { stdout } = await runPod(scratch, { command: ["/guest", "privileges"], app, user });
      assert.equal(setOf(stdout, "CapBnd"), wanted);
      for (const name of ["CapPrm", "CapEff", "CapInh", "CapAmb"]) assert.equal(setOf(stdout, name), bits([]), name);
    });
    for (const noNewPrivileges of [true, false]) {
      it(`a seccomp filter is in force with no_new_privs ${noNewPrivileges}, ${inUser(user)}`, async () => {
        const app: Partial<AppPlan> = { noNewPrivileges, seccomp: filterOfMkdir() };
        const { stdout } = await runPod(scratch, { command: ["/guest", "privileges"], app, user });
        assert.equal(setOf(stdout, "NoNewPrivs"), noNewPrivileges ? "1" : "0");
        assert.equal(setOf(stdout, "Seccomp"), "2");
      });
    }
  }
  it("T-R41: user, group and supplementary groups are those of the plan and no other", async () => {
    const app = { uid: 1000, gid: 1001, groups: [27, 1001, 4] };
    const { stdout } = await runPod(scratch, { command: ["/guest", "ids"], app });
    assert.deepEqual(
      [valuesOf(stdout, "uid"), valuesOf(stdout, "gid"), valuesOf(stdout, "groups")],
      [["1000,1000,1000"], ["1001,1001,1001"], ["4,27,1001"]],
    );
  });
  it("an id that is not mapped is refused", async () => {
    const { status, events } = await runPod(scratch, { app: { uid: 65536 } });
    assert.equal(status, 125);
    assert.equal(events[0]?.["step"], "user");
  });
  it("umask, resource limits, a new session", async () => {
    const app: Partial<AppPlan> = {
      umask: 0o027,
      rlimits: [
        { name: "nofile", soft: 100, hard: 200 },
        { name: "core", soft: 0, hard: 0 },
        { name: "nproc", soft: "unlimited", hard: "unlimited" },
      ],
    };
    const { stdout, status } = await runPod(scratch, { command: ["/guest", "all"], app });
    assert.equal(status, 0, "T-ENV-rlimit-clamp: a limit above the caller's is clamped");
    assert.deepEqual(
      [valuesOf(stdout, "umask"), valuesOf(stdout, "limit.7"), valuesOf(stdout, "limit.4")],
      [["0027"], ["100,200"], ["0,0"]],
    );
    assert.deepEqual(valuesOf(stdout, "sid"), valuesOf(stdout, "pid"));
  });
  it("without a limit for open files the soft one is 1024, whatever Node made of it", async () => {
    const { stdout } = await runPod(scratch, { command: ["/guest", "limits"] });
    assert.match(valuesOf(stdout, "limit.7")[0] ?? "", /^1024,/);
  });
  it("the oom score is that of the plan, never below the caller's; the next app's is its own", async () => {
    const scores = [500, undefined, -1000, 100].map((oomScore, index) =>
      makeApp(scratch, {
        name: `app${index}`,
        command: ["/guest", "privileges"],
        ...(oomScore !== undefined && { oomScore }),
      }),
    );
    const { stdout } = await runPod(scratch, { apps: scores });
    const own = (await readFile("/proc/self/oom_score_adj", "utf8")).trim();
    assert.deepEqual(
      [...stdout.matchAll(/^oom\.(.*)$/gm)].map(([, score]) => score).sort(),
      ["100", "500", own, own].sort(),
    );
  });
  it("T-R08: keys of the caller's session cannot be found", async () => {
    const { stdout } = await runPod(scratch, { command: ["/guest", "try", "keyring-search"] });
    assert.deepEqual(valuesOf(stdout, "try.keyring-search"), ["ENOKEY"]);
  });
  it("ISO-14, T-R59: a profile or context that the kernel does not take stops the start, in words of the shim", async () => {
    const labels = [{ apparmor: "perigee-test-absent" }, { selinux: "a:b:c:s0" }];
    for (const app of labels) {
      const { status, events, stdout } = await runPod(scratch, { command: ["/guest", "echo", "ran"], app });
      assert.deepEqual([status, events[0]?.["step"], stdout], [125, "label", ""]);
      assert.equal(events[0]?.["subject"], Object.values(app)[0]);
    }
  });
  it("T-R55: a capability that cannot be had stops the start", async () => {
    const own = await readFile("/proc/self/status", "utf8");
    const bounding = BigInt(`0x${/CapBnd:\t(\S+)/.exec(own)?.[1]}`);
    const missing = (bounding >> 24n) & 1n ? undefined : "CAP_SYS_RESOURCE";
    const { status, events } = await runPod(scratch, { user: false, app: { capabilities: missing ? [missing] : [] } });
    assert.equal(status, missing ? 125 : 0);
    if (missing) assert.equal(events[0]?.["step"], "capability");
  });
});

describe("descriptors", () => {
  for (const user of bothUsers) {
    it(`T-R03: the app has 0, 1 and 2 only, whatever the caller has open, ${inUser(user)}`, async () => {
      const extra = Array.from({ length: 40 }, () => openSync("/", "r"));
      const running = await startPod(await makePod(scratch, { command: ["/guest", "fds"], user }), { extra });
      for (const fd of extra) closeSync(fd);
      running.stdin.end();
      const { stdout } = await running.ended;
      assert.deepEqual(
        [...stdout.matchAll(/^fd\.(\d+)=/gm)].map(([, number]) => number),
        ["0", "1", "2"],
      );
    });
  }
  it("init and the supervisor hold nothing of the host once the apps run, the pod's directory apart", async () => {
    const running = await startPod(await makePod(scratch, { command: ["/guest", "wait"] }));
    await running.output("waiting");
    const init = Number((await running.event("ready"))["pid"]);
    const targets = async (pid: number): Promise<string[]> => {
      const names = execFileSync("ls", [`/proc/${pid}/fd`], { encoding: "utf8" })
        .trim()
        .split("\n");
      const links = names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "closed meanwhile"));
      return (await Promise.all(links)).map((target) => target.replace(/\[\d+\]/, "")).sort();
    };
    // The app may speak before init has tidied up.
    while ((await targets(init)).length > 2);
    assert.deepEqual(await targets(init), ["anon_inode:[signalfd]", "socket:"]);
    const files = (await targets(running.child.pid ?? 0)).filter((target) => target.startsWith("/"));
    const own = ["", "/pids", "/status", "/status/.main.tmp"].map((name) => join(scratch.directory, "pod") + name);
    assert.deepEqual(
      files.map((path) => path.replace(/pod-\d+/, "pod")),
      own,
    );
    running.child.kill("SIGTERM");
    await running.ended;
  });
});

describe("the working directory (T-R02)", () => {
  const paths = [
    ...Array.from({ length: 64 }, (_, number) => `/proc/self/fd/${number + 3}`),
    "/proc/1/cwd",
    "/proc/self/root/../..",
    "/proc/self/cwd",
    "/proc/1/root",
  ];
  it(`is refused when a magic link leads there: ${paths.length} paths`, async () => {
    for (const cwd of paths) {
      const { status, events, stdout } = await runPod(scratch, { app: { cwd }, command: ["/guest", "cwd"] });
      assert.equal(status, 125, `${cwd} ${stdout}`);
      assert.equal(events[0]?.["step"], "cwd");
    }
  });
  it("must be one that the app's user may enter", async () => {
    await mkdir(join(scratch.rootfs, "private"), { mode: 0o700 });
    const { status, events } = await runPod(scratch, { app: { cwd: "/private", uid: 1000 } });
    assert.deepEqual([status, events[0]?.["errno"]], [125, "EACCES"]);
    const { stdout } = await runPod(scratch, { app: { cwd: "/private" }, command: ["/guest", "cwd"] });
    assert.equal(stdout, "cwd=/private\n");
  });
});

describe("mounts", () => {
  for (const user of bothUsers) {
    it(`nothing of the host is left, all is private, /proc and the root are as they must be, ${inUser(user)}`, async () => {
      const { stdout } = await runPod(scratch, { command: ["/guest", "mounts"], user });
      const mounts = stdout
        .trim()
        .split("\n")
        .map((line) => line.replace("mount.", "").split(" "));
      const at = (path: string): readonly string[] =>
        mounts.filter((fields) => fields[4] === path).map((fields) => fields[5] ?? "");
      assert.deepEqual(at("/"), ["rw,nosuid,nodev,relatime"]);
      assert.deepEqual(at("/proc"), ["rw,nosuid,nodev,noexec,relatime"]);
      assert.deepEqual(at("/sys"), ["ro,nosuid,nodev,noexec,relatime"]);
      assert.deepEqual(at("/dev"), ["rw,nosuid,nodev,noexec,relatime"]);
      assert.equal(mounts.length, 7 + 6);
      assert.ok(
        mounts.every((fields) => fields[6] === "-"),
        "no optional field: neither shared nor a slave",
      );
    });
  }
  it("masks are empty and cannot be written, directories and files", async () => {
    const masks = ["/proc/interrupts", "/proc/keys", "/proc/bus", "/sys/firmware", "/proc/absent/x"];
    const command = ["/guest", "open", "/proc/interrupts", "/proc/keys"];
    const { stdout } = await runPod(scratch, { app: { masks }, command, user: false });
    assert.equal(stdout, "open./proc/interrupts=empty,EROFS\nopen./proc/keys=empty,EROFS\n");
    const listing = await runPod(scratch, {
      app: { masks },
      command: ["/guest", "list", "/proc/bus", "/sys/firmware"],
    });
    assert.equal(listing.stdout, "");
  });
  for (const user of bothUsers) {
    it(`T-R54: with /proc/sys and /sys read-only nothing there can be written, ${inUser(user)}`, async () => {
      const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
      const { stdout } = await runPod(scratch, {
        app: { readonlyPaths, capabilities: ["CAP_DAC_OVERRIDE"] },
        command: ["/guest", "walk", "/proc/sys", "/sys"],
        user,
      });
      assert.deepEqual(valuesOf(stdout, "writable"), []);
      assert.ok(Number(valuesOf(stdout, "visited")[0]) > 500);
    });
  }
  it("T-R14: settings of the pod's own namespaces are written, and the host's stay", async () => {
    const before = await readFile("/proc/sys/net/core/somaxconn", "utf8");
    const sysctls = [
      { key: "net.core.somaxconn", value: "77" },
      { key: "kernel.shmmni", value: "99" },
      { key: "fs.mqueue.msg_max", value: "11" },
    ];
    const command = ["/guest", "cat", "/proc/sys/net/core/somaxconn"];
    const { stdout, status } = await runPod(scratch, { plan: { sysctls }, command });
    assert.deepEqual([status, stdout], [0, "77\n"]);
    assert.equal(await readFile("/proc/sys/net/core/somaxconn", "utf8"), before);
    const missing = await runPod(scratch, { plan: { sysctls: [{ key: "net.no.such", value: "1" }] } });
    assert.deepEqual(
      [missing.status, missing.events[0]?.["step"], missing.events[0]?.["errno"]],
      [125, "sysctl", "ENOENT"],
    );
  });
  it("devices are the host's, checked; there are no others, and none can be made", async () => {
    const { stdout } = await runPod(scratch, { command: ["/guest", "stat", "/dev/null", "/dev/urandom"] });
    assert.match(stdout, /path\.\/dev\/null=020666,.*,259,\n/);
    const wrong = await runPod(scratch, { app: { devices: [{ name: "null", major: 1, minor: 5 }] } });
    assert.deepEqual([wrong.status, wrong.events[0]?.["step"]], [125, "device"]);
    const attempts = await runPod(scratch, {
      command: ["/guest", "try", "open-device"],
      user: false,
      app: { capabilities: ["CAP_MKNOD"] },
    });
    assert.deepEqual(valuesOf(attempts.stdout, "try.open-device"), ["EACCES"], "the root is nodev");
  });
  it("nothing is mounted over a part of /proc or /sys (T-R11)", async () => {
    for (const target of ["/proc/self", "/proc/sys", "/sys/kernel", "/proc/self/attr"]) {
      for (const mount of [
        { source: scratch.rootfs, type: "bind" },
        { source: "x", type: "tmpfs" },
      ] as const) {
        const mounts = [...makeApp(scratch).mounts, { ...mount, target, flags: [], data: "" } as const];
        const { status, events } = await runPod(scratch, { app: { mounts } });
        assert.deepEqual([status, events[0]?.["step"]], [125, "mount-target"], target);
      }
    }
  });
});

describe("a hostile image", () => {
  let canary: string;
  let before: string;
  const snapshot = (): string =>
    execFileSync("find", [canary, "-printf", "%p %m %U %G %s %T@ %l\n"], { encoding: "utf8" });
  const names = ["ptmx", "console", "null", "fd", "stdin", "target", "mtab", "pts", "shm"];

  /** An image whose tree was changed by `change`; files of it are ours. */
  async function imageWith(change: (root: string) => Promise<void>): Promise<Partial<AppPlan>> {
    const root = join(scratch.directory, "hostile");
    await rm(root, { recursive: true, force: true });
    await cp(scratch.rootfs, root, { recursive: true });
    await change(root);
    return {
      root: { kind: "overlay", lowers: [root], upper: "main/upper", work: "main/work", idmap: true, volatile: true },
    };
  }

  before = "";
  const prepare = async (): Promise<void> => {
    canary = join(scratch.directory, "canary");
    await rm(canary, { recursive: true, force: true });
    await mkdir(canary);
    for (const name of names) await writeFile(join(canary, name), "canary");
    before = snapshot();
  };

  const kinds: readonly (readonly [what: string, make: (path: string) => Promise<void>])[] = [
    ["an absolute link to the host", (path) => symlink(join(scratch.directory, "canary"), path)],
    ["a relative link out of the image", (path) => symlink("../../../../../../../../tmp", path)],
    ["a dangling link", (path) => symlink("/nowhere/at/all", path)],
    ["a link to the image's root", (path) => symlink(".", path)],
    ["a link to itself", (path) => symlink(path.split("/").at(-1) ?? "", path)],
    ["a file", (path) => writeFile(path, "")],
    ["a fifo", async (path) => void execFileSync("mkfifo", [path])],
  ];
  for (const place of ["proc", "sys", "dev"]) {
    for (const [what, make] of kinds) {
      it(`T-R11, T-R15: /${place} is ${what}: replaced, never followed`, async () => {
        await prepare();
        const app = await imageWith((root) => make(join(root, place)));
        const { status, stdout } = await runPod(scratch, { app, command: ["/guest", "mounts"] });
        assert.equal(status, 0);
        assert.match(stdout, new RegExp(` /${place} `));
        assert.equal(snapshot(), before);
      });
    }
  }
  it("T-R12, T-R13, T-R15: what it has below /dev is not there at all", async () => {
    await prepare();
    const app = await imageWith(async (root) => {
      await mkdir(join(root, "dev"));
      for (const name of ["null", "ptmx", "console", "fd", "stdin", "pts", "shm"])
        await symlink(join(canary, name), join(root, "dev", name));
    });
    const { status, stdout } = await runPod(scratch, {
      app: { ...app, masks: ["/proc/interrupts"] },
      command: ["/guest", "stat", "/dev/null", "/dev/pts", "/proc/interrupts"],
    });
    assert.equal(status, 0);
    assert.match(stdout, /path\.\/dev\/null=020666/);
    assert.match(stdout, /path\.\/dev\/pts=040755/);
    assert.match(stdout, /path\.\/proc\/interrupts=100444/);
    assert.equal(snapshot(), before);
  });
  it("T-R11, ISO-7: a link of the image leads no volume and no file to /dev, nor to the limits below /sys/fs/cgroup", async () => {
    await prepare();
    const cgroup = {
      source: "cgroup",
      target: "/sys/fs/cgroup",
      type: "tmpfs",
      flags: ["nosuid"],
      data: "mode=755",
    } as const;
    for (const link of ["/dev", "dev/shm", "/dev/pts", "/dev/mqueue", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"]) {
      const app = await imageWith((root) => symlink(link, join(root, "foo")));
      for (const [target, flags] of [
        ["/foo", []],
        ["/foo/below", ["file"]],
      ] as const) {
        const source = flags.length > 0 ? join(canary, "target") : canary;
        const mounts = [...makeApp(scratch).mounts, cgroup, { source, target, type: "bind", flags, data: "" } as const];
        const { status, events } = await runPod(scratch, { app: { ...app, mounts } });
        assert.deepEqual([status, events[0]?.["step"], events[0]?.["subject"]], [125, "mount-target", target], link);
      }
    }
    assert.equal(snapshot(), before);
  });
  it("ISO-7: a volume on a volume, by name and by a link, and mounts of the executor's own are as ever", async () => {
    await prepare();
    const app = await imageWith(async (root) => {
      await mkdir(join(root, "a"));
      await symlink("/a/linked", join(root, "foo"));
    });
    const tmpfs = { source: "x", type: "tmpfs", flags: [], data: "" } as const;
    const targets = ["/a", "/a/named", "/foo", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"];
    const mounts = [...makeApp(scratch).mounts, ...targets.map((target) => ({ ...tmpfs, target }))];
    const { status, stdout } = await runPod(scratch, { app: { ...app, mounts }, command: ["/guest", "mounts"] });
    assert.equal(status, 0);
    for (const point of ["/a", "/a/named", "/a/linked", "/sys/fs/cgroup/pids"])
      assert.match(stdout, new RegExp(` ${point} `));
  });
  it("T-R16, T-R17: targets of volumes behind links are made inside of the root", async () => {
    await prepare();
    const app = await imageWith(async (root) => {
      await symlink(canary, join(root, "data"));
      await symlink("../../../../../../../..", join(root, "up"));
      await mkdir(join(root, "etc"));
      await symlink(join(canary, "target"), join(root, "etc/resolv.conf"));
    });
    const file = join(scratch.directory, "resolv.conf");
    await writeFile(file, "nameserver");
    const mounts = [
      ...makeApp(scratch).mounts,
      { source: scratch.rootfs, target: "/data/a/b/c/d/e/f/g/h", type: "bind", flags: ["ro"], data: "" },
      { source: scratch.rootfs, target: `/up${canary}/other`, type: "bind", flags: ["ro"], data: "" },
      { source: file, target: "/etc/resolv.conf", type: "bind", flags: ["ro", "file"], data: "" },
    ] as const;
    const { status, stdout } = await runPod(scratch, {
      app: { ...app, mounts },
      command: ["/guest", "cat", "/etc/resolv.conf"],
    });
    assert.deepEqual([status, stdout], [0, "nameserver"]);
    assert.equal(snapshot(), before);
  });
  it("T-R01: it cannot write to the shim, not even as root of the host's user namespace, by making it execute itself", async () => {
    const [hash, app] = [
      execFileSync("sha512sum", [shim], { encoding: "utf8" }),
      await imageWith((root) => writeFile(join(root, "self"), "#!/proc/self/exe\n", { mode: 0o755 })),
    ];
    for (const command of [["/self"], ["/proc/self/exe", "x"]]) {
      const { status } = await runPod(scratch, {
        app: { ...app, capabilities: ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"] },
        command,
        user: false,
      });
      assert.notEqual(status, 0);
    }
    // A copy that nobody else executes: a file that is being executed cannot be written to anyway.
    const program = join(scratch.directory, "shim");
    await copyFile(shim, program);
    const pod = await makePod(scratch, { command: ["/guest", "wait"], user: false });
    const running = await startPod(pod, { program });
    await running.output("waiting");
    const init = Number((await running.event("ready"))["pid"]);
    const held = [openSync(`/proc/${running.child.pid}/exe`, "r"), openSync(`/proc/${init}/exe`, "r")];
    running.child.kill("SIGTERM");
    await running.ended;
    for (const fd of held) {
      assert.throws(() => openSync(`/proc/self/fd/${fd}`, "r+"), { code: "EROFS" });
      closeSync(fd);
    }
    assert.equal(execFileSync("sha512sum", [shim], { encoding: "utf8" }), hash);
  });
  it("cannot open, trace or look into init", async () => {
    for (const user of bothUsers) {
      const app: Partial<AppPlan> = { capabilities: ["CAP_KILL", "CAP_SYS_CHROOT"] };
      for (const attempt of ["init-root", "init-exe", "ptrace-init"]) {
        const { stdout } = await runPod(scratch, { app, command: ["/guest", "try", attempt], user });
        assert.match(valuesOf(stdout, `try.${attempt}`)[0] ?? "", /^(EACCES|EPERM)$/, `${attempt} ${inUser(user)}`);
      }
    }
  });
});

describe("ownership in a user namespace", () => {
  it("files of the image are root's inside, and what is written belongs to the mapped id outside", async () => {
    const { stdout, pod } = await runPod(scratch, { command: ["/guest", "stat", "/guest", "/proc"] });
    assert.match(stdout, /path\.\/guest=100755,0,0,/);
    await copyFile(join(scratch.rootfs, "guest"), join(scratch.rootfs, "copied"));
    const second = await runPod(scratch, { command: ["/guest", "write", "/copied", "x"] });
    assert.match(second.stdout, /=ok/);
    assert.equal((await stat(join(second.pod.path, "main/upper/copied"))).uid, mappedRoot);
    assert.equal((await stat(join(scratch.rootfs, "copied"))).uid, 0);
    assert.ok(pod.path);
  });
  it("a directory as root can be idmapped as well", async () => {
    const root = { kind: "directory", path: scratch.rootfs, idmap: true } as const;
    const { stdout } = await runPod(scratch, {
      app: { root, readonlyRoot: true, mounts: [], symlinks: [], devices: [] },
      command: ["/guest", "stat", "/guest"],
    });
    assert.match(stdout, /path\.\/guest=100755,0,0,/);
    await rm(join(scratch.rootfs, "dev"), { recursive: true });
  });
});
