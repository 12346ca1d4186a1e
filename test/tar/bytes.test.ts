import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteReader, WholeBody } from "../../src/tar/bytes.ts";
import { fails } from "../helpers/failures.ts";
import { chunks } from "../helpers/tar-bytes.ts";

const text = Buffer.from("abcdefghij");

describe("byteReader", () => {
  for (const size of [1, 3, 100]) {
    it(`gives what is asked for, in chunks of ${size}`, async () => {
      const reader = byteReader(chunks(text, size));
      assert.equal(String(await reader.take(4)), "abcd");
      await reader.skip(2);
      assert.equal(String(await reader.take(0)), "");
      const some = await reader.some(3);
      assert.equal(String(some), "ghi".slice(0, some?.length));
      await reader.skip(4 - (some?.length ?? 0));
      assert.equal(reader.consumed(), 10);
      assert.equal(await reader.take(1), undefined);
      assert.equal(await reader.some(1), undefined);
    });
  }

  it("F01, F02: an end in the middle is a failure, an end before is none", async () => {
    await assert.rejects(byteReader(chunks(text, 3)).take(11), fails("ARCHIVE_INVALID", /in the middle/));
    await assert.rejects(byteReader(chunks(text, 3)).skip(11), fails("ARCHIVE_INVALID", /in the middle/));
    assert.equal(await byteReader(chunks(Buffer.alloc(0))).take(1), undefined);
  });

  it("copies nothing that lies in one chunk", async () => {
    const piece = await byteReader(chunks(text)).take(4);
    assert.equal(piece?.buffer, text.buffer);
  });

  it("skips empty chunks", async () => {
    async function* source() {
      yield Buffer.alloc(0);
      yield Buffer.from("a");
      yield Buffer.alloc(0);
      yield Buffer.from("b");
    }
    assert.equal(String(await byteReader(source()).take(2)), "ab");
  });

  it("tells the source when no more is wanted", async () => {
    let isClosed = false;
    async function* source() {
      try {
        for (;;) yield text;
      } finally {
        isClosed = true;
      }
    }
    const reader = byteReader(source());
    await reader.take(3);
    await reader.close();
    assert.ok(isClosed);
  });
});

describe("WholeBody", () => {
  it("is at hand, and empty when it is read again", async () => {
    const body = new WholeBody(Buffer.from("abc"));
    const parts: string[] = [];
    for await (const part of body) parts.push(String(part));
    for await (const part of body) parts.push(String(part));
    assert.deepEqual([String(body.whole), parts], ["abc", ["abc"]]);
  });
});

describe("ByteReader.takeNow", () => {
  it("takes what lies in the chunk at hand, and nothing of what is still to come", async () => {
    async function* two(): AsyncGenerator<Buffer> {
      yield Buffer.from("abcd");
      yield Buffer.from("ef");
    }
    const reader = byteReader(two());
    assert.equal(reader.takeNow(1), undefined);
    assert.equal(String(await reader.take(1)), "a");
    assert.equal(String(reader.takeNow(2)), "bc");
    assert.equal(reader.takeNow(2), undefined);
    assert.equal(String(await reader.take(2)), "de");
    assert.equal(reader.consumed(), 5);
  });
});

describe("ByteReader.rewind", () => {
  it("gives back what was taken of the chunk at hand", async () => {
    const reader = byteReader(chunks(Buffer.from("abcdefgh"), 4));
    assert.equal(String(await reader.take(1)), "a");
    const start = reader.consumed();
    assert.deepEqual([String(reader.takeNow(1)), String(reader.takeNow(2))], ["b", "cd"]);
    reader.rewind(start);
    assert.equal(reader.consumed(), 1);
    assert.equal(String(await reader.take(5)), "bcdef");
    assert.equal(reader.consumed(), 6);
  });
});
