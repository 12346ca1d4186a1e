import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unbzip2 } from "../../src/compression/bzip2.ts";
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

const decoder: Decoder = unbzip2;
const short = prose(3000);
const shortBzip2 = compress(["bzip2"], short);

describe("unbzip2 (ACI-5): what bzip2 writes", () => {
  for (const level of ["-1", "-5", "-9"]) {
    it(level, async () => {
      for (const [name, plain] of samples) {
        assert.ok((await decode(decoder, compress(["bzip2", level], plain), 65_536)).equals(plain), name);
      }
    });
  }
  it("runs of every length around those that are counted", async () => {
    const plain = Buffer.concat(Array.from({ length: 600 }, (_, length) => Buffer.alloc(length, length % 3)));
    assert.ok((await decode(decoder, compress(["bzip2"], plain))).equals(plain));
  });
  it("in chunks of one byte", async () => assert.ok((await decode(decoder, shortBzip2, 1)).equals(short)));
  it("Z01: streams in a row, as parallel programs write them", async () => {
    const both = Buffer.concat([shortBzip2, compress(["bzip2", "-1"], Buffer.alloc(0)), shortBzip2]);
    assert.ok((await decode(decoder, both, 7)).equals(Buffer.concat([short, short])));
  });
  it("more than is at hand at once", async () => {
    const plain = Buffer.concat(samples.map(([, sample]) => sample));
    const whole = Buffer.concat([plain, plain, plain, plain]);
    assert.ok((await decode(decoder, compress(["bzip2"], whole), 50_000)).equals(whole));
  });
});

describe("unbzip2: what is refused", () => {
  it("Z02: anything behind the end", async () => {
    for (const behind of [Buffer.from("garbage!"), Buffer.alloc(1), Buffer.from("BZh")]) {
      await assert.rejects(decode(decoder, Buffer.concat([shortBzip2, behind])), fails("ARCHIVE_INVALID"));
    }
  });
  it("Z02: a few bytes behind the end are not called the beginning of something", async () => {
    for (const behind of ["ab", "abcdefgh", "\0"]) {
      const bytes = Buffer.concat([shortBzip2, Buffer.from(behind)]);
      await assert.rejects(decode(decoder, bytes), fails("ARCHIVE_INVALID", /something follows the end of the bzip2/));
    }
  });
  it("Z03: cut off anywhere", () => refusesCuts(decoder, shortBzip2, 3));
  it("Z04: a flipped bit anywhere", () => findsFlips(decoder, shortBzip2, short));
  it("Z04: nothing is read that bzip2 reads differently", async () => {
    await agreesWith(["bzip2", "-dc"], decoder, compress(["bzip2"], prose(8000, 9)), 300);
  });
  it("randomised blocks are named", async () => {
    const stream = Buffer.from(shortBzip2);
    stream[14] = (stream[14] ?? 0) | 0x80;
    await assert.rejects(decode(decoder, stream), fails("UNSUPPORTED", /randomised/));
  });
});
