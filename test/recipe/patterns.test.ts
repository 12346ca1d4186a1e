import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileGlob, compileIgnore, isGlob } from "../../src/recipe/patterns.ts";
import { fails } from "../helpers/failures.ts";

describe("globs (RECIPE-12)", () => {
  for (const [pattern, fitting, others] of [
    ["*.txt", ["a.txt", ".txt", ".hidden.txt"], ["a.txt.gz", "b/a.txt", "txt"]],
    ["a/*/c", ["a/b/c"], ["a/c", "a/b/b/c"]],
    ["a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["c", "a/b", "b/a/c"]],
    ["**", ["a", "a/b"], []],
    ["**/*.js", ["x.js", "a/b/x.js"], ["x.ts"]],
    ["?b", ["ab"], ["b", "aab"]],
    ["[a-c]x", ["ax", "cx"], ["dx"]],
    ["[!a-c]x", ["dx"], ["ax"]],
    ["\\*", ["*"], ["a"]],
    ["a*b*c", ["abc", "aXbYc", "abbc"], ["ab", "acb"]],
  ] as const) {
    it(pattern, () => {
      const matches = compileGlob(pattern);
      assert.deepEqual([...fitting, ...others].filter(matches), [...fitting]);
    });
  }
  it("an open bracket is refused", () => assert.throws(() => compileGlob("a[b"), fails("RECIPE_INVALID", /RECIPE-12/)));
  it("a pattern made to take for ever does not", () => {
    const matches = compileGlob(`${"*a".repeat(40)}b`);
    const deep = compileGlob(`${"**/a/".repeat(40)}b`);
    assert.ok(!matches("a".repeat(4000)) && !deep(`${"a/".repeat(400)}c`));
  });
  it("tells a pattern from a path", () => {
    assert.deepEqual(["a", "a*", "a?", "a[b]", "a.b"].map(isGlob), [false, true, true, true, false]);
  });
});

describe("the ignore file (RECIPE-13)", () => {
  const rules = compileIgnore(
    "# comment\n\n*.log\n/build\nnode_modules/\ndocs/*.md\n!docs/keep.md\r\n!important.log\n",
  );
  for (const [path, isDirectory, expected] of [
    ["a.log", false, true],
    ["deep/a.log", false, true],
    ["important.log", false, false],
    ["build", true, true],
    ["sub/build", true, false],
    ["node_modules", true, true],
    ["sub/node_modules", true, true],
    ["node_modules", false, false],
    ["docs/a.md", false, true],
    ["docs/keep.md", false, false],
    ["sub/docs/a.md", false, false],
    ["# comment", false, false],
  ] as const) {
    it(`${path}${isDirectory ? "/" : ""} is ${expected ? "left out" : "taken"}`, () => {
      assert.equal(rules(path, isDirectory), expected);
    });
  }
});
