import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSelection, selectionWords } from "../../src/net/selection.ts";
import { fails } from "../helpers/failures.ts";

describe("parseSelection (NET-10)", () => {
  for (const word of ["none", "host", "all"]) {
    it(`${word} stands alone`, () => {
      assert.deepEqual(parseSelection([word]), { kind: word });
      for (const texts of [[word, "lan"], [`${word},lan`], [`${word}:IP=1.2.3.4`]]) {
        assert.throws(() => parseSelection(texts), fails("USAGE", /stands alone/));
      }
    });
  }
  it("names with arguments, by commas or by saying --net again", () => {
    const expected = {
      kind: "own",
      networks: [
        { name: "default", args: [] },
        {
          name: "lan",
          args: [
            ["IP", "10.1.2.3"],
            ["K", "V:1"],
          ],
        },
      ],
    };
    assert.deepEqual(parseSelection(["default,lan:IP=10.1.2.3;K=V:1"]), expected);
    assert.deepEqual(parseSelection(["default", "lan:IP=10.1.2.3;K=V:1"]), expected);
    assert.equal(selectionWords(parseSelection(["default", "lan:IP=10.1.2.3"])), "default,lan");
    assert.equal(selectionWords({ kind: "host" }), "host");
  });
  for (const texts of [
    [""],
    ["a,,b"],
    ["a,a"],
    ["a", "a:K=V"],
    ["a:"],
    ["a:K"],
    ["a:=V"],
    ["a:K=x y"],
    [Array.from({ length: 17 }, (_, n) => `n${n}`).join(",")],
  ]) {
    it(`refuses ${JSON.stringify(texts).slice(0, 40)}`, () =>
      assert.throws(() => parseSelection(texts), fails("USAGE")));
  }
});
