import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bdbBlobs } from "../../src/sbom/rpm-bdb.ts";
import { fails } from "../helpers/failures.ts";
import { makeBerkeleyTable } from "../helpers/rpm.ts";
import { makeTemporary } from "../helpers/temporary.ts";

async function table(values: readonly Buffer[], pageSize?: number): Promise<Buffer> {
  const { path, remove } = await makeTemporary();
  try {
    return makeBerkeleyTable(path, values, pageSize);
  } finally {
    await remove();
  }
}

const sorted = (values: Iterable<Buffer>) => [...values].sort(Buffer.compare);
const many = Array.from({ length: 300 }, (_, index) => Buffer.alloc(1 + index * 61, index));
const file = await table(many);
const changed = (at: number, value: number): Buffer => {
  const copy = Buffer.from(file);
  copy.writeUInt32LE(value, at);
  return copy;
};

describe("bdbBlobs", () => {
  it("gives what Berkeley DB stored, on pages and on chains of pages of their own", async () => {
    assert.deepEqual(sorted(bdbBlobs(file)), sorted(many));
    assert.deepEqual(sorted(bdbBlobs(await table(many, 512))), sorted(many));
    assert.deepEqual([...bdbBlobs(await table([]))], []);
  });
  it("refuses an encrypted one by name", () => {
    const copy = Buffer.from(file);
    copy[24] = 1;
    assert.throws(() => [...bdbBlobs(copy)], fails("UNSUPPORTED", /encrypted/));
  });
  it("refuses what is no hash table, a page size that is none, pages that are not there", () => {
    for (const bytes of [
      Buffer.alloc(8192),
      changed(12, 0x053162),
      changed(20, 777),
      changed(20, 0),
      file.subarray(0, 600),
    ]) {
      assert.throws(() => [...bdbBlobs(bytes)], fails("IMAGE_INVALID", /Packages/));
    }
    assert.throws(() => [...bdbBlobs(file.subarray(0, file.length / 2))], fails("IMAGE_INVALID"));
  });
  it("refuses a chain that comes back to itself", () => {
    const copy = Buffer.from(file);
    for (let page = 4096; page < copy.length; page += 4096) {
      if (copy[page + 25] === 7) copy.writeUInt32LE(page / 4096, page + 16);
    }
    assert.throws(() => [...bdbBlobs(copy)], fails("IMAGE_INVALID", /used twice/));
  });
});
