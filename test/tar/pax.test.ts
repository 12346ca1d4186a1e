import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodePaxRecord, parsePax, paxNumber, paxTime } from "../../src/tar/pax.ts";
import { fails } from "../helpers/failures.ts";

const parse = (text: string) => [...parsePax(Buffer.from(text, "latin1"))].map(([key, value]) => [key, String(value)]);

describe("parsePax (P11, N17…N21)", () => {
  it("reads records in order, with = and newlines in values", () => {
    assert.deepEqual(parse("7 a=b\n\n12 path=x=y\n"), [
      ["a", "b\n"],
      ["path", "x=y"],
    ]);
  });
  it("nothing is no record", () => assert.deepEqual(parse(""), []));
  for (const [why, text] of [
    ["a length that is too long", "13 path=abc\n"],
    ["a length that is too short", "11 path=abc\n"],
    ["a length that ends before its key", "2 path=abc\n"],
    ["a length with a sign", "+12 path=abc\n"],
    ["a length with a zero in front", "012 path=abc\n"],
    ["no length", " path=abc\n"],
    ["no blank", "12"],
    ["no key", "5 =b\n"],
    ["no equals sign", "8 pathx\n"],
    ["the equals sign of the next record", "7 path\n9 a=bcd\n"],
    ["a key twice", "6 a=b\n6 a=c\n"],
    ["a NUL in a text", "8 a=b\0c\n"],
    ["a NUL in a key", "8 a\0b=c\n"],
    ["a key that is no UTF-8", "7 \xff=bc\n"],
  ] as const) {
    it(`refuses ${why}`, () => assert.throws(() => parse(text), fails("ARCHIVE_INVALID")));
  }
  it("X03: attributes may hold any byte", () => {
    const record = encodePaxRecord("SCHILY.xattr.user.a", Buffer.from([0, 10, 61, 255]));
    assert.deepEqual(parsePax(record).get("SCHILY.xattr.user.a"), Buffer.from([0, 10, 61, 255]));
  });
});

describe("encodePaxRecord", () => {
  it("counts the digits of its own length", () => {
    for (let length = 0; length < 1100; length++) {
      const record = encodePaxRecord("k", Buffer.alloc(length, "v"));
      assert.equal(Number.parseInt(String(record), 10), record.length);
      assert.equal(parsePax(record).get("k")?.length, length);
    }
  });
});

describe("paxNumber (N05, N07)", () => {
  for (const [text, value] of [
    ["0", 0n],
    ["18446744073709551615", 18446744073709551615n],
    ["-1", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    [" 1", undefined],
    ["", undefined],
  ] as const) {
    it(`${JSON.stringify(text)} is ${value}`, () => assert.equal(paxNumber(Buffer.from(text)), value));
  }
});

describe("paxTime (N11…N13)", () => {
  for (const [text, seconds, nanoseconds] of [
    ["0", 0n, 0],
    ["1350244992.023960108", 1350244992n, 23960108],
    ["1.5", 1n, 500_000_000],
    ["1.1234567899", 1n, 123456789],
    ["1.", 1n, 0],
    ["-1", -1n, 0],
    ["-1.5", -2n, 500_000_000],
    ["-0.25", -1n, 750_000_000],
  ] as const) {
    it(`${text} is ${seconds} s and ${nanoseconds} ns`, () => {
      assert.deepEqual(paxTime(Buffer.from(text)), { seconds, nanoseconds });
    });
  }
  for (const text of ["NaN", "Infinity", "1e20", "", "-", ".5", "1.2.3", "1".repeat(21)]) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(paxTime(Buffer.from(text)), undefined));
  }
});
