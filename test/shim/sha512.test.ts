import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { opensslSha512 } from "../../src/shim/libc.ts";
import { sha512 } from "../../src/shim/sha512.ts";

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
