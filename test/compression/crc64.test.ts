import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc64 } from "../../src/compression/crc64.ts";
import { prose } from "../helpers/codecs.ts";

describe("crc64", () => {
  it("has the check value of its definition", () => {
    const sum = crc64();
    sum.update(Buffer.from("123456789"));
    assert.equal(sum.digest().readBigUInt64LE().toString(16), "995dc9bbdf1939fa");
  });
  it("does not depend on the pieces", () => {
    const whole = crc64();
    whole.update(prose(1000));
    const pieces = crc64();
    for (let at = 0; at < 1000; at += 7) pieces.update(prose(1000).subarray(at, at + 7));
    assert.deepEqual(pieces.digest(), whole.digest());
  });
  it("of nothing is 0", () => assert.deepEqual(crc64().digest(), Buffer.alloc(8)));
});
