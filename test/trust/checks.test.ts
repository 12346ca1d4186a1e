import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import {
  type Claim,
  requireMaySign,
  requireStrong,
  requireTimely,
  requireUnrevoked,
  requireValid,
  signerOf,
} from "../../src/trust/checks.ts";
import { parsePublicKey } from "../../src/trust/keys.ts";
import { readSignatureFile } from "../../src/trust/signature.ts";
import {
  type CraftOptions,
  craft,
  day,
  failure,
  type MadeKey,
  made,
  makeKey,
  now,
  temporary,
  trust,
} from "../helpers/trust.ts";

const content = Buffer.from("content");

describe("the checks, one by one", () => {
  const path = temporary();
  let key: MadeKey;
  before(async () => {
    key = await makeKey();
  });
  const claimOf = async (signer: MadeKey, options: CraftOptions = {}): Promise<Claim> => {
    const [signature] = readSignatureFile(openpgp, await craft(signer, content, options));
    assert.ok(signature !== undefined);
    return {
      openpgp,
      ...signature,
      copy: await trust(path(), signer),
      key: await parsePublicKey(openpgp, signer.armored),
    };
  };
  const hashes = (text: string | Buffer) => new Map([["sha512", createHash("sha512").update(text)]]);

  it("pass for a good signature, and give its signer (TRUST-8 to TRUST-14)", async () => {
    const claim = await claimOf(key);
    await requireUnrevoked(claim);
    const signing = await requireMaySign(claim);
    requireStrong(claim, signing);
    await requireValid(claim, signing, hashes(content));
    assert.equal(await requireTimely(claim, signing, { now }), undefined);
    assert.deepEqual(signerOf(claim, undefined), {
      fingerprint: key.fingerprint,
      identity: "Test Signer <signer@example.com>",
      signedAt: new Date(now.getTime() - day),
      keyDigest: claim.copy.digest,
      keyPath: claim.copy.path,
      scope: "example.com",
      warning: undefined,
    });
    assert.equal(signerOf(claim, "a word").warning, "a word");
  });

  it("refuse for their own reason alone, naming the key's file", async () => {
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const revoked = await claimOf(made(privateKey));
    await assert.rejects(
      requireUnrevoked(revoked),
      (error) => failure("SIGNATURE_INVALID", /revoked/)(error) && Object(error).subject === revoked.copy.path,
    );
    const text = await claimOf(key, { type: openpgp.enums.signature.text });
    assert.throws(() => requireStrong(text, key.key.keyPacket), failure("SIGNATURE_INVALID", /binary document/));
    const late = await claimOf(key, { expiresAfter: 60 });
    await requireValid(late, late.key.keyPacket, hashes(content));
    await assert.rejects(requireTimely(late, late.key.keyPacket, { now }), failure("SIGNATURE_INVALID", /expired/));
  });

  it("call a signature bad only when the mathematics is wrong", async () => {
    const claim = await claimOf(key);
    await assert.rejects(
      requireValid(claim, claim.key.keyPacket, hashes("changed")),
      failure("SIGNATURE_BAD", /not of these bytes/),
    );
    await assert.rejects(
      requireValid(claim, claim.key.keyPacket, new Map()),
      failure("SIGNATURE_INVALID", /incomplete/),
    );
  });
});
