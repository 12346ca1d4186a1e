import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultPolicy } from "../../src/pod/default-policy.ts";
import { compileSeccomp } from "../../src/pod/seccomp.ts";
import { syscallNumbers } from "../../src/pod/syscalls.ts";
import { auditArch, isSound, runSeccomp, verdictOf } from "../helpers/bpf.ts";
import { arm64, enosys, eperm, ordinary, verdict, writer, x64 } from "../helpers/filters.ts";

const holding = (...capabilities: readonly string[]) => ({ capabilities, writesHost: false });

describe("the default filter", () => {
  it("T-R58: blocks at least 80 of the x86-64 calls 0 to 469 whatever their arguments are", () => {
    const tries = [[], [0xffffffffn, 0xffffffffn, 0xffffffffn]];
    const blocked = [...syscallNumbers("x86_64").values()].filter((number) =>
      tries.every(
        (values) => verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number, arguments: values })) !== "allow",
      ),
    );
    assert.ok(blocked.length >= 80, `${blocked.length}`);
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
    const raw = compileSeccomp(defaultPolicy(holding(...ordinary, "CAP_NET_RAW", "CAP_AUDIT_WRITE")), "x64");
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
      const program = compileSeccomp(defaultPolicy(holding(capability)), "x64");
      for (const [, other] of cases) {
        const isBpfOfAdmin = capability === "CAP_SYS_ADMIN" && other === "bpf";
        assert.equal(verdict(program, "x86_64", other), other === name || isBpfOfAdmin ? "allow" : eperm);
      }
    }
    assert.equal(verdict(compileSeccomp(defaultPolicy(holding()), "x64"), "x86_64", "chroot"), eperm);
    assert.equal(verdict(x64, "x86_64", "chroot"), "allow");
    const admin = compileSeccomp(defaultPolicy(holding("CAP_SYS_ADMIN")), "x64");
    assert.equal(verdict(admin, "x86_64", "clone", 0x10000000), "allow");
    assert.equal(verdict(admin, "x86_64", "clone3"), "allow");
  });
});

describe("the default filter of a pod that writes to files of the host (T-R51)", () => {
  const [filter, filterOfArm] = [
    compileSeccomp(defaultPolicy(writer), "x64"),
    compileSeccomp(defaultPolicy(writer), "arm64"),
  ];
  const create = 0o100;
  const temporary = 0o20200000;
  const programs = [
    ["x86_64", filter],
    ["i386", filter],
    ["aarch64", filterOfArm],
  ] as const;
  /** Each call that gives a file its mode, with the arguments before the mode. */
  const calls: readonly (readonly [name: string, before: readonly number[]])[] = [
    ["chmod", [0]],
    ["fchmod", [3]],
    ["creat", [0]],
    ["mknod", [0]],
    ["fchmodat", [3, 0]],
    ["mknodat", [3, 0]],
    ["open", [0, create]],
    ["open", [0, temporary]],
    ["openat", [3, 0, create]],
    ["openat", [3, 0, temporary]],
  ];

  it("is sound, and not half as long again", () => {
    for (const [longer, plain] of [
      [filter, x64],
      [filterOfArm, arm64],
    ] as const) {
      assert.ok(isSound(longer));
      assert.ok(longer.length < 1.5 * plain.length, `${longer.length / 8} after ${plain.length / 8}`);
    }
  });

  it("refuses S_ISUID and S_ISGID wherever a mode is given, also with bits above the low 16", () => {
    for (const [abi, program] of programs) {
      for (const [name, before] of calls.filter(([name]) => syscallNumbers(abi).has(name))) {
        for (const mode of [0o4755, 0o2755, 0o6777, 0o104000, 0o2000]) {
          assert.equal(verdict(program, abi, name, ...before, mode), eperm, `${abi} ${name} ${mode.toString(8)}`);
          assert.equal(verdict(program, abi, name, ...before, 0xffff_0000_0000n + BigInt(mode)), eperm);
        }
        for (const mode of [0, 0o755, 0o1777, 0o100644]) {
          assert.equal(verdict(program, abi, name, ...before, mode), "allow", `${abi} ${name} ${mode.toString(8)}`);
        }
      }
      assert.equal(verdict(program, abi, "openat2"), enosys);
      assert.equal(verdict(program, abi, "fchmodat2"), enosys);
    }
  });

  it("does not look at the mode of an open that makes nothing: it is whatever the register held", () => {
    for (const flags of [0, 1, 2, 0o2000000, 0o200000]) {
      assert.equal(verdict(filter, "x86_64", "open", 0, flags, 0o7777), "allow");
      assert.equal(verdict(filterOfArm, "aarch64", "openat", 3, 0, flags, 0o7777), "allow");
    }
  });

  it("leaves mkdir alone, whose set-group-ID the kernel drops, and all else as by default", () => {
    const own = new Set([...calls.map(([name]) => name), "openat2", "fchmodat2"]);
    for (const [abi, program] of programs) {
      const plain = abi === "aarch64" ? arm64 : x64;
      for (const name of [...syscallNumbers(abi).keys()].filter((name) => !own.has(name))) {
        for (const values of [[], [0xffff, 0xffff, 0xffff, 0xffff]]) {
          assert.equal(verdict(program, abi, name, ...values), verdict(plain, abi, name, ...values), `${abi} ${name}`);
        }
      }
    }
  });
});
