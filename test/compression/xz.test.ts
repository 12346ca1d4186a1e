import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unxz } from "../../src/compression/xz.ts";
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

const memory = 128 * 1024 * 1024;
const decoder: Decoder = (source) => unxz(source, { memory });
const short = prose(3000);
const shortXz = compress(["xz"], short);

describe("unxz (ACI-5): what xz writes", () => {
  for (const options of [
    ["-0"],
    ["-6"],
    ["-9e"],
    ["--check=none"],
    ["--check=crc32"],
    ["--check=sha256"],
    ["--block-size=100000"],
    ["-T2", "--block-size=200000"],
    ["--lzma2=dict=4KiB,lc=0,lp=4,pb=4"],
    ["--lzma2=dict=1536KiB,lc=4,lp=0,pb=0,mode=fast,nice=5"],
    ["--lzma2=dict=96MiB"],
  ]) {
    it(options.join(" "), async () => {
      for (const [name, plain] of samples) {
        assert.ok((await decode(decoder, compress(["xz", ...options], plain), 65_536)).equals(plain), name);
      }
    });
  }
  it("in chunks of one byte", async () => assert.ok((await decode(decoder, shortXz, 1)).equals(short)));
  it("Z01: streams in a row, with zeros between and behind, four at a time", async () => {
    const zeros = Buffer.alloc(8);
    const both = Buffer.concat([shortXz, zeros, compress(["xz"], Buffer.alloc(0)), shortXz, zeros]);
    assert.ok((await decode(decoder, both, 7)).equals(Buffer.concat([short, short])));
  });
  it("a dictionary many times smaller than the file, and history that moves", async () => {
    const plain = Buffer.concat([prose(9_000_000, 5), prose(9_000_000, 5)]);
    const stream = compress(["xz", "-1", "--lzma2=preset=0,dict=1MiB"], plain);
    assert.ok((await decode(decoder, stream)).equals(plain));
  });
});

describe("unxz: what is refused", () => {
  it("Z02: anything behind the end, also zeros that are not four", async () => {
    for (const behind of [
      Buffer.from("garbage!"),
      Buffer.from("abcd"),
      Buffer.from("\xfd7x", "latin1"),
      Buffer.alloc(3),
      Buffer.alloc(6),
      Buffer.from("\0\0\0\0garbage"),
    ]) {
      const refused = fails("ARCHIVE_INVALID", /something follows the end of the xz data/);
      await assert.rejects(decode(decoder, Buffer.concat([shortXz, behind])), refused);
    }
  });
  it("Z03: cut off anywhere", () => refusesCuts(decoder, shortXz, 3));
  it("Z04: a flipped bit anywhere", () => findsFlips(decoder, shortXz, short));
  it("Z04: without sums, nothing is read that xz reads differently", async () => {
    const stream = compress(["xz", "--check=none"], prose(20_000, 9));
    await agreesWith(["xz", "-dc"], decoder, stream, 300);
  });
  it("limits 2.2: a dictionary of the memory allowed, and the next larger one", async () => {
    const stream = compress(["xz", "--lzma2=dict=1MiB"], short);
    const allowed = 1024 * 1024 + 64 * 1024;
    const limited =
      (limit: number): Decoder =>
      (source) =>
        unxz(source, { memory: limit });
    assert.ok((await decode(limited(allowed), stream)).equals(short));
    await assert.rejects(decode(limited(allowed - 1), stream), fails("LIMIT_EXCEEDED", /dictionary|memory/));
    const large = compress(["xz", "--lzma2=dict=128MiB"], short);
    await assert.rejects(decode(decoder, large), fails("LIMIT_EXCEEDED"));
  });
  it("filters besides LZMA2 are named", async () => {
    const stream = compress(["xz", "--x86", "--lzma2"], short);
    await assert.rejects(decode(decoder, stream), fails("UNSUPPORTED", /LZMA2/, { hint: /uncompressed/ }));
  });
});
