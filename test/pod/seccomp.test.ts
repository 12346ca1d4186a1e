import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultPolicy } from "../../src/pod/default-policy.ts";
import { seccompReach } from "../../src/pod/seccomp.ts";
import { syscallNumbers } from "../../src/pod/syscalls.ts";
import { auditArch, isSound, runSeccomp, verdictOf } from "../helpers/bpf.ts";
import { arm64, confined, enosys, writer, x64 } from "../helpers/filters.ts";

describe("compileSeccomp", () => {
  it("is sound and short for each architecture", () => {
    for (const program of [x64, arm64]) assert.ok(isSound(program));
  });

  it("T-R58: all numbers 0 to 600 of all three ABIs get the verdict of the policy; unknown ones ENOSYS", () => {
    const policy = defaultPolicy(confined);
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

  it("T-R58: x32 and foreign architectures are killed, −1 as a tracer leaves it is not", () => {
    for (const number of [0x40000000, 0x40000001, 0x40000000 + 520, 0x7fffffff, 0xfffffffe]) {
      assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number })), "kill");
    }
    assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.x86_64, number: 0xffffffff })), enosys);
    assert.equal(verdictOf(runSeccomp(x64, { arch: auditArch.aarch64, number: 64 })), "kill");
    assert.equal(verdictOf(runSeccomp(arm64, { arch: auditArch.arm, number: 4 })), "kill");
    assert.equal(verdictOf(runSeccomp(arm64, { arch: auditArch.x86_64, number: 1 })), "kill");
  });
});

describe("seccompReach", () => {
  it("has a number for every word of the policy on some architecture, and tells its reach", () => {
    assert.match(seccompReach(defaultPolicy(confined)), /^\d+ of 381 allowed, 4 with conditions, the others fail$/);
    assert.match(seccompReach(defaultPolicy(writer)), /, 12 with conditions, /);
  });
});
