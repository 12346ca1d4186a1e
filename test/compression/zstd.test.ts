import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unzstd } from "../../src/compression/zstd.ts";
import {
  agreesWith,
  compress,
  type Decoder,
  decode,
  findsFlips,
  prose,
  refusesCuts,
  samples,
} from "../helpers/codecs.ts";
import { fails } from "../helpers/failures.ts";

const mebi = 1024 * 1024;
const decoder: Decoder = (source) => unzstd(source, { window: 128 * mebi });
const short = prose(3000);
const shortZstd = compress(["zstd", "-q"], short);
/** A frame of somebody's own: magic, size, content. */
const skippable = Buffer.from("502a4d1803000000616263", "hex");

describe("unzstd (ACI-5): what zstd writes", () => {
  for (const options of [
    ["-1"],
    ["-3"],
    ["--fast=5"],
    ["-12", "--no-check"],
    ["-19"],
    ["--ultra", "-22"],
    ["--long=27"],
    ["-3", "--zstd=windowLog=10"],
    ["-15", "--zstd=windowLog=12,minMatch=3"],
    ["-T2", "-B100000"],
    ["--no-compress-literals"],
    ["--rsyncable", "-T1"],
  ]) {
    it(options.join(" "), async () => {
      for (const [name, plain] of samples) {
        assert.ok((await decode(decoder, compress(["zstd", "-q", ...options], plain), 65_536)).equals(plain), name);
      }
    });
  }
  it("frames that know their size", async () => {
    for (const length of [0, 1, 255, 256, 65_791, 65_792, 200_000]) {
      const plain = prose(length);
      const stream = compress(["zstd", "-q", `--stream-size=${length}`, "-5"], plain);
      assert.ok((await decode(decoder, stream)).equals(plain), String(length));
    }
  });
  it("in chunks of one byte", async () => assert.ok((await decode(decoder, shortZstd, 1)).equals(short)));
  it("Z01: frames in a row, and frames to be passed over", async () => {
    const stream = Buffer.concat([shortZstd, skippable, shortZstd, skippable]);
    assert.ok((await decode(decoder, stream, 7)).equals(Buffer.concat([short, short])));
  });
  it("Z01: frames of other windows in a row, each with a history of its own", async () => {
    const plain = [prose(3_000_000, 3), prose(40, 1), prose(700_000, 9)];
    const windows = [17, 10, 20];
    const frames = plain.map((part, at) => compress(["zstd", "-q", "-6", `--zstd=windowLog=${windows[at]}`], part));
    assert.ok((await decode(decoder, Buffer.concat(frames))).equals(Buffer.concat(plain)));
  });
  it("limits 2.2: a million blocks that give nothing, in one frame, whatever their kind", async () => {
    const empty = Buffer.alloc(3 * 500_000);
    const repeated = Buffer.alloc(4 * 500_000, Buffer.from([2, 0, 0, 0x78]));
    const last = Buffer.concat([Buffer.from([(5 << 3) | 1, 0, 0]), Buffer.from("hello")]);
    const bytes = Buffer.concat([Buffer.from("28b52ffd0050", "hex"), empty, repeated, last]);
    assert.equal((await decode(decoder, bytes, 64 * 1024)).toString(), "hello");
    await assert.rejects(decode(decoder, bytes.subarray(0, -1), 64 * 1024), fails("ARCHIVE_INVALID", /cut off/));
  });
  it("history that moves", async () => {
    const plain = Buffer.concat([prose(5_000_000, 5), prose(5_000_000, 5)]);
    const stream = compress(["zstd", "-q", "-6", "--zstd=windowLog=17"], plain);
    assert.ok((await decode(decoder, stream)).equals(plain));
  });
});

describe("unzstd: what is refused", () => {
  it("Z02: anything behind the end", async () => {
    for (const behind of [Buffer.from("garbage!"), Buffer.alloc(4), Buffer.alloc(1), skippable.subarray(0, 10)]) {
      await assert.rejects(decode(decoder, Buffer.concat([shortZstd, behind])), fails("ARCHIVE_INVALID"));
    }
  });
  it("Z03: cut off anywhere", () => refusesCuts(decoder, shortZstd, 3));
  it("Z04: a flipped bit anywhere", () => findsFlips(decoder, shortZstd, short));
  it("Z04: without sums, nothing is read that zstd reads differently", async () => {
    for (const [level, length] of [
      [1, 20_000],
      [19, 6_000],
      [3, 150_000],
    ] as const) {
      const stream = compress(["zstd", "-q", `-${level}`, "--no-check"], prose(length, 9));
      await agreesWith(["zstd", "-q", "-dc"], decoder, stream, 150);
    }
  });
  it("limits 2.2: a window of the size allowed, and one larger", async () => {
    const limited =
      (window: number): Decoder =>
      (source) =>
        unzstd(source, { window });
    const stream = compress(["zstd", "-q", "-3", "--zstd=windowLog=20"], prose(2 * mebi));
    assert.equal((await decode(limited(mebi), stream)).length, 2 * mebi);
    await assert.rejects(decode(limited(mebi - 1), stream), fails("LIMIT_EXCEEDED", /memory/));
    const large = compress(["zstd", "-q", "--long=28"], short);
    await assert.rejects(decode(decoder, large), fails("LIMIT_EXCEEDED"));
  });
  it("a dictionary is named", async () => {
    // Magic; a frame with a dictionary's id of one byte, single segment, one byte of content size.
    const stream = Buffer.from("28b52ffd210701", "hex");
    await assert.rejects(decode(decoder, stream), fails("UNSUPPORTED", /dictionary/, { hint: /uncompressed/ }));
  });
});
