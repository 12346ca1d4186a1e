import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isUnderPrefix, sanitiseName } from "../../src/schema/names.ts";

describe("sanitiseName (TYPE-3)", () => {
  for (const [text, name] of [
    ["nginx", "nginx"],
    ["Reduce Worker", "reduce-worker"],
    ["a..b//c", "a-b-c"],
    ["-a-", "a"],
    ["été", "t"],
    ["...", undefined],
    ["", undefined],
    ["a".repeat(600), undefined],
  ] as const) {
    it(`${JSON.stringify(text.slice(0, 20))} becomes ${name}`, () => assert.equal(sanitiseName(text), name));
  }
});

describe("isUnderPrefix (T-S15: by whole components)", () => {
  for (const [name, prefix, isUnder] of [
    ["example.com/a", "example.com/a", true],
    ["example.com/a/b", "example.com/a", true],
    ["example.com/ab", "example.com/a", false],
    ["example.com", "example.com/a", false],
    ["example.community/a", "example.com", false],
    ["other.com/example.com", "example.com", false],
  ] as const) {
    it(`${name} ${isUnder ? "is" : "is not"} under ${prefix}`, () =>
      assert.equal(isUnderPrefix(name, prefix), isUnder));
  }
});
