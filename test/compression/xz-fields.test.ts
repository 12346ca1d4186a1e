import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32 } from "node:zlib";
import { checkOf, littleEndian, parseBlockHeader, variableNumber } from "../../src/compression/xz-fields.ts";
import { fails } from "../helpers/failures.ts";

/** A block header of these bytes behind the size, filled and summed. */
function blockHeader(...content: number[]): Buffer {
  const filled = Buffer.alloc(Math.ceil((content.length + 1) / 4) * 4);
  filled[0] = filled.length / 4;
  Buffer.from(content).copy(filled, 1);
  return Buffer.concat([filled, littleEndian(crc32(filled))]);
}

describe("variableNumber", () => {
  it("reads 7 bits a byte, in the shortest form only", () => {
    assert.deepEqual(variableNumber(Buffer.from([0x7f]), 0), { value: 127, end: 1 });
    assert.deepEqual(variableNumber(Buffer.from([9, 0x80, 0x01]), 1), { value: 128, end: 3 });
    assert.equal(variableNumber(Buffer.from([0x80, 0x00]), 0), undefined);
    assert.equal(variableNumber(Buffer.from([0x80]), 0), undefined);
    assert.equal(variableNumber(Buffer.alloc(12, 0xff), 0), undefined);
  });
});

describe("parseBlockHeader", () => {
  it("reads sizes and the dictionary", () => {
    const sizes = { compressedSize: undefined, uncompressedSize: undefined };
    assert.deepEqual(parseBlockHeader(blockHeader(0, 0x21, 1, 0)), { ...sizes, dictionary: 4096 });
    assert.deepEqual(parseBlockHeader(blockHeader(0, 0x21, 1, 22)), { ...sizes, dictionary: 8 * 1024 * 1024 });
    assert.deepEqual(parseBlockHeader(blockHeader(0xc0, 5, 9, 0x21, 1, 1)), {
      compressedSize: 5,
      uncompressedSize: 9,
      dictionary: 6144,
    });
  });
  for (const [why, header, code] of [
    ["an impossible dictionary", blockHeader(0, 0x21, 1, 41), "ARCHIVE_INVALID"],
    ["two bytes of properties", blockHeader(0, 0x21, 2, 0, 0), "ARCHIVE_INVALID"],
    ["something in the filling", blockHeader(0, 0x21, 1, 0, 0, 1), "ARCHIVE_INVALID"],
    ["no filter", blockHeader(0), "UNSUPPORTED"],
    ["another filter", blockHeader(0, 3, 1, 0), "UNSUPPORTED"],
    ["two filters", blockHeader(1, 3, 1, 0, 0x21, 1, 0), "UNSUPPORTED"],
    ["unknown flags", blockHeader(4, 0x21, 1, 0), "UNSUPPORTED"],
    ["a wrong sum", Buffer.concat([blockHeader(0, 0x21, 1, 0).subarray(0, -1), Buffer.from([0])]), "ARCHIVE_INVALID"],
  ] as const) {
    it(`refuses ${why}`, () => assert.throws(() => parseBlockHeader(header), fails(code)));
  }
});

describe("checkOf", () => {
  it("knows none, CRC-32, CRC-64 and SHA-256", () => {
    const sizes = [0, 1, 4, 10].map((kind) => checkOf(Buffer.from([0, kind])));
    assert.deepEqual(
      sizes.map((check) => [check.size, check.begin().digest().length]),
      [
        [0, 0],
        [4, 4],
        [8, 8],
        [32, 32],
      ],
    );
  });
  it("refuses others", () => {
    assert.throws(() => checkOf(Buffer.from([0, 2])), fails("UNSUPPORTED"));
    assert.throws(() => checkOf(Buffer.from([0, 16])), fails("ARCHIVE_INVALID"));
    assert.throws(() => checkOf(Buffer.from([1, 4])), fails("ARCHIVE_INVALID"));
  });
});
