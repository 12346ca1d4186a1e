import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { armor } from "../../src/trust/armor.ts";
import { unlockKey } from "../../src/trust/keys.ts";
import { signStream, type UnlockedKey } from "../../src/trust/sign.ts";
import {
  failure,
  type KeyOptions,
  type MadeKey,
  made,
  makeKey,
  now,
  temporary,
  trust,
  verify,
} from "../helpers/trust.ts";

async function* pieces(content: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function unlocked(key: MadeKey): Promise<UnlockedKey> {
  return await unlockKey(Buffer.from(armor("PRIVATE KEY BLOCK", key.key.write())));
}

describe("signStream (ACI-8, TRUST-17)", () => {
  const path = temporary();
  const content = Buffer.from("an archive of some bytes");
  let key: MadeKey;
  before(async () => {
    key = await makeKey();
    await trust(path("plain"), key);
  });

  it("makes what verification accepts, and the library too", async () => {
    const { file: signature } = await signStream(pieces(content, 5), [await unlocked(key)], now);
    const [signer] = await verify({ directory: path("plain"), signature, content });
    assert.deepEqual([signer?.fingerprint, signer?.signedAt], [key.fingerprint, now]);
    const { signatures } = await openpgp.verify({
      message: await openpgp.createMessage({ binary: content }),
      signature: await openpgp.readSignature({ armoredSignature: signature.toString() }),
      verificationKeys: key.key.toPublic(),
      date: now,
    });
    assert.equal(await signatures[0]?.verified, true);
  });

  it("makes the same bytes for the same input", async () => {
    const sign = async (size: number) => await signStream(pieces(content, size), [await unlocked(key)], now);
    assert.deepEqual(await sign(3), await sign(100));
  });

  it("T-S31: uses SHA-512 and a binary signature, whatever the key prefers", async () => {
    const weak = await makeKey({ rsaBits: 2048 });
    for (const user of weak.key.users)
      for (const self of user.selfCertifications) self.preferredHashAlgorithms = [openpgp.enums.hash.sha1];
    const { file: signature } = await signStream(pieces(content, 9), [await unlocked(weak)], now);
    const { packets } = await openpgp.readSignature({ armoredSignature: signature.toString() });
    assert.equal(packets[0]?.hashAlgorithm, openpgp.enums.hash.sha512);
    assert.equal(packets[0].signatureType, openpgp.enums.signature.binary);
    assert.equal(packets[0].version, 4);
  });

  it("T-S14: puts one signature for each key into one block", async () => {
    const other = await makeKey();
    await trust(path("both"), key);
    await trust(path("both"), other);
    const { file: signature } = await signStream(pieces(content, 9), [await unlocked(key), await unlocked(other)], now);
    assert.equal(signature.toString().match(/BEGIN/g)?.length, 1);
    const signers = await verify({ directory: path("both"), signature, content });
    assert.deepEqual(
      signers.map(({ fingerprint }) => fingerprint),
      [key.fingerprint, other.fingerprint],
    );
  });

  it("T-S19: signs with a signing subkey when there is one", async () => {
    const owner = await makeKey({ subkeys: [{ sign: true, type: "ecc", curve: "ed25519Legacy" }] });
    const { file: signature } = await signStream(pieces(content, 9), [await unlocked(owner)], now);
    const { packets } = await openpgp.readSignature({ armoredSignature: signature.toString() });
    assert.equal(packets[0]?.issuerKeyID.toHex(), owner.key.subkeys[0]?.getKeyID().toHex());
    await trust(path("owner"), owner);
    assert.equal((await verify({ directory: path("owner"), signature, content }))[0]?.fingerprint, owner.fingerprint);
  });

  it("T-S20: refuses keys whose signature nobody would accept, before it reads a byte", async () => {
    const { privateKey: revoked } = await openpgp.revokeKey({
      key: key.key,
      date: new Date(now.getTime() - 1000),
      format: "object",
    });
    const cases: readonly (readonly [KeyOptions | MadeKey, RegExp])[] = [
      [made(revoked), /revoked/],
      [{ expiresAfter: 3600 }, /expired/],
      [{ rsaBits: 1024 }, /1024 bits/],
    ];
    const untouched: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => assert.fail("it was read") };
    for (const [one, reason] of cases) {
      const signer = await unlocked("key" in one ? one : await makeKey(one));
      await assert.rejects(signStream(untouched, [signer], now), failure("KEY_INVALID", reason));
    }
  });

  it("TRUST-23: keeps the signatures of other keys, replaces those of its own", async () => {
    const other = await makeKey();
    await trust(path("kept"), key);
    await trust(path("kept"), other);
    const sign = async (signer: MadeKey, at: Date, earlier?: Uint8Array) =>
      await signStream(pieces(content, 9), [await unlocked(signer)], at, { earlier });
    const first = await sign(other, now);
    const second = await sign(key, now, first.file);
    const later = new Date(now.getTime() + 5000);
    const third = await sign(key, later, second.file);
    assert.deepEqual([first.kept, second.kept, third.kept], [0, 1, 1]);
    const signers = await verify({ directory: path("kept"), signature: third.file, content });
    assert.deepEqual(
      signers.map(({ fingerprint, signedAt }) => [fingerprint, signedAt]),
      [
        [other.fingerprint, now],
        [key.fingerprint, later],
      ],
    );
    const stale = await signStream(pieces(Buffer.from("older"), 9), [await unlocked(other)], now);
    await assert.rejects(sign(key, now, stale.file), failure("SIGNATURE_BAD", /not of this image/));
    await assert.rejects(sign(key, now, Buffer.from("text")), failure("SIGNATURE_INVALID", /no detached/));
  });

  it("refuses a key that unlockKey did not open", async () => {
    await assert.rejects(
      signStream(pieces(content, 9), [{ fingerprint: "x", handle: {} }], now),
      failure("INTERNAL", /./),
    );
  });
});
