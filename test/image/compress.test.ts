import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compress, compressionParameters } from "../../src/image/compress.ts";
import { decompress, sniffCompression } from "../../src/image/compression.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

it("REPRO-3: level, block and encoder are told, the zlib of this Node among them", () => {
  const { zlib } = process.versions;
  assert.deepEqual(compressionParameters("gzip"), { kind: "gzip", level: 4, block: 262144, zlib });
  const zstd = { kind: "zstd", level: 3, block: 4194304, encoder: "@bokuweb/zstd-wasm 0.0.27" };
  assert.deepEqual(compressionParameters("zstd"), zstd);
  assert.deepEqual(compressionParameters("none"), { kind: "none" });
});

describe("compress (ACI-10, ACI-13)", () => {
  for (const kind of ["gzip", "zstd", "none"] as const) {
    it(`${kind}: what is read is what was written, and the parameters say how`, async () => {
      const bytes = Buffer.from("some words ".repeat(10_000));
      const written = await collect(compress(chunks(bytes), kind));
      assert.equal(sniffCompression(written), kind);
      assert.ok((await collect(decompress(chunks(written)))).equals(bytes));
      assert.equal(compressionParameters(kind).kind, kind);
    });
  }
});
