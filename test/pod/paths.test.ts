import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cleanPath, componentsOf, isAtOrBelow } from "../../src/pod/paths.ts";

describe("paths", () => {
  it("are compared by components (T-R56)", () => {
    assert.deepEqual(componentsOf("//a/./b/../"), ["a", "b", ".."]);
    assert.equal(cleanPath("//a/./b/"), "/a/b");
    assert.deepEqual(
      [isAtOrBelow("/a", "/a/"), isAtOrBelow("/a/b", "/a"), isAtOrBelow("/ab", "/a"), isAtOrBelow("/a", "/a/b")],
      [true, true, false, false],
    );
  });
});
