import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { xxh64 } from "../../src/compression/xxh64.ts";
import { compress, prose } from "../helpers/codecs.ts";

function sumOf(bytes: Uint8Array, size = bytes.length): number {
  const sum = xxh64();
  for (let at = 0; at < bytes.length; at += size) sum.update(bytes.subarray(at, at + size));
  return sum.digest();
}

describe("xxh64", () => {
  it("of nothing is the value of its definition", () => assert.equal(sumOf(Buffer.alloc(0)), 0x51d8e999));
  it("is what zstd writes behind a frame, for every length of the last stripe", () => {
    for (const length of [...Array.from({ length: 70 }, (_, index) => index + 1), 1000, 4095]) {
      const bytes = prose(length, length);
      const frame = compress(["zstd", "-q"], bytes);
      assert.equal(sumOf(bytes), frame.readUInt32LE(frame.length - 4), String(length));
    }
  });
  it("does not depend on the pieces", () => {
    for (const size of [1, 5, 31, 32, 33, 100])
      assert.equal(sumOf(prose(1000), size), sumOf(prose(1000)), String(size));
  });
});
