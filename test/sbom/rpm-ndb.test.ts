import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ndbBlobs } from "../../src/sbom/rpm-ndb.ts";
import { fails } from "../helpers/failures.ts";
import { makeNdb } from "../helpers/rpm.ts";

const values = [Buffer.from("first"), Buffer.alloc(5000, 7), Buffer.alloc(0)];
const changed = (at: number, value: number): Buffer => {
  const file = makeNdb(values);
  file.writeUInt32LE(value, at);
  return file;
};
const secondSlot = 48;

describe("ndbBlobs", () => {
  it("gives the packages of the slots that are taken", () => {
    assert.deepEqual([...ndbBlobs(makeNdb(values))], values);
    assert.deepEqual([...ndbBlobs(makeNdb([]))], []);
  });
  it("refuses another version by name", () => {
    assert.throws(() => [...ndbBlobs(changed(4, 1))], fails("UNSUPPORTED", /version 1/));
  });
  const bad: readonly (readonly [string, Buffer])[] = [
    ["another file", Buffer.alloc(8192)],
    ["more slots than room", changed(12, 1000)],
    ["a slot without its mark", changed(secondSlot, 0)],
    ["a place outside of the file", changed(secondSlot + 8, 1 << 28)],
    ["the place of another package", changed(secondSlot + 4, 2)],
    ["a length beyond its place", changed(4096 + 12, 4000)],
    ["a place without room", changed(secondSlot + 12, 0)],
  ];
  for (const [why, file] of bad) {
    it(`refuses ${why}`, () => assert.throws(() => [...ndbBlobs(file)], fails("IMAGE_INVALID", /Packages\.db/)));
  }
  it("refuses packages that lie over each other, which would make a small file endless work", () => {
    const file = makeNdb([Buffer.alloc(3000)]);
    for (let slot = secondSlot + 16; slot < 4096; slot += 16) file.copy(file, slot, secondSlot, secondSlot + 16);
    assert.throws(() => [...ndbBlobs(file)], fails("IMAGE_INVALID", /over each other/));
  });
});
