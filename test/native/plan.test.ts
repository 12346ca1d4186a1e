import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodePlan, type Plan } from "../../src/shim/plan.ts";
import { arity } from "../../src/shim/plan-arity.ts";
import { fileScratch, makeApp, makePod, type PodOptions, repository, startPod } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

interface Rule {
  readonly fields: number;
  readonly many: boolean;
  readonly section: string;
}

const tableOfEncoder = new Map<string, Rule>(Object.entries(arity));

describe("the three tables of records say the same", () => {
  it("spec/shim.md and the encoder", async () => {
    const text = await readFile(join(repository, "spec/shim.md"), "utf8");
    const table = new Map<string, Rule>();
    for (const [, section, keyword, fields, times] of text.matchAll(
      /^\| (first|pod|app|last) \| `([a-z-]+)` \| ([A-Z0-9=\- ]*)\|.*\| ([1*]) \|$/gm,
    )) {
      table.set(keyword ?? "", {
        section: section ?? "",
        fields: (fields ?? "").split(" ").filter((field) => field !== "").length,
        many: times === "*",
      });
    }
    assert.deepEqual(Object.fromEntries(table), Object.fromEntries(tableOfEncoder));
  });

  it("native/plan.c and the encoder", async () => {
    const text = await readFile(join(repository, "native/plan.c"), "utf8");
    const table = new Map<string, Rule>();
    for (const [, keyword, section, fields, many] of text.matchAll(
      /^ {4}\{"([a-z-]+)", (FIRST|POD|APP|LAST), (\d), (true|false), /gm,
    )) {
      table.set(keyword ?? "", {
        section: (section ?? "").toLowerCase(),
        fields: Number(fields),
        many: many === "true",
      });
    }
    assert.deepEqual(Object.fromEntries(table), Object.fromEntries(tableOfEncoder));
  });
});

/** Runs a plan of these bytes, which must be refused: by one failed event of step `plan`, status 125, and before anything is made. */
async function refused(bytes: Buffer, subject: string, message: RegExp): Promise<void> {
  const pod = await makePod(scratch);
  const running = await startPod(pod, { bytes });
  running.stdin.end();
  const { status, events, stdout, stderr } = await running.ended;
  assert.equal(status, 125, stderr);
  assert.deepEqual(
    events.map(({ event, step }) => [event, step]),
    [["failed", "plan"]],
  );
  assert.equal(events[0]?.["subject"], subject);
  assert.match(String(events[0]?.["message"]), message);
  assert.equal(stdout + stderr, "");
}

const minimal: readonly string[] = [
  "shim\x001",
  "uuid\0u",
  "namespace\0mount",
  "namespace\0pid",
  "app\0main",
  "root\0/\0",
  "arg\0/guest",
  "end",
];

/** The minimal plan with some records instead of, or before, one of its own. */
function planWith(at: string, ...instead: readonly string[]): Buffer {
  return Buffer.from(
    minimal
      .flatMap((record) => (record === at ? instead : [record]))
      .map((record) => `${record}\0`)
      .join(""),
  );
}

describe("a malformed plan is refused before anything is done", () => {
  const cases: readonly (readonly [why: string, bytes: Buffer, subject: string, message: RegExp])[] = [
    ["no bytes", Buffer.alloc(0), "", /1 to 4194304 bytes/],
    ["more than 4 MiB", Buffer.alloc(4 * 1024 * 1024 + 1), "", /1 to 4194304 bytes/],
    ["the last field has no end", Buffer.from("shim\x001"), "", /within a field/],
    ["it ends within a record", Buffer.from("shim\x001\0uuid\0"), "uuid", /within a record/],
    ["it ends without `end`", planWith("end"), "end", /not the last/],
    ["something follows `end`", planWith("end", "end", "end"), "end", /not the last/],
    ["it does not begin with `shim`", planWith("shim\x001"), "uuid", /out of its place/],
    ["another version", planWith("shim\x001", "shim\x002"), "2", /version/],
    ["`shim` twice", planWith("uuid\0u", "shim\x001", "uuid\0u"), "shim", /out of its place/],
    [
      "a variable of no teardown",
      planWith("uuid\0u", "uuid\0u", "teardown-env\0A=b"),
      "teardown-env",
      /out of its place/,
    ],
    [
      "a namespace for no teardown",
      planWith("uuid\0u", "uuid\0u", "teardown-net\0A"),
      "teardown-net",
      /out of its place/,
    ],
    ["an unknown record", planWith("uuid\0u", "uuid\0u", "surprise"), "surprise", /unknown/],
    ["an empty keyword", planWith("uuid\0u", "uuid\0u", ""), "", /unknown/],
    ["a pod record after an app", planWith("arg\0/guest", "loopback", "arg\0/guest"), "loopback", /out of its place/],
    ["an app record before an app", planWith("app\0main", "cwd\0/", "app\0main"), "cwd", /out of its place/],
    ["a record twice", planWith("uuid\0u", "uuid\0u", "uuid\0v"), "uuid", /once only/],
    ["an app's record twice", planWith("root\0/\0", "root\0/\0", "root\0/\0"), "root", /once only/],
    ["no uuid", planWith("uuid\0u"), "uuid", /missing/],
    ["no apps", Buffer.from("shim\x001\0uuid\0u\0namespace\0mount\0namespace\0pid\0end\0"), "app", /missing/],
    ["no pid namespace", planWith("namespace\0pid"), "namespace", /needed/],
    ["an unknown namespace", planWith("namespace\0pid", "namespace\0pet"), "namespace", /not a word/],
    [
      "a hostname without a uts namespace",
      planWith("namespace\0pid", "namespace\0pid", "hostname\0h"),
      "hostname",
      /uts/,
    ],
    ["loopback without a net namespace", planWith("namespace\0pid", "namespace\0pid", "loopback"), "loopback", /net/],
    ["listen without a net namespace", planWith("namespace\0pid", "namespace\0pid", "listen\x008080"), "listen", /net/],
    ["a port of the machine's", planWith("uuid\0u", "uuid\0u", "listen\x0080"), "listen", /1024/],
    ["no port", planWith("uuid\0u", "uuid\0u", "listen\x0065536"), "listen", /too large/],
    [
      "a map without a user namespace",
      planWith("namespace\0pid", "namespace\0pid", "uidmap\x000\x001\x001"),
      "uidmap",
      /user namespace/,
    ],
    [
      "a user namespace without maps",
      planWith("namespace\0pid", "namespace\0pid", "namespace\0user"),
      "uidmap",
      /user namespace/,
    ],
    ["an app with the name of a directory", planWith("app\0main", "app\0../main"), "app", /not a name/],
    [
      "a policy that is none",
      planWith("arg\0/guest", "arg\0/guest", "restart\0no\x000\0keep"),
      "restart",
      /not a word/,
    ],
    [
      "a root that is neither",
      planWith("arg\0/guest", "arg\0/guest", "restart\0always\x000\0"),
      "restart",
      /not a word/,
    ],
    [
      "starts that are no number",
      planWith("arg\0/guest", "arg\0/guest", "restart\0always\0-1\0keep"),
      "restart",
      /not a decimal number/,
    ],
    [
      "a new root at each start without an overlay",
      planWith("arg\0/guest", "arg\0/guest", "restart\0always\x000\0fresh"),
      "main",
      /needs an overlay/,
    ],
    [
      "an app with a terminal that is started again",
      planWith("arg\0/guest", "arg\0/guest", "restart\0always\x000\0keep", "terminal"),
      "main",
      /terminal is not started again/,
    ],
    [
      "one of several apps that is started again without a cgroup of its own",
      planWith("app\0main", "app\0other", "root\0/\0", "arg\0/guest", "restart\0always\x000\0keep", "app\0main"),
      "other",
      /cgroup of its own/,
    ],
    ["a check without its times", planWith("arg\0/guest", "arg\0/guest", "check\0/x"), "main", /interval/],
    [
      "times without a check",
      planWith("arg\0/guest", "arg\0/guest", "health\x001\x001\x000\x001\0none"),
      "main",
      /interval/,
    ],
    [
      "checks without a pause",
      planWith("arg\0/guest", "arg\0/guest", "check\0/x", "health\x000\x001\x000\x001\0none"),
      "main",
      /interval/,
    ],
    [
      "checks without a limit",
      planWith("arg\0/guest", "arg\0/guest", "check\0/x", "health\x001\x000\x000\x001\0none"),
      "main",
      /interval/,
    ],
    [
      "a check without a program",
      planWith("arg\0/guest", "arg\0/guest", "check\0", "health\x001\x001\x000\x001\0none"),
      "main",
      /empty word/,
    ],
    [
      "an unknown end of an unhealthy app",
      planWith("arg\0/guest", "arg\0/guest", "check\0/x", "health\x001\x001\x000\x001\0stop"),
      "health",
      /not a word/,
    ],
    [
      "checks that start an app again that says not how",
      planWith("arg\0/guest", "arg\0/guest", "check\0/x", "health\x001\x001\x000\x001\0restart"),
      "main",
      /where it says how/,
    ],
    [
      "a policy for checks that there are none of",
      planWith("arg\0/guest", "arg\0/guest", "restart\0unhealthy\x000\0keep"),
      "main",
      /unhealthy/,
    ],
    ["a handler without a limit", planWith("arg\0/guest", "arg\0/guest", "pre-start\0/x"), "main", /limit of time/],
    [
      "a limit without a handler",
      planWith("arg\0/guest", "arg\0/guest", "handler-limit\x001"),
      "main",
      /limit of time/,
    ],
    [
      "a handler without a program",
      planWith("arg\0/guest", "arg\0/guest", "post-stop\0", "handler-limit\x001"),
      "main",
      /empty word/,
    ],
    ["an app without a root", planWith("root\0/\0"), "main", /one of overlay and root/],
    ["an app without a command", planWith("arg\0/guest"), "main", /no command/],
    ["an empty command", planWith("arg\0/guest", "arg\0"), "main", /no command/],
    ["a relative working directory", planWith("arg\0/guest", "arg\0/guest", "cwd\0tmp"), "tmp", /absolute/],
    [
      "a symlink outside of /dev",
      planWith("arg\0/guest", "symlink\0/x\0/etc/x", "arg\0/guest"),
      "/etc/x",
      /below \/dev/,
    ],
    ["a symlink out of /dev", planWith("arg\0/guest", "symlink\0/x\0/dev/../x", "arg\0/guest"), "symlink", /component/],
    ["a variable without a value", planWith("arg\0/guest", "env\0NAME", "arg\0/guest"), "env", /NAME=VALUE/],
    [
      "a capability that does not exist",
      planWith("arg\0/guest", "capability\0CAP_ALL", "arg\0/guest"),
      "capability",
      /not a word/,
    ],
    [
      "a soft limit above the hard one",
      planWith("arg\0/guest", "rlimit\0nofile\x002\x001", "arg\0/guest"),
      "rlimit",
      /above/,
    ],
    ["a umask of three digits", planWith("arg\0/guest", "umask\x00022", "arg\0/guest"), "umask", /four octal/],
    ["half an instruction", planWith("arg\0/guest", "seccomp\x0000ff", "arg\0/guest"), "seccomp", /hexadecimal/],
    ["capital digits", planWith("arg\0/guest", "seccomp\x0000000000000000FF", "arg\0/guest"), "seccomp", /hexadecimal/],
    [
      "a log outside of the pod directory",
      planWith("arg\0/guest", "log\0/tmp/l\x004096\x001", "arg\0/guest"),
      "main",
      /log/,
    ],
    [
      "a bind with an unknown flag",
      planWith("arg\0/guest", "mount\0/a\0/a\0bind\0ro,unbindable\0", "arg\0/guest"),
      "mount",
      /flag/,
    ],
    ["a flag twice", planWith("arg\0/guest", "mount\0/a\0/a\0bind\0ro,ro\0", "arg\0/guest"), "mount", /flag/],
    [
      "a flag of bind on a tmpfs",
      planWith("arg\0/guest", "mount\0a\0/a\0tmpfs\0rec\0", "arg\0/guest"),
      "mount",
      /flag/,
    ],
    [
      "a mount that is slave and shared (POD-54)",
      planWith("arg\0/guest", "mount\0/a\0/a\0bind\0slave,shared\0", "arg\0/guest"),
      "/a",
      /not slave/,
    ],
    [
      "a bind that is one with others (POD-51)",
      planWith("arg\0/guest", "mount\0/a\0/a\0bind\0one\0", "arg\0/guest"),
      "mount",
      /flag/,
    ],
    [
      "a limit that would let everything through (ISO-42)",
      planWith("uuid\0u", "uuid\0u", "network-limit\0/sys/fs/cgroup/x\x000"),
      "network-limit",
      /no rate/,
    ],
    ["an unknown file system", planWith("arg\0/guest", "mount\0a\0/a\0ext4\0\0", "arg\0/guest"), "mount", /not a word/],
    [
      "T-R19: a target with ..",
      planWith("arg\0/guest", "mount\0a\0/a/../../b\0tmpfs\0\0", "arg\0/guest"),
      "mount",
      /component/,
    ],
    ["a mount on /dev", planWith("arg\0/guest", "mount\0a\0/dev\0tmpfs\0\0", "arg\0/guest"), "/dev", /the shim itself/],
    ["a mount on /", planWith("arg\0/guest", "mount\0a\0/\0tmpfs\0\0", "arg\0/guest"), "/", /the shim itself/],
    ["a device with ..", planWith("arg\0/guest", "device\0../sda\x008\x000", "arg\0/guest"), "../sda", /below \/dev/],
    ["idmap without a user namespace", planWith("root\0/\0", "root\0/\0idmap"), "main", /user namespace/],
  ];
  for (const [why, bytes, subject, message] of cases) it(why, () => refused(bytes, subject, message));

  for (const number of [
    "",
    "-1",
    "+1",
    "01",
    "0x1",
    " 1",
    "1 ",
    "1e3",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "18446744073709551617",
  ]) {
    it(`T-R40: the user ${JSON.stringify(number)}`, () =>
      refused(planWith("arg\0/guest", `user\0${number}\x000`, "arg\0/guest"), "user", /number/));
  }

  const sysctls = [
    "kernel.core_pattern",
    "net..core",
    "net/../kernel.x",
    "net.core\nx",
    "kernel.shm_rmid_forced",
    "vm.overcommit_memory",
  ];
  for (const key of sysctls) {
    it(`T-R42: the setting ${JSON.stringify(key)}, which is not the pod's own`, () =>
      refused(
        planWith("namespace\0pid", "namespace\0pid", "namespace\0net", `sysctl\0${key}\x001`),
        key,
        /own namespaces|name of a setting/,
      ));
  }
  it("T-R42: a value of two lines", () =>
    refused(
      planWith("namespace\0pid", "namespace\0pid", "namespace\0net", "sysctl\0net.core.somaxconn\x001\n2"),
      "net.core.somaxconn",
      /line/,
    ));
});

describe("a plan whose records do not fit together is refused", () => {
  const encoded = async (options: PodOptions): Promise<Buffer> => encodePlan((await makePod(scratch, options)).plan);
  const user = (plan: Partial<Plan>): PodOptions => ({ plan });

  it("T-R54: the host's root is never mapped", async () => {
    const ids = [{ inside: 0, outside: 0, count: 65536 }];
    await refused(await encoded(user({ uidMaps: ids })), "uidmap", /never mapped/);
    await refused(await encoded(user({ gidMaps: ids })), "gidmap", /never mapped/);
  });
  it("a range past the last id", async () => {
    await refused(
      await encoded(user({ uidMaps: [{ inside: 0, outside: 4294967290, count: 10 }] })),
      "uidmap",
      /no end/,
    );
  });
  it("sysfs in a user namespace with the host's network", async () => {
    await refused(
      await encoded(user({ namespaces: ["user", "mount", "pid", "ipc", "uts"], loopback: false })),
      "/sys",
      /bind the host's/,
    );
  });
  it("POD-55: a mount that is shared with the host in a user namespace", async () => {
    const shared = { source: "/srv", target: "/data", type: "bind", flags: ["shared"], data: "" } as const;
    await refused(await encoded({ apps: [makeApp(scratch, { mounts: [shared] })] }), "/data", /user namespace/);
  });
  it("mqueue in a user namespace with the host's ipc namespace", async () => {
    await refused(await encoded(user({ namespaces: ["user", "mount", "pid", "net", "uts"] })), "/dev/mqueue", /ipc/);
  });
  it("two apps of one name", async () => {
    await refused(await encoded({ apps: [makeApp(scratch), makeApp(scratch)] }), "main", /one name/);
  });
  it("two terminals", async () => {
    const apps = [makeApp(scratch, { name: "a", terminal: true }), makeApp(scratch, { name: "b", terminal: true })];
    await refused(await encoded({ apps }), "terminal", /one app at most/);
  });
  it("upper and work in different directories", async () => {
    const root = { ...makeApp(scratch).root, upper: "a/upper", work: "b/work" } as const;
    await refused(await encoded({ app: { root } as never }), "main", /same directory/);
  });
});

describe("the call", () => {
  const calls: readonly (readonly string[])[] = [
    [],
    ["3"],
    ["3", "4"],
    ["3", "4", "5", "6"],
    ["3", "4", "x"],
    ["3", "4", "99"],
    ["0", "4", "5"],
    ["3", "4", "5", "--report"],
    ["3", "4", "5", "--report", "xml"],
  ];
  for (const args of calls) {
    it(`run ${args.join(" ")} is a usage error`, async () => {
      const pod = await makePod(scratch);
      const running = await startPod(pod, { instead: ["run", ...args] });
      running.stdin.end();
      const { status, stderr } = await running.ended;
      assert.equal(status, 2);
      assert.match(stderr, /^usage: perigee-shim run PLAN EVENTS POD/);
    });
  }
});
