import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandLines } from "../../src/recipe/acbuild-words.ts";
import { fails } from "../helpers/failures.ts";

const words = (text: string) => commandLines(text, "s").map((line) => line.map((word) => word.text));

describe("commandLines", () => {
  const cases: readonly (readonly [string, string, readonly (readonly string[])[]])[] = [
    [
      "ACB-1: one command a line, blank lines apart",
      "begin\n\n  set-name  a\t\r\nend",
      [["begin"], ["set-name", "a"], ["end"]],
    ],
    ["ACB-1: a first line that names the interpreter", "#!/usr/bin/env acbuild-script\nbegin", [["begin"]]],
    ["ACB-1: comments, but not inside of words", "run a#b # c 'd\n# e\nend", [["run", "a#b"], ["end"]]],
    ["ACB-1: a line that goes on", "run a \\\n  b\\\nc \\\r\n d", [["run", "a", "bc", "d"]]],
    ["ACB-2: single quotes mean every letter", "run 'a \\ \" $x\nb'", [["run", 'a \\ " $x\nb']]],
    ["ACB-2: double quotes, with escapes", 'run "a \\" \\\\ \\$x \\n # b"', [["run", 'a " \\ $x \\n # b']]],
    ["ACB-2: pieces join, empty words stay", "run a'b'\"c\"d '' \"\"", [["run", "abcd", "", ""]]],
    ["ACB-2: a backslash means the next letter", 'run a\\ b \\# \\"', [["run", "a b", "#", '"']]],
    ["ACB-2: nothing is substituted", "run $HOME `x` *.c ~", [["run", "$HOME", "`x`", "*.c", "~"]]],
  ];
  for (const [why, text, expected] of cases) it(why, () => assert.deepEqual(words(text), expected));

  it("knows where each word stands", () => {
    const [, second] = commandLines("begin # é\n é 'x\ny' z", "file");
    assert.deepEqual(
      second?.map(({ place }) => [place.file, place.line, place.column]),
      [
        ["file", 2, 2],
        ["file", 2, 4],
        ["file", 3, 4],
      ],
    );
  });
  it("refuses what is not ended, with its place", () => {
    for (const [text, place] of [
      ["run 'a", "s:1:5"],
      ['\n run "a\\"', "s:2:6"],
      ["run a\\", "s:1:6"],
      ["run \0", "s:1:5"],
    ] as const) {
      assert.throws(() => words(text), fails("RECIPE_INVALID", new RegExp(`^${place}: ACB-2:`)), text);
    }
  });
});
