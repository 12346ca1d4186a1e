import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteReader } from "../../src/shim/byte-reader.ts";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

const never = (): Promise<never> => assert.fail("it is long enough");

describe("ByteReader", () => {
  it("takes exact numbers of bytes however they come", async () => {
    const reader = new ByteReader(chunks("a", "bc", "", "defg", "h"));
    assert.equal(String(await reader.take(2)), "ab");
    assert.equal(String(await reader.take(0)), "");
    assert.equal(String(await reader.take(4)), "cdef");
    assert.equal(String(await reader.take(2)), "gh");
    assert.equal(await reader.take(1), undefined);
  });

  it("a body ends where it should, and is empty when read again", async () => {
    const reader = new ByteReader(chunks("ab", "cd", "ef"));
    const body = reader.body(3n, never);
    let text = "";
    for await (const part of body) text += String(part);
    for await (const part of body) text += `again ${String(part)}`;
    assert.equal(text, "abc");
    assert.equal(String(await reader.take(3)), "def");
  });

  it("a body that is at hand is given whole, and once", async () => {
    const reader = new ByteReader(chunks("abcdef"));
    assert.equal(String(await reader.take(1)), "a");
    const body = reader.body(3n, never);
    assert.equal(String(body.whole), "bcd");
    const parts: string[] = [];
    for await (const part of body) parts.push(String(part));
    for await (const part of body) parts.push(String(part));
    assert.deepEqual([parts, String(await reader.take(2))], [["bcd"], "ef"]);
  });

  it("a body that is cut off is what `onShort` says", async () => {
    const body = new ByteReader(chunks("ab")).body(3n, () => Promise.reject(new Error("short")));
    await assert.rejects(async () => {
      for await (const _ of body);
    }, /short/);
  });
});
