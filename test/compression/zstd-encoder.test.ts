import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { unzstd } from "../../src/compression/zstd.ts";
import { filled, zstd, zstdParameters } from "../../src/compression/zstd-encoder.ts";
import { defaultDecompressionLimits, openCompressed } from "../../src/image/compression.ts";
import { compress, decode, decompress, prose, samples } from "../helpers/codecs.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

const { block } = zstdParameters;
const window = defaultDecompressionLimits.zstdWindow;

describe("zstd (ACI-13)", () => {
  for (const [name, bytes] of [...samples, ["several frames", prose(2 * block + 77)] as const]) {
    it(`${name}: zstd tests and reads it, and so do we`, async () => {
      const written = await collect(zstd(chunks(bytes, 100_000)));
      compress(["zstd", "-t"], written);
      assert.ok(decompress(["zstd", "-dc"], written)?.equals(bytes));
      assert.ok((await decode((source) => unzstd(source, { window }), written)).equals(bytes));
    });
  }
  it("is the same for any chunking (REPRO-3)", async () => {
    const bytes = prose(block + 5);
    const first = await collect(zstd(chunks(bytes, 1000)));
    assert.ok(first.equals(await collect(zstd(chunks(bytes, bytes.length)))));
  });
  it("a damaged frame is seen: its content has a sum", async () => {
    const written = await collect(zstd(chunks(prose(10_000))));
    written[written.length - 1] = (written.at(-1) ?? 0) ^ 1;
    assert.equal(decompress(["zstd", "-dc"], written), undefined);
    await assert.rejects(decode((source) => unzstd(source, { window }), written));
  });
  it("what hardly anything is left of stays within the ratio of readers", async () => {
    const { ratio } = defaultDecompressionLimits;
    const size = 96 * 1024 * 1024;
    async function* zeros(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < size; at += block) yield Buffer.alloc(block);
    }
    const written = await collect(zstd(zeros()));
    assert.ok(size / written.length < ratio, String(written.length));
    let read = 0;
    // Chunk by chunk, so that no byte counts before it is needed.
    for await (const chunk of (await openCompressed(chunks(written, 1000))).tar) read += chunk.length;
    assert.equal(read, size);
  });
  it("filling is a skippable frame of the missing bytes, at least its header", () => {
    const frame = Buffer.alloc(100);
    assert.equal(filled(frame, 12_800).length, 100);
    assert.equal(filled(frame, 12_801).length, 108);
    assert.equal(filled(frame, 128_000).length, 1000);
  });
  it("a failure of the source comes out, and no thread is left", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield prose(2 * block);
      throw new Error("the disk is gone");
    }
    await assert.rejects(collect(zstd(source())), /the disk is gone/);
  });
  it("names the encoder that is installed", () => {
    const { version } = JSON.parse(readFileSync("node_modules/@bokuweb/zstd-wasm/package.json", "utf8"));
    assert.equal(zstdParameters.encoder, `@bokuweb/zstd-wasm ${version}`);
  });
});
