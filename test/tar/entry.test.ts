import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pathKey, showPath } from "../../src/tar/entry.ts";

describe("pathKey (P16)", () => {
  it("differs when bytes differ that no text tells apart", () => {
    assert.notEqual(pathKey(Buffer.from([0xff])), pathKey(Buffer.from([0xfe])));
    assert.equal(pathKey(Buffer.from("a/é")), pathKey(Buffer.from("a/é")));
  });
  it("is not fooled by a view into a larger buffer", () => {
    assert.equal(pathKey(Buffer.from("xabx").subarray(1, 3)), "ab");
  });
});

describe("showPath (P15, P16, T-R47)", () => {
  for (const [bytes, shown] of [
    [Buffer.from("a/é"), "a/é"],
    [Buffer.from("a\u001b[2J\n"), "a\\x1b[2J\\x0a"],
    [Buffer.from([0x61, 0xff, 0x1b]), "a\\xff\\x1b"],
  ] as const) {
    it(`shows ${shown}`, () => assert.equal(showPath(bytes), shown));
  }
});
