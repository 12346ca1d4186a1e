import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { closest, editDistance } from "../../src/base/suggest.ts";

describe("editDistance", () => {
  for (const [from, to, expected] of [
    ["", "", 0],
    ["abc", "", 3],
    ["list", "list", 0],
    ["lst", "list", 1],
    ["vesrion", "version", 1],
    ["kitten", "sitting", 3],
  ] as const) {
    it(`${from} → ${to}: ${expected}`, () => assert.equal(editDistance(from, to), expected));
  }
});

describe("closest", () => {
  const names = ["list", "image", "build", "publish"];
  it("prefers the only name that begins with the word", () => assert.equal(closest("im", names), "image"));
  it("finds a slip", () => assert.equal(closest("biuld", names), "build"));
  it("does not guess from one letter, nor from something else", () => {
    assert.equal(closest("x", names), undefined);
    assert.equal(closest("destroy", names), undefined);
  });
});
