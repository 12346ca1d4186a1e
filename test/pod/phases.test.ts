import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { canMove, type Phase, phaseOrder, stateOf } from "../../src/pod/phases.ts";

describe("stateOf: phase and lock are the state", () => {
  const table: readonly (readonly [string, Phase, string, string])[] = [
    ["LIFE-1", "embryo", "embryo", "embryo"],
    ["LIFE-2", "prepare", "preparing", "aborted prepare"],
    ["LIFE-3", "prepared", "prepared", "prepared"],
    ["LIFE-4", "run", "running", "exited"],
    ["LIFE-5", "exited-garbage", "deleting", "exited garbage"],
    ["LIFE-6", "garbage", "deleting", "garbage"],
  ];
  for (const [rule, phase, locked, free] of table) {
    it(`${rule}: ${phase} is ${locked} when held, ${free} when not`, () => {
      assert.equal(stateOf(phase, true), locked);
      assert.equal(stateOf(phase, false), free);
    });
  }
});

describe("canMove (LIFE-10)", () => {
  const allowed = new Set([
    "embryo>prepare",
    "prepare>prepared",
    "prepare>run",
    "prepared>run",
    "run>exited-garbage",
    "embryo>garbage",
    "prepare>garbage",
    "prepared>garbage",
  ]);
  for (const from of phaseOrder) {
    for (const to of phaseOrder) {
      const move = `${from}>${to}`;
      it(`${move} is ${allowed.has(move) ? "a move" : "none"}`, () =>
        assert.equal(canMove(from, to), allowed.has(move)));
    }
  }
});
