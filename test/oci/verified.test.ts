import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf, requireDigest, verified } from "../../src/oci/verified.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

const bytes = Buffer.from("the bytes");

describe("OCI-9: bytes are compared with digest and size", () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    it(`${algorithm}: the right ones pass`, async () => {
      const digest = digestOf(bytes, algorithm);
      assert.deepEqual(await collect(verified(chunks(bytes, 2), { digest, size: bytes.length }, "it")), bytes);
      assert.deepEqual(await collect(verified(chunks(bytes), { digest }, "it")), bytes);
    });
  }
  const digest = digestOf(bytes);
  it("too many are refused before they are handed on", async () => {
    let taken = 0;
    const read = async () => {
      for await (const chunk of verified(chunks(bytes, 1), { digest, size: 3 }, "it")) taken += chunk.length;
    };
    await assert.rejects(read, fails("DIGEST_MISMATCH", /longer than the 3 bytes/));
    assert.equal(taken, 3);
  });
  it("too few, and others, are refused at the end", async () => {
    const short = verified(chunks(bytes.subarray(1)), { digest, size: bytes.length }, "it");
    await assert.rejects(collect(short), fails("DIGEST_MISMATCH", /8 bytes instead of 9/));
    const other = verified(chunks(Buffer.from("THE BYTES")), { digest, size: bytes.length }, "it");
    await assert.rejects(collect(other), fails("DIGEST_MISMATCH", /another digest/));
    assert.throws(() => requireDigest("sha256:00", digest, "it"), fails("DIGEST_MISMATCH", /another digest/));
  });
});
