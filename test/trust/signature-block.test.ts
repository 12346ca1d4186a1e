import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { outlineSignatures } from "../../src/trust/signature.ts";
import { digestsOf, keptSignatures, signatureBlock } from "../../src/trust/signature-block.ts";
import { armoredSignature, craft, craftPacket, failure, type MadeKey, makeKey, packetBytes } from "../helpers/trust.ts";

describe("TRUST-23: a file of several signatures", () => {
  const content = Buffer.from("an archive");
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    key = await makeKey();
    other = await makeKey();
  });
  const hashes = (bytes: Buffer) =>
    new Map(["sha256", "sha512"].map((name) => [name, createHash(name).update(bytes)] as const));

  it("keeps those by other keys, as they were", async () => {
    const file = armoredSignature(await craftPacket(key, content), await craftPacket(other, content, { hash: 8 }));
    const outlines = outlineSignatures(openpgp, file);
    assert.deepEqual(digestsOf(outlines), ["sha512", "sha256"]);
    const kept = keptSignatures(outlines, new Set([key.fingerprint]), hashes(content));
    assert.deepEqual(
      kept.map(({ issuer }) => issuer),
      [other.fingerprint],
    );
    assert.deepEqual(keptSignatures(outlines, new Set(), hashes(content)), outlines);
    assert.deepEqual(kept[0]?.bytes, outlines[1]?.bytes);
  });

  it("refuses one of other bytes, unless it could never count or is replaced", async () => {
    const changed = hashes(Buffer.from("another"));
    const good = outlineSignatures(openpgp, await craft(key, content));
    assert.throws(() => keptSignatures(good, new Set(), changed), failure("SIGNATURE_BAD", /not of this image/));
    assert.deepEqual(keptSignatures(good, new Set([key.fingerprint]), changed), []);
    const rsa = await makeKey({ rsaBits: 2048 });
    const weak = outlineSignatures(openpgp, await craft(rsa, content, { hash: 2 }));
    assert.equal(keptSignatures(weak, new Set(), changed).length, 1);
    const old = outlineSignatures(openpgp, packetBytes(2, Buffer.from([3, 5])));
    assert.equal(keptSignatures(old, new Set(), changed).length, 1);
  });

  it("T-S24: holds no more than a verification reads", async () => {
    const packet = packetBytes(2, (await craftPacket(key, content)).write());
    const file = (count: number) => signatureBlock(Buffer.concat(new Array<Buffer>(count).fill(packet)), count);
    assert.equal(outlineSignatures(openpgp, file(32)).length, 32);
    assert.throws(() => file(33), failure("LIMIT_EXCEEDED", /32 signatures/));
    assert.throws(() => signatureBlock(Buffer.alloc(64 * 1024), 1), failure("LIMIT_EXCEEDED", /./));
  });
});
