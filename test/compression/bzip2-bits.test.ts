import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bitsAt, endOf, hold, readBits } from "../../src/compression/bzip2-bits.ts";
import { fails } from "../helpers/failures.ts";

describe("bits", () => {
  it("come the most significant first", () => {
    const bits = bitsAt(Buffer.from([0xff, 0b1010_0101, 0x0f]), 1);
    assert.deepEqual([readBits(bits, 1), readBits(bits, 3), readBits(bits, 8)], [1, 0b010, 0x50]);
    assert.equal(endOf(bits), 3);
  });
  it("can be looked at behind the end, but not be taken from there", () => {
    const bits = bitsAt(Buffer.from([1]), 0);
    hold(bits, 20);
    assert.equal(readBits(bits, 8), 1);
    assert.equal(endOf(bits), 1);
    readBits(bits, 1);
    assert.throws(() => endOf(bits), fails("ARCHIVE_INVALID", /cut off/));
    assert.throws(() => Array.from({ length: 100 }, () => readBits(bits, 8)), fails("ARCHIVE_INVALID", /cut off/));
  });
});
