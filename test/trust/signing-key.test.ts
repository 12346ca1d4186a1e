import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { isRevoked, signingKeyOf } from "../../src/trust/signing-key.ts";
import { day, type MadeKey, makeKey, now } from "../helpers/trust.ts";

describe("what a key says about its parts", () => {
  let key: MadeKey;
  before(async () => {
    key = await makeKey({
      expiresAfter: 200 * 24 * 3600,
      subkeys: [{ sign: true, type: "ecc", curve: "ed25519Legacy" }, { type: "ecc" }],
    });
  });

  it("T-S19, T-S20: primary key and signing subkey may sign, an encryption subkey and a stranger may not", async () => {
    const [signing, encrypting] = key.key.subkeys.map((subkey) => subkey.getFingerprint());
    assert.equal((await signingKeyOf(openpgp, key.key, key.fingerprint, null)).getFingerprint(), key.fingerprint);
    assert.equal((await signingKeyOf(openpgp, key.key, signing ?? "", now)).getFingerprint(), signing);
    await assert.rejects(signingKeyOf(openpgp, key.key, encrypting ?? "", null));
    await assert.rejects(signingKeyOf(openpgp, key.key, "0".repeat(40), null), /no such subkey/);
  });

  it("T-S08: expiry counts only when a time is given", async () => {
    const later = new Date(now.getTime() + 300 * day);
    await assert.rejects(signingKeyOf(openpgp, key.key, key.fingerprint, later), /expired/);
    assert.ok(await signingKeyOf(openpgp, key.key, key.fingerprint, null));
  });

  it("T-S09: a revocation counts for the key it is of, and only if its owner made it", async () => {
    const stranger = await makeKey();
    const { privateKey: revoked } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const { privateKey: strangers } = await openpgp.revokeKey({ key: stranger.key, format: "object" });
    assert.equal(await isRevoked(openpgp, key.key), false);
    assert.equal(await isRevoked(openpgp, revoked), true);
    assert.equal(await isRevoked(openpgp, revoked, key.key.subkeys[0]?.getFingerprint()), true);
    const [forged] = strangers.revocationSignatures;
    assert.ok(forged !== undefined);
    const attacked = await openpgp.readKey({ binaryKey: key.key.toPublic().write() });
    attacked.revocationSignatures.push(forged);
    assert.equal(await isRevoked(openpgp, attacked), false);
  });

  it("T-S09: a revocation with a weak digest counts too", async () => {
    const { keyPacket } = key.key;
    assert.ok(keyPacket instanceof openpgp.SecretKeyPacket);
    const rsa = await makeKey({ rsaBits: 2048 });
    const revocation = new openpgp.SignaturePacket();
    revocation.signatureType = openpgp.enums.signature.keyRevocation;
    revocation.hashAlgorithm = openpgp.enums.hash.sha1;
    revocation.publicKeyAlgorithm = rsa.key.keyPacket.algorithm;
    const config = { nonDeterministicSignaturesViaNotation: false };
    await Reflect.apply(revocation.sign, revocation, [
      rsa.key.keyPacket,
      { key: rsa.key.keyPacket },
      now,
      false,
      config,
    ]);
    const revoked = await openpgp.readKey({ binaryKey: rsa.key.toPublic().write() });
    revoked.revocationSignatures.push(revocation);
    assert.equal(await isRevoked(openpgp, revoked), true);
  });
});
