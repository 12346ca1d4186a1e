import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blocksOf, inOrder } from "../../src/compression/blocks.ts";
import { chunks } from "../helpers/tar-bytes.ts";

describe("blocksOf", () => {
  for (const [length, expected] of [
    [0, []],
    [9, [9]],
    [10, [10]],
    [25, [10, 10, 5]],
  ] as const) {
    it(`${length} bytes in blocks of 10, whatever the chunks`, async () => {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => index));
      for (const chunk of [1, 7, 100]) {
        const blocks: Uint8Array[] = [];
        for await (const block of blocksOf(chunks(bytes, chunk), 10)) blocks.push(block);
        assert.deepEqual(
          blocks.map((block) => block.length),
          expected,
        );
        assert.ok(Buffer.concat(blocks).equals(bytes));
      }
    });
  }
});

describe("inOrder", () => {
  async function* numbers(): AsyncGenerator<number> {
    for (let number = 0; number < 6; number++) yield number;
  }
  it("gives the results in order, however long each took, and works on no more than the limit", async () => {
    let [running, most] = [0, 0];
    const work = async (number: number): Promise<number> => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 20 - 3 * number; turn++) await Promise.resolve();
      running--;
      return number;
    };
    const results: number[] = [];
    for await (const result of inOrder(numbers(), work, 3)) results.push(result);
    assert.deepEqual(results, [0, 1, 2, 3, 4, 5]);
    assert.ok(most <= 3, String(most));
  });
  it("a failure comes when its turn does", async () => {
    const results: number[] = [];
    await assert.rejects(async () => {
      const work = async (number: number): Promise<number> => {
        if (number === 2) throw new Error("two");
        return number;
      };
      for await (const result of inOrder(numbers(), work, 4)) results.push(result);
    }, /two/);
    assert.deepEqual(results, [0, 1]);
  });
});
