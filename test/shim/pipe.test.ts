import assert from "node:assert/strict";
import { closeSync, fstatSync } from "node:fs";
import { describe, it } from "node:test";
import { openPipe } from "../../src/shim/libc.ts";
import { readPipe, writePipe } from "../../src/shim/pipe.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

const bytes = Buffer.from(Array.from({ length: 3_000_017 }, (_, index) => (index * 7919) % 251));

function isOpen(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO();
  } catch {
    return false;
  }
}

describe("openPipe", () => {
  it("is a pipe, and both ends end with the program", () => {
    const { readEnd, writeEnd } = openPipe();
    assert.deepEqual([isOpen(readEnd), isOpen(writeEnd)], [true, true]);
    closeSync(readEnd);
    closeSync(writeEnd);
  });
});

describe("readPipe and writePipe", () => {
  for (const size of [1, 1000, 70_000, 2_000_000]) {
    it(`what goes in comes out, in pieces of ${size} bytes`, async () => {
      const { readEnd, writeEnd } = openPipe();
      const reader = readPipe(readEnd);
      const part = bytes.subarray(0, size === 1 ? 500 : bytes.length);
      const [read] = await Promise.all([collect(reader), writePipe(writeEnd, chunks(part, size))]);
      assert.ok(read.equals(part));
      await reader.close();
      assert.deepEqual([isOpen(readEnd), isOpen(writeEnd)], [false, false]);
    });
  }
  it("a reader that is gone ends the writing without an error, and the source is told", async () => {
    const { readEnd, writeEnd } = openPipe();
    closeSync(readEnd);
    let isEnded = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield bytes;
      } finally {
        isEnded = true;
      }
    }
    await writePipe(writeEnd, source());
    assert.deepEqual([isEnded, isOpen(writeEnd)], [true, false]);
  });
  it("a failure of the source comes out, and the end is closed", async () => {
    const { readEnd, writeEnd } = openPipe();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 10);
      throw new Error("the line is dead");
    }
    await assert.rejects(writePipe(writeEnd, source()), /the line is dead/);
    const reader = readPipe(readEnd);
    assert.equal((await collect(reader)).length, 10);
    await reader.close();
    assert.equal(isOpen(writeEnd), false);
  });
  it("closing waits for a read that is on its way, and closes once", async () => {
    const { readEnd, writeEnd } = openPipe();
    const reader = readPipe(readEnd);
    const first = reader[Symbol.asyncIterator]().next();
    closeSync(writeEnd);
    await reader.close();
    assert.equal((await first).done, true);
    await reader.close();
    assert.equal(isOpen(readEnd), false);
  });
});
