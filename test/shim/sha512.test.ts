import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { opensslSha512 } from "../../src/shim/libc.ts";
import { hashingBeside, sha512 } from "../../src/shim/sha512.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

describe("sha512", () => {
  it("is that of FIPS 180-4", () => {
    assert.equal(
      sha512("abc"),
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    );
  });

  it("is node:crypto's for every length around a block, and for a part of a buffer", () => {
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251));
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(bytes.length - length);
      assert.equal(sha512(part), createHash("sha512").update(part).digest("hex"), `${length} bytes`);
    }
  });

  it("takes text as UTF-8", () => {
    assert.equal(sha512("é"), sha512(Buffer.from([0xc3, 0xa9])));
  });

  it("comes from the OpenSSL of this Node", () => assert.equal(opensslSha512(Buffer.alloc(0))?.length, 64));
});

describe("hashingBeside", () => {
  const bytes = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 31) % 253));
  for (const size of [0, 1, 127, 300_000]) {
    it(`is node:crypto's, for chunks of ${size} bytes, and hands on what passes`, async () => {
      const part = size === 0 ? Buffer.alloc(0) : size === 1 ? bytes.subarray(0, 300) : bytes;
      const hashing = hashingBeside(chunks(part, size === 0 ? 1 : size));
      assert.ok((await collect(hashing.chunks)).equals(part));
      assert.equal(hashing.digest(), createHash("sha512").update(part).digest("hex"));
    });
  }
  it("has no digest before the end, nor of what was left", async () => {
    const hashing = hashingBeside(chunks(bytes, 1000));
    assert.throws(() => hashing.digest(), fails("INTERNAL"));
    for await (const _ of hashing.chunks) break;
    assert.throws(() => hashing.digest(), fails("INTERNAL"));
  });
  it("a failure of the source comes out", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new Error("the line is dead");
    }
    await assert.rejects(collect(hashingBeside(source()).chunks), /the line is dead/);
  });
});
