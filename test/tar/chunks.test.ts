import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Chunks } from "../../src/tar/chunks.ts";

const large = 256 * 1024;

describe("Chunks", () => {
  it("gathers small pieces and zeros in one chunk, which ends when told to", () => {
    const chunks = new Chunks();
    chunks.put(Buffer.from("abc"));
    chunks.pad(3);
    chunks.put(Buffer.from("d"));
    assert.equal(chunks.hasFull(), false);
    chunks.flush();
    const [chunk, ...more] = chunks.takeFull();
    assert.deepEqual([String(chunk), more.length, chunks.hasFull()], [`abc${"\0".repeat(509)}d`, 0, false]);
  });

  it("copies small pieces: their source may use its memory again", () => {
    const chunks = new Chunks();
    const piece = Buffer.from("before");
    chunks.put(piece);
    piece.fill("x");
    chunks.flush();
    assert.equal(String(chunks.takeFull()[0]), "before");
  });

  it("keeps the order and every byte whatever the sizes", () => {
    const chunks = new Chunks();
    const pieces = [1, large / 2, large / 2 + 1, 0, 511, large, large - 1, 7, 3 * large, 1].map((size, index) =>
      Buffer.alloc(size, index + 1),
    );
    for (const piece of pieces) chunks.put(piece);
    chunks.pad(1);
    chunks.flush();
    assert.ok(Buffer.concat(chunks.takeFull()).equals(Buffer.concat([...pieces, Buffer.alloc(511)])));
    chunks.flush();
    assert.deepEqual(chunks.takeFull(), []);
  });
});
