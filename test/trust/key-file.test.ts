import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { armor } from "../../src/trust/armor.ts";
import { keyBinaries, keyFileLimit, publicFingerprints } from "../../src/trust/key-file.ts";
import { failure, type MadeKey, makeKey, packetBytes } from "../helpers/trust.ts";

describe("key files", () => {
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    [key, other] = await Promise.all([makeKey({ subkeys: [{ type: "ecc" }] }), makeKey()]);
  });

  it("give each key apart, from one block, several, or binary", () => {
    const [a, b] = [Buffer.from(key.key.toPublic().write()), Buffer.from(other.key.toPublic().write())];
    const together = Buffer.from(armor("PUBLIC KEY BLOCK", Buffer.concat([a, b])));
    for (const file of [together, Buffer.concat([key.armored, other.armored]), Buffer.concat([a, b])]) {
      assert.deepEqual(keyBinaries(file), [a, b]);
    }
  });

  it("tell the primary key's fingerprint and its subkeys'", () => {
    const expected = [key.fingerprint, ...key.key.subkeys.map((subkey) => subkey.getFingerprint())];
    assert.deepEqual(publicFingerprints(key.armored), expected);
  });

  it("of trusted keys are armoured and hold one public key (TRUST-4)", () => {
    const binary = Buffer.from(key.key.toPublic().write());
    const refused: readonly (readonly [Buffer, RegExp])[] = [
      [binary, /not an armoured/],
      [Buffer.concat([key.armored, other.armored]), /several/],
      [Buffer.from(armor("PUBLIC KEY BLOCK", Buffer.concat([binary, other.key.toPublic().write()]))), /several/],
      [Buffer.from(armor("PUBLIC KEY BLOCK", key.key.write())), /secret/],
      [Buffer.from(armor("PRIVATE KEY BLOCK", key.key.write())), /not an armoured/],
      [Buffer.from(armor("SIGNATURE", binary)), /not an armoured/],
    ];
    for (const [file, reason] of refused) assert.throws(() => publicFingerprints(file), failure("KEY_INVALID", reason));
  });

  it("T-S24: are bounded in bytes and packets: 10,000 user ids, 100,000 packets, 50 MB of keys cost under a second and 100 MB", () => {
    const users = new Array<Buffer>(10_000).fill(Buffer.from("user <u@example.com>"));
    const many = Buffer.concat([key.key.toPublic().write(), packetBytes(13, ...users)]);
    const packets = Buffer.concat([
      key.key.toPublic().write(),
      packetBytes(2, ...new Array<Buffer>(100_000).fill(Buffer.alloc(1))),
    ]);
    const keyring = Buffer.alloc(50 * 1024 * 1024, key.key.toPublic().write());
    const [start, before] = [process.cpuUsage(), process.resourceUsage().maxRSS];
    for (const read of [keyBinaries, publicFingerprints]) {
      for (const hostile of [packets, keyring]) {
        assert.throws(() => read(Buffer.from(hostile)), failure("KEY_INVALID", /bytes|4096 packets|armoured/));
      }
      assert.throws(() => read(Buffer.from(armor("PUBLIC KEY BLOCK", many))), failure("KEY_INVALID", /4096 packets/));
      assert.throws(() => read(Buffer.alloc(keyFileLimit + 1, 0x99)), failure("KEY_INVALID", /bytes/));
    }
    assert.ok(process.cpuUsage(start).user < 1_000_000, `${process.cpuUsage(start).user} µs`);
    // The copies of the keyring that the test itself makes are in it.
    assert.ok(process.resourceUsage().maxRSS - before < (100 + 2 * 50) * 1024);
  });
});
