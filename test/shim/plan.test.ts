import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { type AppPlan, describePlan, encodePlan, type Plan } from "../../src/shim/plan.ts";
import { arity } from "../../src/shim/plan-arity.ts";

const app: AppPlan = {
  name: "web",
  root: {
    kind: "overlay",
    lowers: ["/store/b", "/store/a"],
    upper: "web/upper",
    work: "web/work",
    idmap: true,
    volatile: true,
  },
  readonlyRoot: true,
  mounts: [{ source: "/srv", target: "/data", type: "bind", flags: ["ro", "nosuid"], data: "" }],
  devices: [{ name: "null", major: 1, minor: 3 }],
  symlinks: [{ target: "/proc/self/fd", path: "/dev/fd" }],
  masks: ["/proc/kcore"],
  readonlyPaths: ["/proc/sys"],
  cgroups: ["/sys/fs/cgroup/pids/web"],
  cwd: "/",
  uid: 1000,
  gid: 1001,
  groups: [4, 27],
  environment: [
    ["PATH", "/bin"],
    ["TOKEN", "se=cret"],
  ],
  command: ["/bin/serve", "two words", ""],
  preStart: ["/bin/prepare", ""],
  postStop: ["/bin/clear-up"],
  handlerSeconds: 90,
  restart: { policy: "on-failure", most: 5, keepRoot: false },
  health: { command: ["/check", "it"], interval: 1000, timeout: 500, startPeriod: 0, retries: 3, action: "none" },
  capabilities: ["CAP_CHOWN"],
  rlimits: [{ name: "core", soft: 0, hard: "unlimited" }],
  umask: 0o22,
  noNewPrivileges: true,
  seccomp: Uint8Array.of(6, 0, 0, 0, 0, 0, 255, 127),
  oomScore: -5,
  apparmor: "web",
  selinux: "u:r:t:s0",
  terminal: true,
  takesInput: true,
  notify: "/dev/notify",
  sockets: [{ name: "http", index: 0 }],
  log: { path: "web/log", bytes: 65536, files: 3 },
};

const plan: Plan = {
  uuid: "u",
  hostname: "h",
  namespaces: ["user", "mount", "pid"],
  uidMaps: [{ inside: 0, outside: 100000, count: 65536 }],
  gidMaps: [{ inside: 0, outside: 200000, count: 65536 }],
  unprivileged: ["/bin/newuidmap", "/bin/newgidmap"],
  cgroups: ["/sys/fs/cgroup/pids/pod"],
  deviceFilter: { cgroup: "/sys/fs/cgroup/unified/pod", program: new Uint8Array(16) },
  networkLimits: [{ cgroup: "/sys/fs/cgroup/unified/pod", bytes: 2n ** 62n }],
  removeCgroups: ["/sys/fs/cgroup/pids/pod"],
  sysctls: [{ key: "net.core.somaxconn", value: "1" }],
  loopback: true,
  listenPort: 18112,
  foreground: true,
  attachable: true,
  notifyCaller: "@manager",
  teardowns: [{ program: "/bin/true", stdinFile: "input", environment: [["A", "b=c"]], netVariable: "NET" }],
  apps: [app],
};

/** The fields of the encoded plan, split into records by the arity table: what the C side does. */
function recordsOf(bytes: Buffer): readonly (readonly string[])[] {
  const fields = bytes.toString("utf8").split("\0");
  assert.equal(fields.pop(), "", "the last field has its end");
  const known = new Map<string, { readonly fields: number }>(Object.entries(arity));
  const records: (readonly string[])[] = [];
  for (let at = 0; at < fields.length; ) {
    const count = known.get(fields[at] ?? "")?.fields;
    assert.notEqual(count, undefined, `${fields[at]} is no record`);
    records.push(fields.slice(at, at + 1 + (count ?? 0)));
    at += 1 + (count ?? 0);
  }
  return records;
}

describe("encodePlan", () => {
  it("writes every record in the order of the sections, each with its number of fields", () => {
    assert.deepEqual(
      recordsOf(encodePlan(plan)).map((record) => record.join(" ")),
      [
        "shim 1",
        "uuid u",
        "hostname h",
        "namespace user",
        "namespace mount",
        "namespace pid",
        "uidmap 0 100000 65536",
        "gidmap 0 200000 65536",
        "unprivileged /bin/newuidmap /bin/newgidmap",
        "cgroup /sys/fs/cgroup/pids/pod",
        `device-filter /sys/fs/cgroup/unified/pod ${"0".repeat(32)}`,
        "network-limit /sys/fs/cgroup/unified/pod 4611686018427387904",
        "remove-cgroup /sys/fs/cgroup/pids/pod",
        "sysctl net.core.somaxconn 1",
        "loopback",
        "listen 18112",
        "foreground",
        "attach",
        "notify-caller @manager",
        "teardown /bin/true input",
        "teardown-env A=b=c",
        "teardown-net NET",
        "app web",
        "lower /store/b",
        "lower /store/a",
        "overlay web/upper web/work idmap,volatile",
        "readonly-root",
        "mount /srv /data bind ro,nosuid ",
        "device null 1 3",
        "symlink /proc/self/fd /dev/fd",
        "mask /proc/kcore",
        "readonly /proc/sys",
        "app-cgroup /sys/fs/cgroup/pids/web",
        "cwd /",
        "user 1000 1001",
        "group 4",
        "group 27",
        "env PATH=/bin",
        "env TOKEN=se=cret",
        "arg /bin/serve",
        "arg two words",
        "arg ",
        "pre-start /bin/prepare",
        "pre-start ",
        "post-stop /bin/clear-up",
        "handler-limit 90",
        "restart on-failure 5 fresh",
        "check /check",
        "check it",
        "health 1000 500 0 3 none",
        "capability CAP_CHOWN",
        "rlimit core 0 unlimited",
        "umask 0022",
        "no-new-privileges",
        "seccomp 060000000000ff7f",
        "oom-score -5",
        "apparmor web",
        "selinux u:r:t:s0",
        "terminal",
        "stdin",
        "notify /dev/notify",
        "socket http 0",
        "log web/log 65536 3",
        "end",
      ],
    );
  });
  it("uses every record of the table, but the one that stands for another root", () => {
    const used = new Set(recordsOf(encodePlan(plan)).map(([keyword]) => keyword));
    assert.deepEqual(
      Object.keys(arity).filter((keyword) => !used.has(keyword)),
      ["root"],
    );
    const root = { kind: "directory", path: "/tree", idmap: false } as const;
    const records = recordsOf(encodePlan({ ...plan, apps: [{ ...app, root }] }));
    assert.deepEqual(
      records.find(([keyword]) => keyword === "root"),
      ["root", "/tree", ""],
    );
  });
  it("T-R45: refuses a NUL, which would begin another record, and more than 4 MiB", () => {
    const code = (wanted: string) => (error: unknown) => error instanceof Failure && error.code === wanted;
    const withCommand = (text: string): Plan => ({ ...plan, apps: [{ ...app, command: [text] }] });
    assert.throws(() => encodePlan(withCommand("a\0capability\0CAP_SYS_ADMIN")), code("MANIFEST_INVALID"));
    assert.throws(() => encodePlan(withCommand("x".repeat(4 * 1024 * 1024))), code("LIMIT_EXCEEDED"));
  });
});

describe("describePlan", () => {
  const lines = describePlan(plan);
  it("shows no value of a variable, and programs as a number of instructions (T-R07)", () => {
    assert.ok(lines.includes("  env TOKEN=***"));
    assert.ok(lines.includes("  seccomp (1 instructions)"));
    assert.ok(lines.includes("device-filter /sys/fs/cgroup/unified/pod (2 instructions)"));
    assert.doesNotMatch(lines.join("\n"), /se=cret/);
  });
  it("keeps fields apart and cannot repaint a screen (T-R47)", () => {
    assert.ok(lines.includes('  arg "two words"'));
    assert.ok(lines.includes('  arg ""'));
    const [, hostile] = describePlan({ ...plan, uuid: "\u001b[2J" });
    assert.equal(hostile, "uuid \\x1b[2J");
  });
});
