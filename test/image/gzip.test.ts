import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { gzip } from "../../src/image/gzip.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

const block = 256 * 1024;

/** Text that compresses somewhat, and repeats across blocks. */
function sample(length: number): Buffer {
  const words = Array.from({ length: 5000 }, (_, index) => `word-${(index * 7919) % 1009} `);
  return Buffer.from(words.join("").repeat(Math.ceil(length / 40_000) + 1)).subarray(0, length);
}

describe("gzip", () => {
  for (const length of [0, 1, block - 1, block, block + 1, 10 * block + 12_345]) {
    it(`${length} bytes come back`, async () => {
      const bytes = sample(length);
      assert.ok(gunzipSync(await collect(gzip(chunks(bytes)))).equals(bytes));
    });
  }
  it("is the same for any chunking", async () => {
    const bytes = sample(3 * block + 5);
    const first = await collect(gzip(chunks(bytes, 1000)));
    assert.ok(first.equals(await collect(gzip(chunks(bytes, bytes.length)))));
    assert.ok(first.equals(await collect(gzip(chunks(bytes, block)))));
  });
  it("is one member with neither name nor time, as other programs see it", async () => {
    const bytes = sample(2 * block);
    const zipped = await collect(gzip(chunks(bytes)));
    assert.equal(zipped.toString("hex", 0, 10), "1f8b08000000000000ff");
    const { stdout, status } = spawnSync("gzip", ["-dc"], { input: zipped, maxBuffer: 1 << 24 });
    assert.equal(status, 0);
    assert.ok(stdout.equals(bytes));
    assert.equal(zipped.readUInt32LE(zipped.length - 4), bytes.length);
  });
  it("the window reaches across blocks: hardly larger than one stream", async () => {
    const bytes = sample(8 * block);
    const zipped = await collect(gzip(chunks(bytes)));
    assert.ok(zipped.length < 1.2 * gzipSync(bytes, { level: 4 }).length + 1000, String(zipped.length));
  });
  it("a failure of the source comes out, and nothing is left unhandled", async () => {
    async function* source() {
      yield sample(4 * block);
      throw new Error("the disk is gone");
    }
    await assert.rejects(collect(gzip(source())), /the disk is gone/);
  });
});
