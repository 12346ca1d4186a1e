import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTable, humanAge, wrap } from "../../src/cli/tables.ts";

describe("formatTable", () => {
  it("aligns columns with two spaces and leaves no space at line ends", () => {
    assert.deepEqual(
      formatTable(
        ["ID", "NAME"],
        [
          ["1", "short"],
          ["1234", ""],
        ],
      ),
      ["ID    NAME", "1     short", "1234"],
    );
  });
  it("leaves the header out", () => assert.deepEqual(formatTable(["LONG HEADER"], [["a"]], { legend: false }), ["a"]));
  it("counts characters, not UTF-16 units", () => {
    assert.deepEqual(formatTable(["A", "B"], [["𝔸", "x"]]), ["A  B", "𝔸  x"]);
  });
  it("without rows is the header", () => assert.deepEqual(formatTable(["A", "B"], []), ["A  B"]));
});

describe("humanAge", () => {
  const now = new Date("2026-01-31T12:00:00Z");
  for (const [then, text] of [
    ["2026-01-31T12:00:00Z", "just now"],
    ["2026-01-31T12:00:09Z", "just now"],
    ["2026-01-31T11:59:59Z", "1 second ago"],
    ["2026-01-31T11:58:00Z", "2 minutes ago"],
    ["2026-01-30T12:00:00Z", "1 day ago"],
    ["2025-12-31T12:00:00Z", "1 month ago"],
    ["2020-01-01T00:00:00Z", "6 years ago"],
  ] as const) {
    it(`${then}: ${text}`, () => assert.equal(humanAge(new Date(then), now), text));
  }
});

describe("wrap", () => {
  it("breaks between words", () => assert.deepEqual(wrap("one two three", 7), ["one two", "three"]));
  it("does not break a long word", () => assert.deepEqual(wrap("a abcdefgh b", 4), ["a", "abcdefgh", "b"]));
  it("keeps paragraphs", () => assert.deepEqual(wrap("a\nb", 10), ["a", "b"]));
});
