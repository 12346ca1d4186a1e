import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { constants, type FileHandle, open, readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { blockSize, writeBlocks } from "../../src/fetch/blocks.ts";
import { fails } from "../helpers/failures.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
before(async () => {
  temporary = await makeTemporary();
});
after(() => temporary.remove());

async function staged(use: (archive: FileHandle, archivePath: string) => Promise<void>): Promise<Buffer> {
  const path = `${temporary.path}/archive`;
  const archive = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
  try {
    await use(archive, path);
  } finally {
    await archive.close();
  }
  return await readFile(path);
}

describe("writeBlocks", () => {
  it("writes and shows every byte once, in order, whatever the pieces", async () => {
    const bytes = randomBytes(3 * blockSize + 12_345);
    for (const size of [7_001, 16_384, blockSize, blockSize + 1, bytes.length]) {
      const seen: Buffer[] = [];
      const file = await staged(async (archive, archivePath) => {
        const blocks = writeBlocks({ archive, archivePath }, 0, (block) => void seen.push(Buffer.from(block)));
        for (let from = 0; from < bytes.length; from += size) await blocks.add(bytes.subarray(from, from + size));
        await blocks.end();
      });
      assert.ok(file.equals(bytes), `pieces of ${size}`);
      assert.ok(Buffer.concat(seen).equals(bytes), `seen in pieces of ${size}`);
      assert.deepEqual(
        seen.map(({ length }) => length),
        [blockSize, blockSize, blockSize, 12_345],
      );
    }
  });
  it("goes on behind what is there", async () => {
    const file = await staged(async (archive, archivePath) => {
      await archive.write("abc");
      const blocks = writeBlocks({ archive, archivePath }, 3, () => {});
      await blocks.add(Buffer.from("def"));
      await blocks.end();
      await blocks.end();
    });
    assert.equal(file.toString(), "abcdef");
  });
  it("a disk that is full is told to whoever adds or ends next", async () => {
    const archive = await open("/dev/full", "w");
    try {
      const blocks = writeBlocks({ archive, archivePath: "/dev/full" }, 0, () => {});
      await assert.rejects(async () => {
        for (let count = 0; count < 3; count++) await blocks.add(Buffer.alloc(blockSize));
        await blocks.end();
      }, fails("DISK_FULL"));
      const few = writeBlocks({ archive, archivePath: "/dev/full" }, 0, () => {});
      await few.add(Buffer.from("x"));
      await assert.rejects(few.end(), fails("DISK_FULL"));
    } finally {
      await archive.close();
    }
  });
});
