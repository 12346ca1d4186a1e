import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assemble, type Span } from "../../src/pod/bpf.ts";
import { isSound, runSeccomp, verdictOf } from "../helpers/bpf.ts";
import { fails } from "../helpers/failures.ts";

const alternating = (count: number): readonly Span[] =>
  Array.from({ length: count }, (_, number) => ({ from: number, action: { errno: (number % 100) + 1 } }));

describe("assemble", () => {
  it("a span holds from its first number to the one before the next", () => {
    const program = assemble([
      {
        auditArch: 7,
        spans: [
          { from: 0, action: "allow" },
          { from: 10, action: "kill" },
          { from: 20, action: { errno: 5 } },
        ],
      },
    ]);
    const at = (number: number) => verdictOf(runSeccomp(program, { arch: 7, number }));
    assert.deepEqual([0, 9, 10, 19, 20, 0xffffffff].map(at), ["allow", "allow", "kill", "kill", "errno 5", "errno 5"]);
    assert.equal(verdictOf(runSeccomp(program, { arch: 8, number: 0 })), "kill");
  });

  it("jumps over halves that are longer than a conditional jump reaches", () => {
    const program = assemble([
      { auditArch: 1, spans: alternating(900) },
      { auditArch: 2, spans: alternating(900) },
    ]);
    assert.ok(isSound(program));
    for (const arch of [1, 2]) {
      for (let number = 0; number < 1000; number += 1) {
        const expected = (Math.min(number, 899) % 100) + 1;
        assert.equal(verdictOf(runSeccomp(program, { arch, number })), `errno ${expected}`);
      }
    }
  });

  it("all conditions of a rule must hold, and the first rule that holds decides", () => {
    const program = assemble([
      {
        auditArch: 1,
        spans: [
          {
            from: 0,
            action: {
              rules: [
                {
                  when: [
                    { argument: 0, mask: 0xffffffff, equals: 1 },
                    { argument: 5, mask: 0xff, equals: 2 },
                  ],
                  action: { errno: 11 },
                },
                { when: [{ argument: 0, mask: 0xffffffff, equals: 1 }], action: { errno: 12 } },
              ],
              otherwise: "allow",
            },
          },
        ],
      },
    ]);
    const at = (first: bigint, last: bigint) =>
      verdictOf(runSeccomp(program, { arch: 1, number: 3, arguments: [first, 0n, 0n, 0n, 0n, last] }));
    assert.deepEqual([at(1n, 0x1202n), at(1n, 3n), at(2n, 2n)], ["errno 11", "errno 12", "allow"]);
  });

  it("refuses a program that the kernel would refuse", () => {
    assert.throws(() => assemble([{ auditArch: 1, spans: alternating(3000) }]), fails("LIMIT_EXCEEDED", /4096/));
  });
});
