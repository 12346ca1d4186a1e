import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  absentCalls,
  allowedCalls,
  conditionalCalls,
  deniedCalls,
  gatedCalls,
  obsoleteCalls,
  systemdSets,
} from "../../src/pod/syscall-sets.ts";
import { isSyscall, syscallNumbers } from "../../src/pod/syscalls.ts";

const gated = [...new Set(gatedCalls.flatMap(([, calls]) => calls))];
const groups = [allowedCalls, conditionalCalls, gated, absentCalls, deniedCalls, obsoleteCalls];

describe("syscall sets", () => {
  it("T-R58: decide about every call of our tables exactly once", () => {
    const decided = groups.flat();
    assert.deepEqual(decided.toSorted(), [...new Set(decided)].toSorted());
    const known = (["x86_64", "i386", "aarch64"] as const).flatMap((abi) => [...syscallNumbers(abi).keys()]);
    assert.deepEqual(decided.toSorted(), [...new Set(known)].toSorted());
  });

  it("name only calls that exist", () => {
    const named = [...groups.flat(), ...[...systemdSets.values()].flat()];
    assert.deepEqual(
      named.filter((name) => !isSyscall(name)),
      [],
    );
  });
});
