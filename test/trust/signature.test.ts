import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { digestWith, outlineSignatures, readSignatureFile, signatureFileLimit } from "../../src/trust/signature.ts";
import { armoredSignature, craft, craftPacket, failure, type MadeKey, makeKey, packetBytes } from "../helpers/trust.ts";

describe("readSignatureFile (ACI-8)", () => {
  const content = Buffer.from("content");
  let key: MadeKey;
  before(async () => {
    key = await makeKey();
  });

  it("gives every signature and the full fingerprint it names", async () => {
    const [a, b] = [await craftPacket(key, content), await craftPacket(key, content)];
    for (const file of [armoredSignature(a, b), packetBytes(2, a.write(), b.write())]) {
      assert.deepEqual(
        readSignatureFile(openpgp, file).map(({ issuer }) => issuer),
        [key.fingerprint, key.fingerprint],
      );
    }
  });

  it("leaves out versions that no trusted key makes", async () => {
    const packet = await craftPacket(key, content);
    const file = packetBytes(2, Buffer.from([3, 5, 0]), packet.write(), Buffer.from([6, 0]));
    assert.equal(readSignatureFile(openpgp, file).length, 1);
  });

  it("T-S23: drops the unhashed area", async () => {
    const packet = await craftPacket(key, content);
    packet.unhashedSubpackets.push({
      type: 33,
      critical: false,
      body: Buffer.concat([Buffer.from([4]), Buffer.alloc(20)]),
    });
    const [signature] = readSignatureFile(openpgp, armoredSignature(packet));
    assert.equal(signature?.issuer, key.fingerprint);
    assert.deepEqual(signature.packet.unhashedSubpackets, []);
  });

  it("T-S24: refuses long files and areas that lie about their length", async () => {
    assert.throws(
      () => readSignatureFile(openpgp, Buffer.alloc(signatureFileLimit + 1, 0xc2)),
      failure("SIGNATURE_INVALID", /bytes/),
    );
    const body = Buffer.from((await craftPacket(key, content)).write());
    body.writeUInt16BE(0xffff, 4);
    assert.throws(() => readSignatureFile(openpgp, packetBytes(2, body)), failure("SIGNATURE_INVALID", /malformed/));
  });

  it("refuses a file in which any byte of the framing is damaged, or reads it otherwise than trusted", async () => {
    const clean = await craft(key, content);
    for (let index = 0; index < clean.length; index += 7) {
      const damaged = Buffer.from(clean);
      damaged[index] = 0x21;
      assert.throws(() => readSignatureFile(openpgp, damaged), failure("SIGNATURE_INVALID", /./));
    }
  });
});

describe("outlineSignatures", () => {
  it("gives every packet as it was, and of version 4 what can be known without its key", async () => {
    const key = await makeKey();
    const content = Buffer.from("content");
    const packet = await craftPacket(key, content, { hash: 8 });
    const old = packetBytes(2, Buffer.from([3, 5, 0]));
    const file = Buffer.concat([old, packetBytes(2, packet.write())]);
    const [unknown, outline] = outlineSignatures(openpgp, file);
    assert.deepEqual(unknown, { bytes: old });
    assert.deepEqual(Buffer.concat([old, outline?.bytes ?? old]), file);
    assert.deepEqual([outline?.type, outline?.hash, outline?.issuer], [0, 8, key.fingerprint]);
    const digest = digestWith(createHash("sha256").update(content), outline?.hashedPart ?? old);
    assert.deepEqual(outline?.digestStart, Buffer.from(digest.subarray(0, 2)));
  });
});

describe("digestWith (RFC 4880 section 5.2.4)", () => {
  it("hashes content, hashed part and trailer, and leaves the running hash as it was", () => {
    const running = createHash("sha512").update("content");
    const expected = createHash("sha512")
      .update("contentpart")
      .update(Buffer.from([4, 0xff, 0, 0, 0, 4]))
      .digest();
    for (const _ of [1, 2]) assert.deepEqual(Buffer.from(digestWith(running, Buffer.from("part"))), expected);
  });
});
