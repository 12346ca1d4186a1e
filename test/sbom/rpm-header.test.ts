import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readRpmHeader } from "../../src/sbom/rpm-header.ts";
import { fails } from "../helpers/failures.ts";

type Entry = readonly [tag: number, type: number, offset: number];

function header(entries: readonly Entry[], data: Buffer, count = entries.length): Buffer {
  const index = Buffer.alloc(8 + 16 * entries.length);
  index.writeUInt32BE(count, 0);
  index.writeUInt32BE(data.length, 4);
  for (const [at, [tag, type, offset]] of entries.entries()) {
    for (const [field, value] of [tag, type, offset, 1].entries()) index.writeUInt32BE(value, 8 + 16 * at + 4 * field);
  }
  return Buffer.concat([index, data]);
}

describe("readRpmHeader", () => {
  it("reads texts and numbers, and passes over what it does not know", () => {
    const data = Buffer.from("name\0Zusammenfassung\0\0\0\0\u0007", "latin1");
    const entries: readonly Entry[] = [
      [1000, 6, 0],
      [1004, 9, 5],
      [1003, 4, 21],
      [5000, 6, 0],
      [1001, 8, 0],
      [1000, 6, 5],
    ];
    assert.deepEqual(
      { ...readRpmHeader(header(entries, data)) },
      { name: "name", summary: "Zusammenfassung", epoch: 7 },
    );
  });
  const bad: readonly (readonly [string, Buffer])[] = [
    ["nothing", Buffer.alloc(0)],
    ["more entries than bytes", header([], Buffer.alloc(0), 10)],
    ["more entries than rpm allows", header([], Buffer.alloc(70_000 * 16), 70_000)],
    ["a text outside of the data", header([[1000, 6, 9]], Buffer.from("a\0"))],
    ["a text without an end", header([[1000, 6, 0]], Buffer.from("a"))],
    ["a number outside of the data", header([[1003, 4, 1]], Buffer.from("abcd"))],
    ["an offset beyond everything", header([[1000, 6, 0xffffffff]], Buffer.from("a\0"))],
  ];
  for (const [why, bytes] of bad) {
    it(`refuses ${why}`, () => assert.throws(() => readRpmHeader(bytes), fails("IMAGE_INVALID", /header/)));
  }
});
