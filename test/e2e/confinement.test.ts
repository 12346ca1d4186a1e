/** Ways out that need something around the pod: a caller with keys, groups or a terminal, other users, capabilities the app was given. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, isOfAnotherTest, leakSnapshot, parseAbstractSockets } from "../helpers/leak-check.ts";
import { guest, imageManifest, program, Running, tableOf, valuesOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
/** Names that a careless lookup takes for numbers, all of them root here. */
const numbers = [
  "2147483648",
  "4294967295",
  "4294967296",
  "18446744073709551616",
  "-1",
  "+0",
  "0x0",
  "00",
  " 0",
  "1e3",
  "",
];
before(() => {
  const passwd = numbers.map((name) => `${name}:x:0:0::/:/bin/sh\n`).join("");
  const group = numbers.map((name) => `${name}:x:0:\n`).join("");
  work.stored(
    image,
    { exec: ["/guest"] },
    { "etc/passwd": passwd, "etc/group": group, data: "secret of group 27" },
    (rootfs) => {
      chownSync(join(rootfs, "data"), 0, 27);
      chmodSync(join(rootfs, "data"), 0o604);
    },
  );
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

function table(args: readonly string[], prefix: string): Readonly<Record<string, string>> {
  const { status, stdout, stderr } = work.run(args);
  assert.equal(status, 0, stderr);
  return tableOf(stdout, prefix);
}

/** `perigee run` with something around it. */
function around(argv: readonly string[], insecure: string, args: readonly string[]) {
  return work.command([...argv, program, ...work.globals, `--insecure-options=${insecure}`, "run", ...args]);
}

describe("--appc-defaults (ISO-15)", () => {
  it("ACE-38, ACE-40: the 14 and new privileges, where the default has 9 and none; the filter stays", () => {
    const sets = table(["--appc-defaults", image, "--", "privileges"], "status");
    const fourteen = "00000000a80425fb";
    assert.deepEqual([sets["CapBnd"], sets["CapEff"], sets["CapInh"]], [fourteen, fourteen, "0".repeat(16)]);
    assert.deepEqual([sets["NoNewPrivs"], sets["Seccomp"]], ["0", "2"]);
  });

  it("what an app says itself holds, and --strict has nothing against it", () => {
    const sets = table(["--strict", "--appc-defaults", image, "--caps-retain=CAP_KILL", "--", "privileges"], "status");
    assert.equal(sets["CapBnd"], "0000000000000020");
  });
});

describe("devices (T-I07)", () => {
  const capabilities = "--caps-retain=CAP_MKNOD,CAP_DAC_OVERRIDE";
  for (const mode of ["yes", "no"]) {
    it(`the device cgroup refuses all others, even with CAP_MKNOD and no filter, --private-users=${mode}`, () => {
      const args = [`--private-users=${mode}`, image, capabilities, "--", "try", "mknod", ",", "try", "mknod-allowed"];
      const { stdout } = work.run(args, { insecure: ["seccomp"] });
      // Nodes of allowed devices can be made where the kernel lets a user namespace make any: it does not.
      assert.deepEqual(tableOf(stdout, "try"), { mknod: "EPERM", "mknod-allowed": mode === "no" ? "ok" : "EPERM" });
    });
  }
});

describe("--insecure-options=capabilities", () => {
  it("gives an app all that its user namespace, or else its caller, has", () => {
    const callers = /^CapPrm:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    for (const [mode, expected] of [
      ["no", callers],
      ["yes", "000001ffffffffff"],
    ]) {
      const { stdout, stderr } = work.run([`--private-users=${mode}`, image, "--", "privileges"], {
        insecure: ["capabilities"],
      });
      const { CapEff, CapBnd, CapAmb } = tableOf(stdout, "status");
      assert.deepEqual([CapEff, CapBnd, CapAmb], [expected, expected, "0".repeat(16)], stderr);
    }
  });
});

describe("the caller's keyring (T-I18, T-R08)", () => {
  for (const mode of ["yes", "no"]) {
    it(`its keys cannot be found, with and without the filter, --private-users=${mode}`, () => {
      const withKey = [guest, "with-key"];
      const args = [`--private-users=${mode}`, image, "--", "try", "keyring-search"];
      assert.equal(tableOf(around(withKey, "image", args).stdout, "try")["keyring-search"], "EPERM");
      assert.equal(tableOf(around(withKey, "image,seccomp", args).stdout, "try")["keyring-search"], "ENOKEY");
    });
  }
});

describe("the caller's terminal (T-R06)", () => {
  it("is not the app's: nothing can be typed into it, also with high bits in the request", () => {
    const terminal = [guest, "pty", "80", "24"];
    for (const insecure of ["image", "image,seccomp"]) {
      for (const interactive of [["--interactive"], []]) {
        const verbs = ["try", "tiocsti", ",", "try", "tiocsti-high", ",", "try", "tioclinux"];
        const { stdout } = around(terminal, insecure, [...interactive, image, "--", ...verbs]);
        assert.match(stdout, /modes=same/);
        // What was typed into the app's own terminal is echoed, so lines may begin with it.
        const tried = [...stdout.matchAll(/try\.[\w-]+=(\w+)/g)].map(([, result]) => result);
        assert.equal(tried.length, 3, stdout);
        // Without the filter the app may type into a terminal of its own, which is the pod's; the caller's has another session.
        const isOwn = insecure !== "image" && interactive.length > 0;
        assert.equal(tried.includes("ok"), isOwn, stdout);
      }
    }
  });
});

describe("users and groups", () => {
  for (const flag of ["--user", "--group"]) {
    it(`T-R40: ${flag} never makes a number of what is none, nor root of a number`, () => {
      for (const text of numbers) {
        const { status, stdout, stderr } = work.run(["--private-users=no", image, `${flag}=${text}`, "--", "ids"]);
        if (status === 0) {
          assert.deepEqual(valuesOf(stdout, flag === "--user" ? "uid" : "gid"), [`${text},${text},${text}`]);
        } else {
          assert.equal(status, 125, stderr);
          assert.match(stderr, /^error\[(MANIFEST_INVALID|USAGE|UNSUPPORTED|NOT_FOUND)\]: /, text);
        }
      }
      const unmapped = work.run([image, `${flag}=65536`, "--", "ids"]);
      assert.equal(unmapped.status, 125);
      assert.match(unmapped.stderr, /^error\[UNSUPPORTED\]/);
    });
  }

  it("T-R41: the app's groups are those it declares, whatever the caller's are", () => {
    const caller = ["setpriv", "--groups", "4,27"];
    const ids = (args: readonly string[]) =>
      valuesOf(around(caller, "image", [image, ...args, "--", "ids"]).stdout, "groups");
    assert.deepEqual(ids(["--user=1000", "--group=1000"]), ["1000"]);
    assert.deepEqual(ids(["--user=1000", "--group=1000", "--supplementary-gids=27,30"]), ["27,30,1000"]);
    const opened = (args: readonly string[]) =>
      tableOf(
        around(caller, "image", [image, "--user=1000", "--group=1000", ...args, "--", "open", "/data"]).stdout,
        "open",
      );
    assert.deepEqual(opened([]), { "/data": "content,EACCES" });
    assert.deepEqual(opened(["--supplementary-gids=27"]), { "/data": "EACCES,EACCES" });
  });
});

describe("what an image says about itself steers nothing", () => {
  const plain = () => {
    const { stdout } = work.run([image, "--", "all"]);
    return stdout
      .split("\n")
      .filter((line) => /^(status|limit|umask|uid=|gid=|groups|env|cwd|oom)/.test(line) && !/AC_APP_NAME/.test(line));
  };

  it("T-R43: annotations and labels that sound like options", () => {
    const words = [
      "seccomp",
      "capabilities",
      "privileged",
      "no-new-privileges",
      "hooks",
      "stage1",
      "log-driver",
      "network",
      "private-users",
    ];
    const annotations = words.flatMap((name) => [
      { name: `perigee/${name}`, value: "off" },
      { name: `coreos.com/rkt/stage1/${name}`, value: "true" },
    ]);
    const manifest = { ...imageManifest("example.com/guest-two", { exec: ["/guest"] }), annotations };
    writeFileSync(work.path("annotated.json"), JSON.stringify(manifest));
    const rootfs = work.path("example.com-guest-rootfs");
    work.must(["build", "--manifest", work.path("annotated.json"), "--rootfs", rootfs, "annotated.aci"]);
    const { status, stdout, stderr } = work.run(["./annotated.aci", "--", "all"]);
    assert.equal(status, 0, stderr);
    const expected = plain();
    assert.deepEqual(
      stdout.split("\n").filter((line) => expected.includes(line)),
      expected,
    );
  });

  it("T-R42: an app's sysctls are not written, on the host or in the pod", () => {
    const files = ["kernel/core_pattern", "kernel/hostname", "net/ipv4/ip_forward"].map((name) => `/proc/sys/${name}`);
    const before = files.map((path) => readFileSync(path, "utf8"));
    const isolators = [
      {
        name: "os/unix/sysctl",
        value: { "kernel.core_pattern": "|/guest", "kernel.shm_rmid_forced": "1", "net.ipv4.ip_forward": "1" },
      },
    ];
    const outcome = work.run([
      work.image("example.com/sysctl", { exec: ["/guest"], isolators }),
      "--",
      "cat",
      "/proc/sys/kernel/shm_rmid_forced",
    ]);
    assert.equal(outcome.stdout, "0\n", outcome.stderr);
    assert.deepEqual(
      files.map((path) => readFileSync(path, "utf8")),
      before,
    );
  });
});

describe("what others on the host can reach", () => {
  it("T-R50: the data directory opens to nobody else, what is made outside of it is not in /tmp", async () => {
    const running = work.startRun([image, "--", "wait"]);
    await running.until(/waiting/);
    const open = readdirSync(work.data, { withFileTypes: true }).map(({ name }) => join(work.data, name));
    for (const path of [work.data, ...open]) assert.equal(statSync(path).mode & 0o027, 0, path);
    chmodSync(work.directory, 0o755);
    const listed = work.command(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "ls", work.data], {
      cwd: "/",
    });
    assert.match(listed.stderr, /Permission denied/);
    running.child.kill("SIGTERM");
    assert.equal(await running.ended, 40);
  });

  it("T-R05: no abstract socket of ours is there while a pod on the host's network runs", async () => {
    const sockets = () => new Set(parseAbstractSockets(readFileSync("/proc/net/unix", "utf8")));
    const before = sockets();
    const running = work.startRun(["--net=host", image, "--", "cat", "/proc/net/unix", ",", "wait"]);
    await running.until(/waiting/);
    const inside = parseAbstractSockets(running.stdout.split("\n").slice(1).join("\n"));
    assert.deepEqual(
      [...inside, ...sockets()].filter(
        (name) => !before.has(name) && /perigee|shim/.test(name) && !isOfAnotherTest(name.slice(1)),
      ),
      [],
    );
    running.child.kill("SIGTERM");
    await running.ended;
  });

  it("T-R03: while a pod runs its processes hold nothing of their caller's directories", async () => {
    mkdirSync(work.path("open"));
    const argv = ["sh", "-c", 'exec 5<"$0" 9<"$0"; exec "$@"', work.path("open"), program, ...work.globals];
    const running = new Running(
      work.startCommand([...argv, "--insecure-options=image", "run", image, "--", "wait"], "pipe"),
    );
    await running.until(/waiting/);
    const pod = work.pods().find(({ state }) => state === "running");
    const pids = [running.child.pid, pod?.pid, ...childrenOf(pod?.pid)];
    assert.ok(pids.length >= 3);
    const held = pids.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)));
    assert.deepEqual(
      held.filter((target) => target === work.path("open")),
      [],
    );
    running.child.kill("SIGTERM");
    await running.ended;
  });
});

function childrenOf(pid: number | undefined): readonly string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
}

function linkOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? "" : work.command(["readlink", path]).stdout.trim();
}

describe("processes (T-I08)", () => {
  it("its files of limits say so, and cannot be written", () => {
    const limits = ["/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"];
    const opened = table([image, "--", "open", ...limits], "open");
    assert.ok(
      Object.values(opened).some((found) => /^content,E(ROFS|ACCES)$/.test(found)),
      JSON.stringify(opened),
    );
  });
});
