import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksumOf, isHeader, isZeroBlock, nameOf, numberOf, putOctal } from "../../src/tar/header.ts";
import { fails } from "../helpers/failures.ts";
import { memberBytes, type RawMember, type Text } from "../helpers/tar-bytes.ts";

const block = (member: RawMember): Buffer => memberBytes(member).subarray(0, 512);

describe("isHeader (N27, N28, Z05)", () => {
  it("knows the three forms", () => {
    for (const magic of ["ustar", "gnu", "old"] as const) assert.ok(isHeader(block({ name: "a", magic })), magic);
  });
  it("refuses a wrong checksum, and a flipped bit", () => {
    assert.ok(!isHeader(block({ name: "a", checksum: "wrong" })));
    const flipped = block({ name: "a" });
    flipped[500] = 1;
    assert.ok(!isHeader(flipped));
  });
  it("refuses another magic", () => assert.ok(!isHeader(block({ name: "a", raw: { magic: "tsuar\u000000" } }))));
  it("does not take zeros for one", () => {
    assert.ok(isZeroBlock(Buffer.alloc(512)));
    assert.ok(!isHeader(Buffer.alloc(512)));
  });
});

describe("numberOf (N01…N10)", () => {
  const size = (text: Text, blank?: number) => numberOf(block({ raw: { size: text } }), "size", blank);
  for (const [why, text, value] of [
    ["octal", "00000000017\0", 15],
    ["octal with blanks", "   17       ", 15],
    ["octal without an end", "777777777777", 8 ** 12 - 1],
    ["base-256", { hex: "800000000000000000000100" }, 256n],
    ["base-256, negative", { hex: "ffffffffffffffffffffffff" }, -1n],
    ["a mark that is none", { hex: "900000000000000000000100" }, undefined],
    ["digits of another base", "00000000018\0", undefined],
    ["two numbers", "0000 000017\0", undefined],
    ["a sign", "-0000000017\0", undefined],
    ["nothing", "\0".repeat(12), undefined],
  ] as const) {
    it(`${why} is ${String(value)}`, () => assert.equal(size(text), value));
  }
  it("takes a blank field for what the caller says", () => assert.equal(size("\0".repeat(12), 0), 0));
});

describe("nameOf", () => {
  it("joins the prefix of ustar", () => assert.equal(String(nameOf(block({ name: "b", prefix: "a" }))), "a/b"));
  it("leaves GNU's times alone", () => {
    assert.equal(String(nameOf(block({ name: "b", prefix: "14000000000", magic: "gnu" }))), "b");
  });
  it("takes all of a field that has no NUL", () => {
    assert.equal(nameOf(block({ name: "n".repeat(100) })).length, 100);
  });
});

describe("putOctal", () => {
  it("fills the field, and what it wrote is read back", () => {
    const bytes = Buffer.alloc(512);
    putOctal(bytes, "size", 8 ** 11 - 1);
    assert.equal(numberOf(bytes, "size"), 8 ** 11 - 1);
    assert.equal(checksumOf(bytes), 8 * 0x20 + 11 * "7".charCodeAt(0));
  });
  it("does not cut", () => {
    assert.throws(() => putOctal(Buffer.alloc(512), "uid", 8 ** 7), fails("INTERNAL"));
    assert.throws(() => putOctal(Buffer.alloc(512), "uid", -1), fails("INTERNAL"));
  });
});
