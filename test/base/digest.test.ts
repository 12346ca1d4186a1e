import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { hashing, sha512, verifying } from "../../src/base/digest.ts";
import { Failure } from "../../src/base/failure.ts";

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function read(source: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of source) text += Buffer.from(chunk).toString();
  return text;
}

const mismatch = (error: unknown): boolean => error instanceof Failure && error.code === "DIGEST_MISMATCH";

describe("hashing", () => {
  it("hands on every byte and hashes it with each hash", async () => {
    const hashes = [createHash("sha512"), createHash("sha256")];
    assert.equal(await read(hashing(chunks("ab", "", "c"), ...hashes)), "abc");
    assert.equal(hashes[0]?.digest("hex"), sha512("abc"));
    assert.equal(hashes[1]?.digest("hex"), createHash("sha256").update("abc").digest("hex"));
  });
});

describe("verifying", () => {
  it("hands on what has the digest and the size", async () => {
    assert.equal(await read(verifying(chunks("ab", "c"), { sha512: sha512("abc"), size: 3 }, "x")), "abc");
    assert.equal(await read(verifying(chunks("ab", "c"), { sha512: sha512("abc") }, "x")), "abc");
  });

  it("T-D13: throws at the end of other bytes", async () => {
    await assert.rejects(read(verifying(chunks("abd"), { sha512: sha512("abc"), size: 3 }, "x")), mismatch);
  });

  it("throws at a short end", async () => {
    await assert.rejects(read(verifying(chunks("ab"), { sha512: sha512("ab"), size: 3 }, "x")), mismatch);
  });

  it("hands on nothing of the chunk that passes the size", async () => {
    const seen: string[] = [];
    const source = verifying(chunks("ab", "cd"), { sha512: sha512("abc"), size: 3 }, "x");
    await assert.rejects(async () => {
      for await (const chunk of source) seen.push(Buffer.from(chunk).toString());
    }, mismatch);
    assert.deepEqual(seen, ["ab"]);
  });
});
