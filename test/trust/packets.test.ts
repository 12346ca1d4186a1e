import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fingerprintOf, readPackets, splitKeys } from "../../src/trust/packets.ts";
import { makeKey, packetBytes } from "../helpers/trust.ts";

describe("readPackets", () => {
  const body = Buffer.from("abc");
  const framings: readonly (readonly [string, Buffer])[] = [
    ["old, one octet", Buffer.from([0x88, 3])],
    ["old, two octets", Buffer.from([0x89, 0, 3])],
    ["old, four octets", Buffer.from([0x8a, 0, 0, 0, 3])],
    ["new, one octet", Buffer.from([0xc2, 3])],
    ["new, five octets", Buffer.from([0xc2, 255, 0, 0, 0, 3])],
  ];
  for (const [why, header] of framings) {
    it(`reads a packet with a length of ${why}`, () => {
      const bytes = Buffer.concat([header, body]);
      assert.deepEqual(readPackets(Buffer.concat([bytes, bytes]), 2), [
        { tag: 2, body, bytes },
        { tag: 2, body, bytes },
      ]);
    });
  }

  it("reads the two-octet lengths of the new format", () => {
    const long = Buffer.alloc(1000, 7);
    const bytes = Buffer.concat([Buffer.from([0xc2, 192 + ((1000 - 192) >> 8), (1000 - 192) & 255]), long]);
    assert.equal(readPackets(bytes, 1)[0]?.body.length, 1000);
  });

  it("T-S24: counts, and never looks past the end", () => {
    const one = packetBytes(2, body);
    assert.throws(() => readPackets(Buffer.concat([one, one, one]), 2), /more than 2 packets/);
    for (let length = 1; length < one.length; length++) {
      assert.throws(() => readPackets(one.subarray(0, length), 1), /cut off|longer/);
    }
    assert.throws(() => readPackets(Buffer.from("text"), 1), /not made of/);
  });
});

describe("fingerprints", () => {
  it("equal the library's", async () => {
    const { key, fingerprint } = await makeKey();
    const [packet] = readPackets(Buffer.from(key.toPublic().write()), 100);
    assert.ok(packet !== undefined);
    assert.equal(fingerprintOf(packet), fingerprint);
  });
  it("are refused for other versions", () => {
    const [packet] = readPackets(packetBytes(6, Buffer.from([6, 0])), 1);
    assert.ok(packet !== undefined);
    assert.throws(() => fingerprintOf(packet), /version 6/);
  });
});

describe("splitKeys", () => {
  it("gives each key its packets", async () => {
    const [a, b] = [await makeKey(), await makeKey()];
    const both = Buffer.concat([a.key.toPublic().write(), b.key.write()]);
    const keys = splitKeys(readPackets(both, 100));
    assert.deepEqual(
      keys.map((key) => Buffer.concat(key.map(({ bytes }) => bytes))),
      [Buffer.from(a.key.toPublic().write()), Buffer.from(b.key.write())],
    );
  });
  it("refuses what does not begin with a key", () => {
    assert.throws(() => splitKeys(readPackets(packetBytes(13, Buffer.from("user")), 1)), /not a key/);
    assert.throws(() => splitKeys([]), /no key/);
  });
});
