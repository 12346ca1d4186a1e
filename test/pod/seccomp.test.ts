import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideCapabilities } from "../../src/pod/capabilities.ts";
import { compileSeccomp, defaultPolicy, parseSeccompFlag, policyOfSet, seccompReach } from "../../src/pod/seccomp.ts";
import { allowedCalls } from "../../src/pod/syscall-sets.ts";
import { type SyscallAbi, syscallNumbers } from "../../src/pod/syscalls.ts";
import { auditArch, isSound, runSeccomp, verdictOf } from "../helpers/bpf.ts";
import { fails } from "../helpers/failures.ts";

const ordinary = decideCapabilities({ noNewPrivileges: true, unrestricted: false });
const confined = { capabilities: ordinary, noNewPrivileges: true };
const x64 = compileSeccomp(defaultPolicy(ordinary), "x64");
const arm64 = compileSeccomp(defaultPolicy(ordinary), "arm64");

const eperm = "errno 1";
const enosys = "errno 38";

function verdict(program: Uint8Array, abi: SyscallAbi, name: string, ...values: readonly (number | bigint)[]): string {
  const number = syscallNumbers(abi).get(name);
  assert.ok(number !== undefined, `${name} of ${abi}`);
  return verdictOf(runSeccomp(program, { arch: auditArch[abi], number, arguments: values.map(BigInt) }));
}

function filterOf(request: Parameters<typeof policyOfSet>[0], app = confined): Uint8Array {
  const policy = policyOfSet(request, app);
  assert.ok(policy !== "off");
  return compileSeccomp(policy, "x64");
}

describe("the default filter", () => {
  it("is sound and short for each architecture", () => {
    for (const program of [x64, arm64]) assert.ok(isSound(program));
  });

  it("T-R58: all numbers 0 to 600 of all three ABIs get the verdict of the policy; unknown ones ENOSYS", () => {
    const policy = defaultPolicy(ordinary);
    for (const [abi, program] of [
      ["x86_64", x64],
      ["i386", x64],
      ["aarch64", arm64],
    ] as const) {
      const names = new Map([...syscallNumbers(abi)].map(([name, number]) => [number, name]));
      for (let number = 0; number <= 600; number += 1) {
        const name = names.get(number);
        const action = name === undefined ? policy.unknown : (policy.calls.get(name) ?? policy.others);
        if (typeof action === "object" && "rules" in action) continue;
        const expected = action === "allow" || action === "kill" ? action : `errno ${action.errno}`;
        const actual = verdictOf(runSeccomp(program, { arch: auditArch[abi], number }));
        assert.equal(actual, expected, `${abi} ${number} ${name}`);
      }
    }
  });

  it("T-R58: blocks at least 80 of the x86-64 calls 0 to 469 whatever their arguments are", () => {
    const tries = [[], [0xffffffffn, 0xffffffffn, 0xffffffffn]];
    const blocked = [...syscallNumbers("x86_64").values()].filter((number) =>
      tries.every(
        (values) => verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number, arguments: values })) !== "allow",
      ),
    );
    assert.ok(blocked.length >= 80, `${blocked.length}`);
  });

  it("T-R58: x32 and foreign architectures are killed, −1 as a tracer leaves it is not", () => {
    for (const number of [0x40000000, 0x40000001, 0x40000000 + 520, 0x7fffffff, 0xfffffffe]) {
      assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number })), "kill");
    }
    assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number: 0xffffffff })), enosys);
    assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.aarch64, number: 64 })), "kill");
    assert.equal(verdictOf(runSeccomp(arm64, { arch: auditArch.arm, number: 4 })), "kill");
    assert.equal(verdictOf(runSeccomp(arm64, { arch: auditArch.x86_64, number: 1 })), "kill");
  });

  it("T-R58: clone3 is ENOSYS, so that C libraries take clone, whose namespace flags are refused", () => {
    for (const abi of ["x86_64", "i386"] as const) {
      assert.equal(verdict(x64, abi, "clone3"), enosys);
      assert.equal(verdict(x64, abi, "clone", 0x01200011), "allow");
      assert.equal(verdict(x64, abi, "clone", 0x003d0f00), "allow");
      for (const flag of [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
        assert.equal(verdict(x64, abi, "clone", flag | 17), eperm, `${abi} ${flag.toString(16)}`);
        assert.equal(verdict(x64, abi, "clone", 0xffffffff00000000n | BigInt(flag)), eperm);
      }
    }
    assert.equal(verdict(x64, "x86_64", "unshare", 0x10000000), eperm);
    assert.equal(verdict(x64, "x86_64", "setns", 3, 0), eperm);
  });

  it("T-R06: TIOCSTI and TIOCLINUX are refused, also with bits above the low 32 (CVE-2019-10063)", () => {
    for (const abi of ["x86_64", "i386", "aarch64"] as const) {
      const program = abi === "aarch64" ? arm64 : x64;
      for (const request of [0x5412, 0x541c]) {
        assert.equal(verdict(program, abi, "ioctl", 0, request), eperm);
        assert.equal(verdict(program, abi, "ioctl", 0, 0x100000000n + BigInt(request)), eperm);
        assert.equal(verdict(program, abi, "ioctl", 0, 0xffffffff00000000n + BigInt(request)), eperm);
      }
      assert.equal(verdict(program, abi, "ioctl", 0, 0x5413), "allow");
    }
  });

  it("sockets: unix, IPv4, IPv6 and netlink; vsock, alg, packet and the rest are not there", () => {
    for (const abi of ["x86_64", "i386"] as const) {
      for (const family of [1, 2, 10, 16]) assert.equal(verdict(x64, abi, "socket", family, 1, 0), "allow");
      for (const family of [40, 38, 17, 29, 31, 44]) {
        assert.equal(verdict(x64, abi, "socket", family, 1, 0), "errno 97", `${family}`);
        assert.equal(verdict(x64, abi, "socket", 0x100000000n + BigInt(family), 1, 0), "errno 97");
      }
      assert.equal(verdict(x64, abi, "socket", 16, 3, 9), "errno 93");
    }
    assert.equal(verdict(x64, "i386", "socketcall", 1), enosys);
    const raw = compileSeccomp(defaultPolicy([...ordinary, "CAP_NET_RAW", "CAP_AUDIT_WRITE"]), "x64");
    assert.equal(verdict(raw, "x86_64", "socket", 17, 3, 0), "allow");
    assert.equal(verdict(raw, "x86_64", "socket", 16, 3, 9), "allow");
    assert.equal(verdict(raw, "x86_64", "socket", 40, 1, 0), "errno 97");
  });

  it("personality: the plain ones and the question, not the one without address randomisation", () => {
    for (const persona of [0, 8, 0x20000, 0x20008, 0xffffffff]) {
      assert.equal(verdict(x64, "x86_64", "personality", persona), "allow");
    }
    for (const persona of [0x40000, 0x400000, 1]) assert.equal(verdict(x64, "x86_64", "personality", persona), eperm);
  });

  it("known-dangerous calls are EPERM (T-R08, T-R58, security 4.2)", () => {
    const names =
      "mount umount2 pivot_root bpf keyctl add_key request_key kcmp ptrace process_vm_readv userfaultfd io_uring_setup";
    for (const name of names.split(" ")) assert.equal(verdict(x64, "x86_64", name), eperm, name);
  });

  it("what C libraries look for newer ways with is ENOSYS", () => {
    for (const name of ["statmount", "open_tree_attr", "file_getattr"])
      assert.equal(verdict(x64, "x86_64", name), enosys);
  });

  it("a capability opens its calls and no others", () => {
    const cases: readonly (readonly [string, string])[] = [
      ["CAP_SYS_PTRACE", "ptrace"],
      ["CAP_SYS_ADMIN", "mount"],
      ["CAP_SYS_TIME", "clock_settime"],
      ["CAP_SYS_MODULE", "init_module"],
      ["CAP_SYS_BOOT", "reboot"],
      ["CAP_SYSLOG", "syslog"],
      ["CAP_BPF", "bpf"],
      ["CAP_DAC_READ_SEARCH", "open_by_handle_at"],
    ];
    for (const [capability, name] of cases) {
      const program = compileSeccomp(defaultPolicy([capability]), "x64");
      for (const [, other] of cases) {
        const isBpfOfAdmin = capability === "CAP_SYS_ADMIN" && other === "bpf";
        assert.equal(verdict(program, "x86_64", other), other === name || isBpfOfAdmin ? "allow" : eperm);
      }
    }
    assert.equal(verdict(compileSeccomp(defaultPolicy([]), "x64"), "x86_64", "chroot"), eperm);
    assert.equal(verdict(x64, "x86_64", "chroot"), "allow");
    const admin = compileSeccomp(defaultPolicy(["CAP_SYS_ADMIN"]), "x64");
    assert.equal(verdict(admin, "x86_64", "clone", 0x10000000), "allow");
    assert.equal(verdict(admin, "x86_64", "clone3"), "allow");
  });

  it("has a number for every word of the policy on some architecture, and tells its reach", () => {
    assert.match(seccompReach(defaultPolicy(ordinary)), /^\d+ of 381 allowed, 4 with conditions, the others fail$/);
  });
});

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

  it("without no_new_privs the calls that drop privileges stay open, because the filter comes before them", () => {
    const program = filterOf({ mode: "retain", set: ["read"] }, { capabilities: ordinary, noNewPrivileges: false });
    for (const name of ["setresuid", "setgroups", "capset", "openat2", "fchdir"]) {
      assert.equal(verdict(program, "x86_64", name), "allow");
    }
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
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSeccompFlag(text), fails("USAGE")));
  }
});
