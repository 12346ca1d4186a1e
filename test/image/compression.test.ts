import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { decompress, openCompressed, sniffCompression } from "../../src/image/compression.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";

const text = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) % 251));
const zipped = gzipSync(text);
const open = (bytes: Uint8Array, size?: number) => collect(decompress(chunks(bytes, size)));

describe("sniffCompression (ACI-5: by magic)", () => {
  for (const [hex, compression] of [
    ["1f8b08", "gzip"],
    ["425a6839", "bzip2"],
    ["fd377a585a00", "xz"],
    ["28b52ffd", "zstd"],
    ["6d616e6966657374", "none"],
    ["1f", "none"],
    ["", "none"],
  ] as const) {
    it(`${hex || "nothing"} is ${compression}`, () => {
      assert.equal(sniffCompression(Buffer.from(hex, "hex")), compression);
    });
  }
});

describe("decompress", () => {
  for (const size of [1, 7, 100_000]) {
    it(`gives the same for chunks of ${size}`, async () => assert.ok((await open(zipped, size)).equals(text)));
  }
  it("hands plain bytes through", async () => assert.ok((await open(text)).equals(text)));
  it("Z01: members in a row are one stream", async () => {
    const half = text.length / 2;
    const both = Buffer.concat([gzipSync(text.subarray(0, half)), gzipSync(text.subarray(half))]);
    assert.ok((await open(both, 1000)).equals(text));
  });
  for (const [why, trailer] of [
    ["text", Buffer.from("garbage")],
    ["zeros, which zlib would overlook", Buffer.alloc(100)],
  ] as const) {
    it(`Z02: ${why} after the end, in one chunk and in another`, async () => {
      const bytes = Buffer.concat([zipped, trailer]);
      await assert.rejects(open(bytes, bytes.length), fails("ARCHIVE_INVALID"));
      await assert.rejects(open(bytes, zipped.length), fails("ARCHIVE_INVALID"));
      await assert.rejects(open(bytes, 1), fails("ARCHIVE_INVALID"));
    });
  }
  it("Z03: a stream that is cut off", async () => {
    for (const length of [5, 11, zipped.length >> 1, zipped.length - 1]) {
      await assert.rejects(
        open(zipped.subarray(0, length)),
        fails("ARCHIVE_INVALID", /cut off|damaged/),
        String(length),
      );
    }
  });
  it("Z04: a wrong checksum", async () => {
    const wrong = Buffer.from(zipped);
    wrong.writeUInt32LE((wrong.readUInt32LE(wrong.length - 8) ^ 1) >>> 0, wrong.length - 8);
    await assert.rejects(open(wrong), fails("ARCHIVE_INVALID", /damaged/));
  });
  it("Z06, A13: more than the budget is refused on the way", async () => {
    const limits = { totalSize: 100_000, ratio: 200 };
    await assert.rejects(collect(decompress(chunks(zipped), limits)), fails("LIMIT_EXCEEDED"));
    assert.equal((await collect(decompress(chunks(zipped), { ...limits, totalSize: 300_000 }))).length, 300_000);
  });
  it("Z06, A13: a bomb is refused by its ratio, soon after 64 MiB", async () => {
    const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024));
    let produced = 0;
    await assert.rejects(async () => {
      for await (const chunk of decompress(chunks(bomb))) produced += chunk.length;
    }, fails("LIMIT_EXCEEDED"));
    assert.ok(produced <= 65 * 1024 * 1024, String(produced));
  });
  it("a failure of the source is the reader's", async () => {
    async function* source() {
      yield zipped.subarray(0, 100);
      throw new Error("the line is dead");
    }
    await assert.rejects(collect(decompress(source())), /the line is dead/);
  });
  it("leaving the loop closes the source", async () => {
    await new Promise<void>((closed) => {
      async function* source() {
        try {
          for (;;) yield zipped;
        } finally {
          closed();
        }
      }
      void (async () => {
        for await (const _ of decompress(source())) break;
      })();
    });
  });
  it("ACI-5: what is known but not read is named, with a way out", async () => {
    const xz = Buffer.from("fd377a585a000000", "hex");
    await assert.rejects(open(xz), fails("UNSUPPORTED", /xz/, { hint: /unxz/ }));
  });
  it("says what it found", async () => {
    assert.equal((await openCompressed(chunks(zipped, 1))).compression, "gzip");
    assert.equal((await openCompressed(chunks(Buffer.alloc(3)))).compression, "none");
  });
});
