import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jsonText, prettyJson } from "../../src/cli/json.ts";

const hostile = '\u202e\u009b\u2028 \n\t"\\';

describe("prettyJson", () => {
  const values: readonly (readonly [why: string, value: unknown])[] = [
    ["nothing", undefined],
    ["null", null],
    ["a text with line ends", "a\nb"],
    ["a number", 7],
    ["an empty list", []],
    ["an empty object", {}],
    ["a list in lists", [[], [1, [2]], [{}], [undefined], undefined, null]],
    ["objects in a list", [{ a: 1, b: { c: [1, 2], d: {} } }, { "a\nb": "c\nd" }]],
    ["lists in an object", { a: [], b: [{ c: [1] }, "x"], d: { e: [1, { f: 2 }] }, g: "h\ni" }],
    ["members that are not there", { a: undefined, b: 1, c: () => 1, d: [], e: undefined }],
    ["no member that is there", { a: undefined, b: () => 1 }],
    ["times", { at: new Date(0), list: [new Date(1)] }],
    ["a time alone", new Date(2)],
    ["what says itself what it is", { toJSON: () => ({ a: [1] }), b: 2 }],
    ["keys that are numbers or special", { 2: "b", 1: "a", __proto__x: 1, ["__proto__"]: [1] }],
  ];
  for (const [why, value] of values) {
    it(`is the text of JSON.stringify: ${why}`, () => {
      assert.equal([...prettyJson(value)].join(""), JSON.stringify(value, undefined, 2) ?? "null");
    });
  }

  it("escapes what would repaint a terminal, in names, texts and lists", () => {
    for (const value of [hostile, { [hostile]: hostile }, [hostile], { list: [{ [hostile]: hostile }] }]) {
      const text = [...prettyJson(value)].join("");
      assert.doesNotMatch(text, /[\u007f-\u009f\u2028\u202e]/);
      assert.deepEqual(JSON.parse(text), value);
    }
  });

  it("gives the items of lists one by one", () => {
    const items = Array.from({ length: 1000 }, (_, index) => ({ index, name: "x".repeat(100) }));
    for (const value of [items, { items }]) {
      const pieces = [...prettyJson(value)];
      assert.ok(Math.max(...pieces.map((piece) => piece.length)) < 300);
      assert.ok(pieces.length > items.length);
    }
  });
});

describe("jsonText", () => {
  it("is one line, and harmless", () => {
    const text = jsonText({ a: [hostile] });
    assert.doesNotMatch(text, /[\u007f-\u009f\u2028\u202e\n]/);
    assert.deepEqual(JSON.parse(text), { a: [hostile] });
    assert.equal(jsonText(undefined), "null");
  });
});
