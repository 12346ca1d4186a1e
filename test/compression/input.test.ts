import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAtEnd, openInput, take } from "../../src/compression/input.ts";
import { chunks } from "../helpers/tar-bytes.ts";

const bytes = Buffer.from("0123456789");

describe("Input", () => {
  for (const size of [1, 3, 100]) {
    it(`gives what is asked for, in chunks of ${size}`, async () => {
      const input = openInput(chunks(bytes, size));
      assert.equal(String(await take(input, 4)), "0123");
      assert.equal(String(await take(input, 0)), "");
      assert.equal(await isAtEnd(input), false);
      assert.equal(String(await take(input, 6)), "456789");
      assert.equal(await isAtEnd(input), true);
      assert.equal(await take(input, 1), undefined);
    });
  }
  it("keeps what is there when more was asked for than comes", async () => {
    const input = openInput(chunks(bytes, 3));
    assert.equal(await take(input, 11), undefined);
    assert.equal(String(await take(input, 10)), "0123456789");
  });
  it("ends its source once", async () => {
    let closed = 0;
    async function* source() {
      try {
        yield bytes;
      } finally {
        closed++;
      }
    }
    const input = openInput(source());
    await take(input, 1);
    await input.close();
    await input.close();
    assert.equal(closed, 1);
  });
});
