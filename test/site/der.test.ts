import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { around, bits, inPlace, integer, octets, oid, sequence, set, time, utf8, yes } from "../../src/site/der.ts";

describe("DER (X.690)", () => {
  for (const [why, der, hex] of [
    ["zero", integer(Buffer.from([0, 0])), "020100"],
    ["no leading zeros", integer(Buffer.from([0, 0, 5])), "020105"],
    ["a zero before the sign bit", integer(Buffer.from([0x80])), "02020080"],
    ["an identifier of long arcs", oid("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"],
    ["named bits end with the highest", bits([5, 6]), "03020106"],
    ["named bit 0", bits([0]), "03020780"],
    ["named bit 8", bits([8]), "0303070080"],
    ["bytes as bits", bits(Buffer.from([0xff])), "030200ff"],
    ["true", yes, "0101ff"],
    ["a set of a sequence of text", set(sequence(utf8("é"))), "310630040c02c3a9"],
    ["octets of 128 bytes", octets(Buffer.alloc(128)), `048180${"00".repeat(128)}`],
    ["octets of 256 bytes", octets(Buffer.alloc(256)), `04820100${"00".repeat(256)}`],
    ["context tags", around(3, inPlace(2, Buffer.from("a"))), "a303820161"],
    [
      "a time before 2050",
      time(new Date("2049-12-31T23:59:59.999Z")),
      `170d${Buffer.from("491231235959Z").toString("hex")}`,
    ],
    [
      "a time from 2050",
      time(new Date("2050-01-01T00:00:00Z")),
      `180f${Buffer.from("20500101000000Z").toString("hex")}`,
    ],
  ] as const) {
    it(why, () => assert.equal(der.toString("hex"), hex));
  }
});
