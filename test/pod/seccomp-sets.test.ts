import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileSeccomp } from "../../src/pod/seccomp.ts";
import { parseSeccompFlag, policyOfImage, policyOfSet } from "../../src/pod/seccomp-sets.ts";
import { allowedCalls, grantableCalls } from "../../src/pod/syscall-sets.ts";
import { syscallNumbers } from "../../src/pod/syscalls.ts";
import { auditArch, isSound, runSeccomp, verdictOf } from "../helpers/bpf.ts";
import { fails } from "../helpers/failures.ts";
import { confined, enosys, eperm, verdict, writer, x64 } from "../helpers/filters.ts";

function filterOf(request: Parameters<typeof policyOfSet>[0], app = confined): Uint8Array {
  const policy = policyOfSet(request, app);
  assert.ok(policy !== "off");
  return compileSeccomp(policy, "x64");
}

describe("retain-sets (ACE-31, ACE-32)", () => {
  it("allow what is listed and what starts the app; kill for everything else without errno", () => {
    const program = filterOf({ mode: "retain", set: ["read", "mkdir"] });
    assert.ok(isSound(program));
    for (const name of ["read", "mkdir", "execve", "exit_group", "rt_sigreturn", "prctl", "rt_sigprocmask"]) {
      assert.equal(verdict(program, "x86_64", name), "allow", name);
    }
    for (const name of ["rmdir", "openat", "mount", "clone3", "setresuid"]) {
      assert.equal(verdict(program, "x86_64", name), "kill", name);
    }
    assert.equal(verdict(program, "i386", "mkdir"), "allow");
    assert.equal(verdict(program, "i386", "rmdir"), "kill");
    assert.equal(verdictOf(runSeccomp(program, { arch: auditArch.x86_64, number: 500 })), "kill");
  });

  it("errno is what blocked calls return; an empty one kills", () => {
    assert.equal(verdict(filterOf({ mode: "retain", set: ["read"], errno: "ENOTSUP" }), "x86_64", "rmdir"), "errno 95");
    assert.equal(verdict(filterOf({ mode: "retain", set: ["read"], errno: "" }), "x86_64", "rmdir"), "kill");
    assert.throws(
      () => filterOf({ mode: "retain", set: ["read"], errno: "EWHAT" }),
      fails("MANIFEST_INVALID", /EWHAT/),
    );
  });

  it("without no_new_privs the calls that drop the last privilege stay open, because the filter comes before it", () => {
    const program = filterOf({ mode: "retain", set: ["read"] }, { ...confined, noNewPrivileges: false });
    for (const name of ["capset", "getresuid"]) assert.equal(verdict(program, "x86_64", name), "allow");
    for (const name of ["setresuid", "openat2", "fchdir"]) assert.equal(verdict(program, "x86_64", name), "kill");
  });

  it("ACE-34: @appc.io/all opts out and masks the rest", () => {
    assert.equal(policyOfSet({ mode: "retain", set: ["read", "@appc.io/all"] }, confined), "off");
  });

  it("a whitelist wildcard keeps our conditions, a call that is named is allowed whole", () => {
    const wildcard = filterOf({ mode: "retain", set: ["@rkt/default-whitelist"] });
    assert.equal(verdict(wildcard, "x86_64", "ioctl", 0, 0x5412), eperm);
    assert.equal(verdict(wildcard, "x86_64", "openat"), "allow");
    assert.equal(verdict(wildcard, "x86_64", "mount"), "kill");
    assert.equal(verdict(wildcard, "x86_64", "clone3"), "kill");
    const named = filterOf({ mode: "retain", set: ["@docker/default-whitelist", "ioctl", "mount"] });
    assert.equal(verdict(named, "x86_64", "ioctl", 0, 0x5412), "allow");
    assert.equal(verdict(named, "x86_64", "mount"), "allow");
  });

  it("where files of the host can be written to, the whitelist keeps those conditions, and calls that are missing stay missing", () => {
    const wildcard = filterOf({ mode: "retain", set: ["@rkt/default-whitelist"] }, writer);
    assert.equal(verdict(wildcard, "x86_64", "chmod", 0, 0o4755), eperm);
    assert.equal(verdict(wildcard, "x86_64", "chmod", 0, 0o755), "allow");
    assert.equal(verdict(wildcard, "x86_64", "openat2"), enosys);
    const named = filterOf({ mode: "retain", set: ["@rkt/default-whitelist", "chmod"] }, writer);
    assert.equal(verdict(named, "x86_64", "chmod", 0, 0o4755), "allow", "who runs it may say otherwise");
  });

  it("as many spans as there can be still fit: every second call", () => {
    const every = [...syscallNumbers("x86_64").keys(), ...syscallNumbers("i386").keys()];
    const set = every.filter((_, index) => index % 2 === 0);
    const program = filterOf({ mode: "retain", set, errno: "EPERM" });
    assert.ok(isSound(program));
    const start = new Set(["execve", "exit", "exit_group", "newfstatat", "prctl", "restart_syscall", "rt_sigaction"]);
    const left = new Set(["rt_sigprocmask", "rt_sigreturn", "sendmsg", "sigreturn", "write", ...start, ...set]);
    for (const [name, number] of syscallNumbers("i386")) {
      const actual = verdictOf(runSeccomp(program, { arch: auditArch.i386, number }));
      assert.equal(actual, left.has(name) ? "allow" : eperm, name);
    }
  });
});

describe("remove-sets (ACE-30)", () => {
  it("block what is listed, keep the default blacklist, touch nothing else", () => {
    const program = filterOf({ mode: "remove", set: ["mkdir", "@systemd/clock"], errno: "EACCES" });
    assert.equal(verdict(program, "x86_64", "mkdir"), "errno 13");
    assert.equal(verdict(program, "x86_64", "adjtimex"), "errno 13");
    assert.equal(verdict(program, "x86_64", "mount"), eperm);
    const removed = new Set(["mkdir", "adjtimex", "clock_adjtime", "clock_adjtime64"]);
    for (const name of allowedCalls.filter((call) => !removed.has(call) && syscallNumbers("x86_64").has(call))) {
      assert.equal(verdict(program, "x86_64", name), "allow", name);
    }
  });

  it("ACE-32: without errno the process ends by SIGSYS", () => {
    assert.equal(verdict(filterOf({ mode: "remove", set: ["mkdir"] }), "x86_64", "mkdir"), "kill");
  });

  it("ACE-34: @appc.io/empty masks the rest and gives our own filter", () => {
    const policy = policyOfSet({ mode: "remove", set: ["mkdir", "@appc.io/empty"] }, confined);
    assert.ok(policy !== "off");
    assert.deepEqual(compileSeccomp(policy, "x64"), x64);
  });

  it("what no app can be started without is refused", () => {
    for (const set of [["execve"], ["@appc.io/all"], ["@rkt/default-whitelist"]]) {
      assert.throws(() => policyOfSet({ mode: "remove", set }, confined), fails("MANIFEST_INVALID", /can be started/));
    }
  });
});

describe("names of sets", () => {
  it("unknown calls and wildcards are named", () => {
    for (const word of ["frobnicate", "@rkt/nothing", "@systemd/network", "@appc.io/some", "@", "@x"]) {
      for (const mode of ["retain", "remove"] as const) {
        assert.throws(
          () => policyOfSet({ mode, set: ["read", word] }, confined),
          (error) => fails("MANIFEST_INVALID")(error) && error instanceof Error && error.message.includes(word),
        );
      }
    }
  });

  it("every documented wildcard is known", () => {
    const systemd = [
      "clock",
      "default-whitelist",
      "mount",
      "network-io",
      "obsolete",
      "privileged",
      "process",
      "raw-io",
    ];
    const names = ["@rkt/default-blacklist", "@docker/default-blacklist", ...systemd.map((name) => `@systemd/${name}`)];
    for (const name of names) assert.ok(policyOfSet({ mode: "retain", set: [name] }, confined) !== "off", name);
  });

  it("the default blacklist removes nothing that the default allows", () => {
    const program = filterOf({ mode: "remove", set: ["@rkt/default-blacklist"], errno: "EPERM" });
    for (const name of allowedCalls.filter((call) => syscallNumbers("x86_64").has(call))) {
      assert.equal(verdict(program, "x86_64", name), "allow", name);
    }
  });
});

describe("parseSeccompFlag", () => {
  it("reads mode, errno and names", () => {
    assert.deepEqual(parseSeccompFlag("mode=remove,errno=ENOTSUP,mkdir,@systemd/mount"), {
      mode: "remove",
      errno: "ENOTSUP",
      set: ["mkdir", "@systemd/mount"],
    });
    assert.deepEqual(parseSeccompFlag("mode=retain,read"), { mode: "retain", set: ["read"] });
  });

  for (const text of [
    "",
    "read",
    "mode=keep,read",
    "mode=retain",
    "mode=retain,mode=remove,read",
    "mode=retain,x=y,read",
    "mode=retain,no_such_call",
    "mode=remove,errno=ENONE,read",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSeccompFlag(text), fails("USAGE")));
  }
});

describe("a set that the image says (ISO-3, ISO-4)", () => {
  const everything = [...syscallNumbers("x86_64").keys(), ...syscallNumbers("i386").keys()];
  const ofImage = (set: readonly string[], app = confined) => {
    const { policy, cut } = policyOfImage({ mode: "retain", set, errno: "EACCES" }, app);
    assert.ok(policy !== "default");
    return { program: compileSeccomp(policy, "x64"), cut };
  };
  /** What 4.2 blocks for the host's sake, with arguments where these decide. */
  const forbidden: readonly (readonly [name: string, ...values: readonly number[]])[] = [
    ...["kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "keyctl", "add_key"],
    ...[
      "request_key",
      "userfaultfd",
      "perf_event_open",
      "open_by_handle_at",
      "unshare",
      "setns",
      "mount",
      "io_uring_setup",
    ],
    ...["fsopen", "move_mount", "clone3", "reboot", "swapon", "iopl", "syslog", "acct", "quotactl", "fanotify_init"],
  ].map((name) => [name] as const);
  const byArgument: typeof forbidden = [
    ["ioctl", 0, 0x5412],
    ["ioctl", 0, 0x541c],
    ["clone", 0x10000000],
    ["socket", 40, 1, 0],
    ["socket", 38, 5, 0],
    ["socket", 17, 3, 0],
    ["personality", 0x40000],
  ];

  it("@appc.io/all is our default, and named", () => {
    assert.deepEqual(policyOfImage({ mode: "retain", set: ["read", "@appc.io/all"] }, confined), {
      policy: "default",
      cut: ["@appc.io/all"],
    });
  });

  it("never opens what the host is kept from, however it is asked: by name, by wildcard, all at once", () => {
    const wildcards = ["@rkt/default-blacklist", "@systemd/mount", "@systemd/privileged", "@systemd/obsolete"];
    for (const set of [everything, wildcards, [...forbidden, ...byArgument].map(([name]) => name)]) {
      const { program, cut } = ofImage(set);
      for (const [name, ...values] of [...forbidden, ...byArgument]) {
        assert.notEqual(verdict(program, "x86_64", name, ...values), "allow", name);
        if (syscallNumbers("i386").has(name)) assert.notEqual(verdict(program, "i386", name, ...values), "allow", name);
      }
      assert.ok(cut.includes("bpf") || !set.includes("bpf"), "what was cut is named");
    }
    assert.deepEqual(
      forbidden.filter(([name]) => !ofImage(everything).cut.includes(name)),
      [],
    );
  });

  it("never opens more than the default and what may be granted, whatever the call and its arguments", () => {
    const { program } = ofImage(everything);
    for (const abi of ["x86_64", "i386"] as const) {
      for (const name of syscallNumbers(abi).keys()) {
        for (const values of [[], [0x7e020000], [40], [0, 0x5412], [0xffff, 0xffff, 0xffff]]) {
          const isOpen = verdict(program, abi, name, ...values) === "allow";
          const isOwn = verdict(x64, abi, name, ...values) === "allow" || grantableCalls.includes(name);
          assert.equal(isOpen, isOwn, `${abi} ${name}`);
        }
      }
    }
  });

  it("gives calls that are harmless to the host, and what is cut answers as in the default: clone3 is not there", () => {
    const { program, cut } = ofImage(["read", "ptrace", "mbind", "clone3", "mount", "socket"]);
    assert.deepEqual(cut, ["clone3", "mount"]);
    for (const name of ["read", "ptrace", "mbind"]) assert.equal(verdict(program, "x86_64", name), "allow", name);
    assert.equal(verdict(program, "x86_64", "clone3"), enosys);
    assert.equal(verdict(program, "x86_64", "mount"), eperm);
    assert.equal(verdict(program, "x86_64", "rmdir"), "errno 13");
    assert.equal(verdict(program, "x86_64", "socket", 1, 1, 0), "allow");
  });

  it("a capability that whoever runs it gave opens its calls here, too", () => {
    const { program, cut } = ofImage(["mount", "bpf"], { ...confined, capabilities: ["CAP_SYS_ADMIN"] });
    assert.deepEqual(cut, []);
    assert.equal(verdict(program, "x86_64", "mount"), "allow");
  });

  it("cannot mark files where those of the host can be written to", () => {
    const { program, cut } = ofImage(["chmod", "openat", "openat2", "fchmodat2"], writer);
    assert.deepEqual(cut, []);
    assert.equal(verdict(program, "x86_64", "chmod", 0, 0o4755), eperm);
    assert.equal(verdict(program, "x86_64", "openat2"), enosys);
  });

  it("a remove-set only takes away, also with @appc.io/empty", () => {
    const empty = policyOfImage({ mode: "remove", set: ["mkdir", "@appc.io/empty"] }, confined);
    assert.ok(empty.policy !== "default");
    assert.deepEqual(compileSeccomp(empty.policy, "x64"), x64);
    assert.deepEqual(empty.cut, []);
  });

  it("grants nothing that is allowed anyway or that an architecture lacks", () => {
    assert.deepEqual(
      grantableCalls.filter((name) => allowedCalls.includes(name) || !everything.includes(name)),
      [],
    );
  });
});
