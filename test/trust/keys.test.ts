import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { armor } from "../../src/trust/armor.ts";
import {
  describeKeys,
  formatFingerprint,
  generateKey,
  parsePublicKey,
  publicPart,
  readKeyFile,
  unlockKey,
} from "../../src/trust/keys.ts";
import { failure, type MadeKey, made, makeKey, now, packetBytes } from "../helpers/trust.ts";

const who = { name: "Example Builds", email: "builds@example.com", now };

describe("keys", () => {
  let key: MadeKey;
  let secret: Buffer;
  before(async () => {
    key = await makeKey();
    secret = Buffer.from(armor("PRIVATE KEY BLOCK", key.key.write()));
  });

  it("are made as version 4 Ed25519 keys that certify and sign, without subkeys", async () => {
    const { info, secretArmored, publicArmored } = await generateKey({ ...who, type: "ed25519" });
    assert.deepEqual(info, {
      fingerprint: info.fingerprint,
      identities: ["Example Builds <builds@example.com>"],
      algorithm: "ed25519",
      createdAt: now,
      expiresAt: undefined,
      hasSecret: true,
      isProtected: false,

      state: "ok",
    });
    assert.match(info.fingerprint, /^[0-9a-f]{40}$/);
    const [described] = await describeKeys(Buffer.from(publicArmored));
    assert.deepEqual(described, { ...info, hasSecret: false });
    assert.equal(await publicPart(Buffer.from(secretArmored)), publicArmored);
  });

  it("are protected by their passphrase", async () => {
    const { info, secretArmored } = await generateKey({ ...who, type: "ed25519", passphrase: "correct horse" });
    assert.equal(info.isProtected, true);
    const bytes = Buffer.from(secretArmored);
    const [described] = await describeKeys(bytes);
    assert.equal(described?.isProtected, true);
    await assert.rejects(unlockKey(bytes), failure("PASSPHRASE_WRONG", /needs its passphrase/));
    await assert.rejects(unlockKey(bytes, "wrong"), failure("PASSPHRASE_WRONG", /does not open/));
    assert.equal((await unlockKey(bytes, "correct horse")).fingerprint, info.fingerprint);
  });

  it("come out of a file one by one, each in a block of its own", async () => {
    const other = await makeKey({ userIDs: [{ name: "Other" }] });
    const both = Buffer.from(
      armor("PUBLIC KEY BLOCK", Buffer.concat([key.key.toPublic().write(), other.key.toPublic().write()])),
    );
    const files = await readKeyFile(both, now);
    assert.deepEqual(
      files.map(({ info }) => info.fingerprint),
      [key.fingerprint, other.fingerprint],
    );
    assert.deepEqual(
      files.map(({ armored }) => armored),
      [key.armored, other.armored],
    );
  });

  it("say why they would not count", async () => {
    const { privateKey: revoked } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const cases: readonly (readonly [MadeKey, RegExp])[] = [
      [made(revoked), /revoked/],
      [await makeKey({ expiresAfter: 3600 }), /expired on/],
      [await makeKey({ rsaBits: 1024 }), /1024 bits/],
      [await makeKey({ date: new Date(now.getTime() + 1e9) }), /may not sign/],
    ];
    for (const [{ armored }, reason] of cases)
      assert.match((await describeKeys(armored, now))[0]?.problem ?? "", reason);
    assert.equal((await describeKeys(key.armored, now))[0]?.problem, undefined);
  });

  it("that are none are refused", async () => {
    const files: readonly Uint8Array[] = [
      Buffer.alloc(0),
      Buffer.from("hello"),
      Buffer.from(armor("SIGNATURE", key.key.toPublic().write())),
      Buffer.from(armor("PUBLIC KEY BLOCK", packetBytes(6, Buffer.from([4, 0, 0, 0, 0, 1])))),
      Buffer.from(armor("PUBLIC KEY BLOCK", packetBytes(6, Buffer.from([3, 0, 0, 0, 0, 1])))),
      Buffer.from(armor("PUBLIC KEY BLOCK", packetBytes(13, Buffer.from("user")))),
    ];
    for (const file of files)
      await assert.rejects(describeKeys(file), failure("KEY_INVALID", /./), Buffer.from(file).toString());
  });

  it("of version 6 are refused", async () => {
    const config = { v6Keys: true };
    const { privateKey } = await openpgp.generateKey({
      userIDs: { name: "x" },
      type: "curve25519",
      format: "object",
      config,
    });
    await assert.rejects(describeKeys(made(privateKey).armored), failure("KEY_INVALID", /version 6/));
  });

  it("unlock and verify only in the form they are meant for", async () => {
    await assert.rejects(unlockKey(key.armored), failure("KEY_INVALID", /public key/));
    await assert.rejects(unlockKey(Buffer.concat([secret, secret])), failure("KEY_INVALID", /one secret key/));
    await assert.rejects(parsePublicKey(openpgp, secret), failure("KEY_INVALID", /public key/));
    assert.equal((await parsePublicKey(openpgp, key.armored)).getFingerprint(), key.fingerprint);
  });

  it("show their fingerprint in groups of four", () => {
    assert.equal(
      formatFingerprint("3c1a0dfd962d7700896e7bfe45dbc546eab11567"),
      "3c1a 0dfd 962d 7700 896e 7bfe 45db c546 eab1 1567",
    );
  });
});
