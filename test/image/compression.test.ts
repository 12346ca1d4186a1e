import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  decompress,
  defaultDecompressionLimits,
  openCompressed,
  sniffCompression,
} from "../../src/image/compression.ts";
import { compress } from "../helpers/codecs.ts";
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
      const refused = fails("ARCHIVE_INVALID", /something follows the end of the gzip data/);
      for (const length of [bytes.length, zipped.length, 1]) await assert.rejects(open(bytes, length), refused);
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
  it("says what it found", async () => {
    assert.equal((await openCompressed(chunks(zipped, 1))).compression, "gzip");
    assert.equal((await openCompressed(chunks(Buffer.alloc(3)))).compression, "none");
  });
});

describe("decompress: every form (ACI-5)", () => {
  const forms: readonly (readonly string[])[] = [["gzip"], ["bzip2"], ["xz"], ["zstd", "-q"]];
  const mebi = 1024 * 1024;

  for (const form of forms) {
    const [name = ""] = form;
    it(`A12: ${name} gives the same bytes, and closes its source`, async () => {
      let isClosed = false;
      async function* source() {
        try {
          yield* chunks(compress(form, text), 1000);
        } finally {
          isClosed = true;
        }
      }
      const { compression, tar } = await openCompressed(source());
      assert.equal(compression, name);
      assert.ok((await collect(tar)).equals(text));
      assert.ok(isClosed);
    });
    it(`${name}: leaving the loop closes the source`, async () => {
      let isClosed = false;
      const zeros = compress(form, Buffer.alloc(8 * mebi));
      async function* source() {
        try {
          for (;;) yield zeros;
        } finally {
          isClosed = true;
        }
      }
      for await (const _ of decompress(source())) break;
      // zlib's stream is destroyed in its own time.
      for (let turns = 0; turns < 100 && !isClosed; turns++) await new Promise((turn) => setImmediate(turn));
      assert.ok(isClosed);
    });
    it(`limits 2.2: ${name} of the size allowed, and of one byte more`, async () => {
      const bytes = compress(form, text);
      const limits = { ...defaultDecompressionLimits, totalSize: text.length };
      assert.equal((await collect(decompress(chunks(bytes), limits))).length, text.length);
      const less = { ...limits, totalSize: text.length - 1 };
      await assert.rejects(collect(decompress(chunks(bytes), less)), fails("LIMIT_EXCEEDED"));
    });
    it(`Z06, A13: a bomb of ${name} is refused by its ratio, soon after 64 MiB`, async () => {
      const bomb = compress(form, Buffer.alloc(80 * mebi));
      let produced = 0;
      await assert.rejects(async () => {
        for await (const chunk of decompress(chunks(bomb))) produced += chunk.length;
      }, fails("LIMIT_EXCEEDED"));
      assert.ok(produced <= 66 * mebi, String(produced));
    });
    it(`limits 2.2: ${name} of the ratio allowed, and of a little more`, async () => {
      const bytes = compress(form, Buffer.alloc(65 * mebi));
      const ratio = (65 * mebi) / bytes.length;
      const limited = (factor: number) =>
        collect(decompress(chunks(bytes, bytes.length), { ...defaultDecompressionLimits, ratio: ratio * factor }));
      assert.equal((await limited(1.0001)).length, 65 * mebi);
      await assert.rejects(limited(0.9999), fails("LIMIT_EXCEEDED"));
    });
  }
  it("limits 2.2: the memory of xz and the window of zstd are handed on", async () => {
    const small = { ...defaultDecompressionLimits, xzMemory: mebi, zstdWindow: mebi };
    for (const argv of [
      ["xz", "-6"],
      ["zstd", "-q", "--long=24"],
    ]) {
      const bytes = compress(argv, text);
      assert.ok((await collect(decompress(chunks(bytes)))).equals(text));
      await assert.rejects(collect(decompress(chunks(bytes), small)), fails("LIMIT_EXCEEDED", /memory/));
    }
  });
});
