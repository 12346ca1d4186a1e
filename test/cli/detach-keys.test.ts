import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultDetachKeys, parseDetachKeys } from "../../src/cli/detach-keys.ts";
import { fails } from "../helpers/failures.ts";

describe("--detach-keys (CLI-88)", () => {
  const good: readonly (readonly [string, readonly number[]])[] = [
    [defaultDetachKeys, [0x10, 0x11]],
    ["", []],
    ["a,Z", [0x61, 0x5a]],
    ["ctrl-a,ctrl-z", [1, 26]],
    ["ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [0, 27, 28, 29, 30, 31]],
  ];
  for (const [text, keys] of good) {
    it(`are bytes: ${JSON.stringify(text)}`, () => assert.deepEqual([...parseDetachKeys(text)], keys));
  }
  for (const text of ["ctrl-", "ctrl-A", "ctrl-ab", "ab", ",", "a,", "1", "ctrl-p ctrl-q", "\u0010"]) {
    it(`are nothing else: ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseDetachKeys(text), fails("USAGE", /--detach-keys/)));
  }
  it("are 16 at most", () => {
    assert.equal(parseDetachKeys(Array(16).fill("a").join(",")).length, 16);
    assert.throws(() => parseDetachKeys(Array(17).fill("a").join(",")), fails("USAGE"));
  });
});
