import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { armor } from "../../src/trust/armor.ts";
import { parsePublicKey } from "../../src/trust/keys.ts";
import { withRevocations } from "../../src/trust/revocations.ts";
import { isRevoked } from "../../src/trust/signing-key.ts";
import { type MadeKey, made, makeKey, now } from "../helpers/trust.ts";

describe("TRUST-26: an older copy of a key does not take its owner's warning back", () => {
  let plain: MadeKey;
  let stranger: MadeKey;
  before(async () => {
    plain = await makeKey({ subkeys: [{ sign: true }] });
    stranger = await makeKey();
  });
  const revoked = async (key: MadeKey) =>
    made((await openpgp.revokeKey({ key: key.key, format: "object" })).privateKey).armored;
  const withoutSubkey = async () => {
    const key = await openpgp.readKey({ armoredKey: plain.armored.toString() });
    const [subkey] = key.subkeys;
    assert.ok(subkey !== undefined && plain.key.keyPacket instanceof openpgp.SecretKeyPacket);
    key.subkeys = [await subkey.revoke(plain.key.keyPacket, {}, now)];
    return { fingerprint: subkey.getFingerprint(), armored: Buffer.from(armor("PUBLIC KEY BLOCK", key.write())) };
  };

  it("that of the key, and that of a subkey, are put into the older copy", async () => {
    const merged = await withRevocations(plain.armored, [plain.armored, await revoked(plain)]);
    assert.equal(await isRevoked(openpgp, await parsePublicKey(openpgp, merged)), true);
    const { fingerprint, armored } = await withoutSubkey();
    const some = await parsePublicKey(openpgp, await withRevocations(plain.armored, [armored]));
    assert.deepEqual([await isRevoked(openpgp, some), await isRevoked(openpgp, some, fingerprint)], [false, true]);
  });
  it("a copy that lacks none stays as it was", async () => {
    const all = await revoked(plain);
    assert.equal(await withRevocations(all, [plain.armored, all]), all);
    assert.equal(await withRevocations(plain.armored, []), plain.armored);
  });
  it("another key's revocation, and one that nobody can prove, are none", async () => {
    assert.equal(await withRevocations(plain.armored, [await revoked(stranger)]), plain.armored);
    const forged = plain.key.toPublic();
    forged.revocationSignatures = (
      await openpgp.revokeKey({ key: stranger.key, format: "object" })
    ).publicKey.revocationSignatures;
    const copy = Buffer.from(armor("PUBLIC KEY BLOCK", forged.write()));
    assert.equal(await withRevocations(plain.armored, [copy]), plain.armored);
  });
});
