/** The verdict table: each row of the threat list, through the whole verification. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { armor } from "../../src/trust/armor.ts";
import { openKeystore } from "../../src/trust/keystore.ts";
import { beginVerification } from "../../src/trust/verify.ts";
import {
  armoredSignature,
  type CraftOptions,
  craft,
  craftPacket,
  day,
  failure,
  type MadeKey,
  made,
  makeKey,
  now,
  packetBytes,
  temporary,
  trust,
  verify,
} from "../helpers/trust.ts";

const content = Buffer.from("the bytes of an archive");
const name = "example.com/web";

describe("verification", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    [key, other] = await Promise.all([
      makeKey(),
      makeKey({ userIDs: [{ name: "Other\u001b[2J", email: "o@example.com" }] }),
    ]);
    await trust(path("plain"), key);
    await trust(path("both"), key);
    await trust(path("both"), other);
  });

  /** Verifies what `signer` makes with `options`, being trusted in a directory of its own. */
  const verdict = async (signer: MadeKey, options: CraftOptions = {}) => {
    const directory = path(randomBytes(8).toString("hex"));
    await trust(directory, signer);
    return await verify({ directory, signature: await craft(signer, content, options), content });
  };

  it("T-S02: an Ed25519 signature by a trusted key counts, and says who, when, why", async () => {
    const [signer, ...more] = await verify({ directory: path("plain"), signature: await craft(key, content), content });
    assert.equal(more.length, 0);
    assert.equal(signer?.fingerprint, key.fingerprint);
    assert.equal(signer.identity, "Test Signer <signer@example.com>");
    assert.deepEqual(signer.signedAt, new Date(now.getTime() - day));
    assert.equal(signer.scope, "example.com");
    assert.equal(signer.keyPath, path("plain", "trustedkeys", "prefix.d", "example.com", key.fingerprint));
    assert.match(signer.keyDigest, /^[0-9a-f]{128}$/);
    assert.equal(signer.warning, undefined);
  });

  it("T-S01: an RSA signature counts; below 3072 bits with a warning", async () => {
    const [signer] = await verdict(await makeKey({ rsaBits: 2048 }));
    assert.match(signer?.warning ?? "", /2048 bits is short/);
  });

  it("T-S03: a key that is not trusted is refused before a byte of the image is read", async () => {
    const keystore = openKeystore({ directories: [path("plain")] });
    const signature = await craft(other, content);
    await assert.rejects(
      beginVerification(signature, { name, keystore, now }),
      failure("KEY_UNTRUSTED", /signed by .*trusted for example\.com\/web: /),
    );
    await assert.rejects(
      beginVerification(signature, { keystore, now }),
      failure("KEY_UNTRUSTED", /the image is signed/),
    );
  });

  it("T-S04: the signature of another image is refused", async () => {
    const signature = await craft(key, Buffer.from("another archive"));
    await assert.rejects(
      verify({ directory: path("plain"), signature, content }),
      failure("SIGNATURE_BAD", /not of these bytes/),
    );
  });

  it("T-S05: RSA below 2048 bits is refused", async () => {
    await assert.rejects(verdict(await makeKey({ rsaBits: 1024 })), failure("SIGNATURE_INVALID", /RSA with 1024 bits/));
  });

  for (const [id, hash, called] of [
    ["T-S06", 2, "SHA-1"],
    ["T-S06", 3, "RIPEMD-160"],
    ["T-S07", 1, "MD5"],
    ["T-S06", 11, "SHA-224"],
  ] as const) {
    it(`${id}: a ${called} digest is refused`, async () => {
      await assert.rejects(
        verdict(await makeKey({ rsaBits: 2048 }), { hash }),
        failure("SIGNATURE_INVALID", new RegExp(called)),
      );
    });
  }

  it("T-S06: a key that certifies itself with SHA-1 may not sign", async () => {
    const { sha1 } = openpgp.enums.hash;
    const weak = await makeKey({
      rsaBits: 2048,
      config: { preferredHashAlgorithm: sha1, nonDeterministicSignaturesViaNotation: false },
    });
    assert.equal(weak.key.users[0]?.selfCertifications[0]?.hashAlgorithm, sha1);
    await assert.rejects(verdict(weak), failure("SIGNATURE_INVALID", /may not sign/));
  });

  it("SHA-256 and SHA-384 count", async () => {
    for (const hash of [8, 9]) assert.equal((await verdict(key, { hash })).length, 1);
  });

  it("T-S08: a key that expired since is refused, however old the signature says it is", async () => {
    const expired = await makeKey({ expiresAfter: 50 * 24 * 3600 });
    const created = new Date(now.getTime() - 90 * day);
    await assert.rejects(verdict(expired, { created }), failure("SIGNATURE_INVALID", /expired/));
  });

  it("T-S08: with --allow-expired-key it counts, warned of, if it is older than the expiry and nothing else is wrong", async () => {
    const expired = await makeKey({ expiresAfter: 50 * 24 * 3600 });
    const directory = path("expired");
    await trust(directory, expired);
    const counts = async (options: CraftOptions, signed = content) => {
      const keystore = openKeystore({ directories: [directory] });
      const signature = await craft(expired, signed, options);
      const check = await beginVerification(signature, { name, keystore, now, allowExpiredKey: true });
      check.update(content);
      return await check.finish(name);
    };
    const created = new Date(now.getTime() - 90 * day);
    const [signer] = await counts({ created });
    assert.match(signer?.warning ?? "", /has expired/);
    await assert.rejects(counts({}), failure("SIGNATURE_INVALID", /has expired/));
    await assert.rejects(counts({ created, expiresAfter: 60 }), failure("SIGNATURE_INVALID", /it expired on/));
    await assert.rejects(counts({ created }, Buffer.from("changed")), failure("SIGNATURE_BAD", /./));
    const { privateKey } = await openpgp.revokeKey({ key: expired.key, date: created, format: "object" });
    await trust(directory, made(privateKey));
    await assert.rejects(counts({ created }), failure("SIGNATURE_INVALID", /revoked/));
  });

  for (const flag of ["keyCompromised", "keyRetired", "keySuperseded", "noReason"] as const) {
    it(`T-S09: a revoked key is refused (${flag})`, async () => {
      const { privateKey } = await openpgp.revokeKey({
        key: key.key,
        reasonForRevocation: { flag: openpgp.enums.reasonForRevocation[flag] },
        // Dated after the signature, and after now: neither takes the warning back.
        date: new Date(now.getTime() + 10 * day),
        format: "object",
      });
      await assert.rejects(verdict(made(privateKey)), failure("SIGNATURE_INVALID", /revoked/));
    });
  }

  it("TRUST-13, T-S09: one revoked copy of a key outweighs an unrevoked one", async () => {
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const directory = path("copies");
    await trust(directory, key, "root");
    await trust(directory, made(privateKey));
    const signature = await craft(key, content);
    await assert.rejects(verify({ directory, signature, content }), failure("SIGNATURE_INVALID", /revoked/));
  });

  it("T-S10: an expired signature is refused", async () => {
    await assert.rejects(verdict(key, { expiresAfter: 3600 }), failure("SIGNATURE_INVALID", /expired on/));
    assert.equal((await verdict(key, { expiresAfter: 2 * 24 * 3600 })).length, 1);
  });

  it("T-S11: a signature from beyond tomorrow is refused, one from a clock a little ahead counts", async () => {
    await assert.rejects(
      verdict(key, { created: new Date(now.getTime() + day + 1000) }),
      failure("SIGNATURE_INVALID", /future/),
    );
    assert.equal((await verdict(key, { created: new Date(now.getTime() + day - 1000) })).length, 1);
  });

  it("T-S11: so is one by a key that is as new", async () => {
    const date = new Date(now.getTime() + day - 2000);
    assert.equal((await verdict(await makeKey({ date }), { created: new Date(date.getTime() + 1000) })).length, 1);
  });

  it("a signature older than its key is refused", async () => {
    await assert.rejects(
      verdict(key, { created: new Date(now.getTime() - 200 * day) }),
      failure("SIGNATURE_INVALID", /older/),
    );
  });

  it("T-S12: a clear-signed message is refused", async () => {
    const message = await openpgp.createCleartextMessage({ text: content.toString() });
    const signature = Buffer.from(await openpgp.sign({ message, signingKeys: key.key }));
    await assert.rejects(
      verify({ directory: path("plain"), signature, content }),
      failure("SIGNATURE_INVALID", /signed message/),
    );
  });

  it("T-S13: an inline-signed message is refused, armoured or not", async () => {
    const message = await openpgp.createMessage({ binary: content });
    const text = await openpgp.sign({ message, signingKeys: key.key });
    await assert.rejects(
      verify({ directory: path("plain"), signature: Buffer.from(text), content }),
      failure("SIGNATURE_INVALID", /message/),
    );
    const binary = await openpgp.sign({ message, signingKeys: key.key, format: "binary" });
    await assert.rejects(
      verify({ directory: path("plain"), signature: binary, content }),
      failure("SIGNATURE_INVALID", /no detached/),
    );
  });

  describe("TRUST-15, T-S14: several signatures", () => {
    it("of one block count if one is good and none of a trusted key is bad", async () => {
      const [a, b] = [await craftPacket(key, content), await craftPacket(other, content)];
      const signature = armoredSignature(b, a);
      assert.deepEqual(
        (await verify({ directory: path("plain"), signature, content })).map((s) => s.fingerprint),
        [key.fingerprint],
      );
      const both = await verify({ directory: path("both"), signature, content });
      assert.deepEqual(
        both.map((s) => s.fingerprint),
        [other.fingerprint, key.fingerprint],
      );
      assert.equal(both[0]?.identity, "Other\\x1b[2J <o@example.com>");
    });
    it("are refused when a trusted key's is bad, whatever their order", async () => {
      const [good, bad] = [await craftPacket(key, content), await craftPacket(other, Buffer.from("changed"))];
      for (const signature of [armoredSignature(good, bad), armoredSignature(bad, good)]) {
        await assert.rejects(verify({ directory: path("both"), signature, content }), failure("SIGNATURE_BAD", /./));
        assert.equal((await verify({ directory: path("plain"), signature, content })).length, 1);
      }
    });
    it("count although another has expired", async () => {
      const signature = armoredSignature(
        await craftPacket(other, content, { expiresAfter: 60 }),
        await craftPacket(key, content),
      );
      assert.equal((await verify({ directory: path("both"), signature, content })).length, 1);
    });
    it("in two blocks are refused", async () => {
      const signature = Buffer.concat([await craft(other, Buffer.from("x")), await craft(key, content)]);
      await assert.rejects(
        verify({ directory: path("both"), signature, content }),
        failure("SIGNATURE_INVALID", /several/),
      );
    });
  });

  it("T-S15, T-S16: a key counts below its prefix by whole components only", async () => {
    const directory = path("scoped");
    await trust(directory, key, { prefix: "example.com/foo" });
    const signature = await craft(key, content);
    for (const allowed of ["example.com/foo", "example.com/foo/bar"]) {
      assert.equal((await verify({ directory, signature, content, name: allowed })).length, 1);
    }
    for (const refused of [
      "example.com/foobar",
      "example.com",
      "example.com/fo",
      "example.org/foo",
      "example.com.evil/foo",
    ]) {
      await assert.rejects(verify({ directory, signature, content, name: refused }), failure("KEY_UNTRUSTED", /none/));
    }
  });

  it("T-S17: a root key counts for any name", async () => {
    const directory = path("root");
    await trust(directory, key, "root");
    const [signer] = await verify({
      directory,
      signature: await craft(key, content),
      content,
      name: "any.example/thing",
    });
    assert.equal(signer?.scope, "root");
  });

  it("TRUST-6, T-S18: a binary signature counts as well", async () => {
    const signature = packetBytes(2, (await craftPacket(key, content)).write());
    assert.equal((await verify({ directory: path("plain"), signature, content })).length, 1);
  });

  describe("TRUST-8, T-S19: subkeys", () => {
    const bound = async (sign: boolean) => {
      const owner = await makeKey({ subkeys: [{ sign, type: "ecc", ...(sign ? { curve: "ed25519Legacy" } : {}) }] });
      const [subkey] = owner.key.subkeys;
      if (!(subkey?.keyPacket instanceof openpgp.SecretSubkeyPacket)) throw new Error("no subkey");
      return { owner, subkey, packet: subkey.keyPacket };
    };
    it("that are bound for signing count, as their primary key", async () => {
      const { owner, packet } = await bound(true);
      const [signer] = await verdict(owner, { signWith: packet });
      assert.equal(signer?.fingerprint, owner.fingerprint);
    });
    it("without back-signature are refused", async () => {
      const { owner, subkey, packet } = await bound(true);
      for (const binding of subkey.bindingSignatures) binding.embeddedSignature = null;
      // Bound anew by the primary key, without the subkey's own consent: an adopted stranger.
      const adopted = new openpgp.SignaturePacket();
      adopted.signatureType = openpgp.enums.signature.subkeyBinding;
      adopted.hashAlgorithm = openpgp.enums.hash.sha512;
      adopted.publicKeyAlgorithm = owner.key.keyPacket.algorithm;
      adopted.keyFlags = new Uint8Array([openpgp.enums.keyFlags.signData]);
      const date = new Date(now.getTime() - 50 * day);
      await Reflect.apply(adopted.sign, adopted, [
        owner.key.keyPacket,
        { key: owner.key.keyPacket, bind: packet },
        date,
        false,
        {},
      ]);
      subkey.bindingSignatures = [adopted];
      await assert.rejects(
        verdict(made(owner.key), { signWith: packet }),
        failure("SIGNATURE_INVALID", /may not sign/),
      );
    });
    it("that were revoked are refused", async () => {
      const { owner, subkey, packet } = await bound(true);
      if (!(owner.key.keyPacket instanceof openpgp.SecretKeyPacket)) throw new Error("no secret key");
      owner.key.subkeys = [await subkey.revoke(owner.key.keyPacket, undefined, new Date(now.getTime() - day))];
      await assert.rejects(verdict(made(owner.key), { signWith: packet }), failure("SIGNATURE_INVALID", /revoked/));
    });
    it("of another key that says it has them are not found there", async () => {
      const { packet } = await bound(true);
      const signature = await craft(key, content, { signWith: packet });
      await assert.rejects(verify({ directory: path("plain"), signature, content }), failure("KEY_UNTRUSTED", /./));
    });
  });

  it("T-S20: a primary key that may only certify is refused", async () => {
    const certifier = await makeKey();
    const [user] = certifier.key.users;
    if (user?.userID == null) throw new Error("no user");
    const self = new openpgp.SignaturePacket();
    self.signatureType = openpgp.enums.signature.certPositive;
    self.hashAlgorithm = openpgp.enums.hash.sha512;
    self.publicKeyAlgorithm = certifier.key.keyPacket.algorithm;
    self.keyFlags = new Uint8Array([openpgp.enums.keyFlags.certifyKeys]);
    const data = { userID: user.userID, key: certifier.key.keyPacket };
    await Reflect.apply(self.sign, self, [
      certifier.key.keyPacket,
      data,
      new Date(now.getTime() - 50 * day),
      false,
      {},
    ]);
    user.selfCertifications = [self];
    await assert.rejects(verdict(made(certifier.key)), failure("SIGNATURE_INVALID", /may not sign/));
  });

  it("TRUST-11, T-S21: a critical notation that nobody here knows is refused, another is not", async () => {
    const notation = { name: "x@example.com", value: Buffer.from("y"), humanReadable: true };
    await assert.rejects(
      verdict(key, { notations: [{ ...notation, critical: true }] }),
      failure("SIGNATURE_INVALID", /condition/),
    );
    assert.equal((await verdict(key, { notations: [{ ...notation, critical: false }] })).length, 1);
  });

  it("TRUST-11, T-S22: a text signature is refused", async () => {
    const text = await openpgp.createMessage({ text: content.toString() });
    const signature = await openpgp.sign({ message: text, signingKeys: key.key, detached: true });
    await assert.rejects(
      verify({ directory: path("plain"), signature: Buffer.from(signature), content }),
      failure("SIGNATURE_INVALID", /binary/),
    );
  });

  describe("TRUST-7, T-S23: the unhashed area", () => {
    const issuerIn = (fingerprint: string): openpgp.RawSubpacket => ({
      type: 33,
      critical: false,
      body: Buffer.concat([Buffer.from([4]), Buffer.from(fingerprint, "hex")]),
    });
    it("cannot name another key", async () => {
      const packet = await craftPacket(key, content);
      packet.unhashedSubpackets.push(issuerIn(other.fingerprint));
      const [signer] = await verify({ directory: path("both"), signature: armoredSignature(packet), content });
      assert.equal(signer?.fingerprint, key.fingerprint);
    });
    it("cannot make a stranger's signature a trusted key's", async () => {
      const packet = await craftPacket(other, content);
      packet.unhashedSubpackets.push(issuerIn(key.fingerprint));
      await assert.rejects(
        verify({ directory: path("plain"), signature: armoredSignature(packet), content }),
        failure("KEY_UNTRUSTED", /./),
      );
    });
  });

  describe("T-S24: what is too much or too new", () => {
    const hostile: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
      ["100,000 packets", () => packetBytes(2, ...new Array<Buffer>(100_000).fill(Buffer.alloc(0))), /bytes/],
      ["33 packets", () => packetBytes(2, ...new Array<Buffer>(33).fill(Buffer.from([3]))), /32 packets/],
      ["a packet of 1 GiB that is not there", () => Buffer.from([0xc2, 0xff, 0x40, 0, 0, 0, 4]), /longer/],
      ["a partial length", () => Buffer.from([0xc2, 0xe1, 4, 0, 1]), /definite/],
      ["an indeterminate length", () => Buffer.from([0x8b, 4, 0, 1]), /definite/],
      ["half a header", () => Buffer.from([0xc2]), /cut off/],
      ["a version 4 body that ends early", () => packetBytes(2, Buffer.from([4, 0])), /malformed|range/i],
      ["only versions 3 and 6", () => packetBytes(2, Buffer.from([3, 5]), Buffer.from([6, 0])), /fingerprint/],
      ["another kind of packet", () => packetBytes(13, Buffer.from("user")), /more than signatures/],
      ["nothing", () => Buffer.alloc(0), /./],
    ];
    for (const [why, signature, reason] of hostile) {
      it(`${why} is refused`, async () => {
        await assert.rejects(
          verify({ directory: path("plain"), signature: signature(), content }),
          failure("SIGNATURE_INVALID", reason),
        );
      });
    }
  });

  it("T-S25: armour that is not exactly one clean block is refused", async () => {
    const packet = await craftPacket(key, content);
    const clean = armoredSignature(packet).toString();
    const changed = [
      `text before\n${clean}`,
      `${clean}text after\n`,
      clean.replace("\n\n", "\nNotDashEscaped: yes\n\n"),
      clean.replace("\n\n", "\nHash: SHA512\n\n"),
      clean.replace(/\n=.{4}/, "\n=AAAA"),
      clean.replace("\n\n", "\n\n\f"),
      clean.replace("\n\n", "\n\n\0"),
      clean.replace("\n\n", "\n"),
      clean.slice(0, -20),
      armor("PUBLIC KEY BLOCK", packetBytes(2, packet.write())),
    ];
    for (const text of changed) {
      await assert.rejects(
        verify({ directory: path("plain"), signature: Buffer.from(text), content }),
        failure("SIGNATURE_INVALID", /./),
        text,
      );
    }
    const harmless = [
      clean.replaceAll("\n", "\r\n"),
      clean.replace("\n\n", "\nVersion: GnuPG v2\nComment: ü\n\n"),
      clean.replace(/\n=.{4}/, ""),
    ];
    for (const text of harmless) {
      assert.equal((await verify({ directory: path("plain"), signature: Buffer.from(text), content })).length, 1, text);
    }
  });

  it("T-S26: a signature that names its key by a short id only is refused", async () => {
    const packet = await craftPacket(key, content);
    const body = Buffer.from(packet.write());
    // The subpacket of type 33 (issuer fingerprint) becomes a private one.
    const at = body.indexOf(Buffer.from([22, 33, 4]));
    assert.notEqual(at, -1);
    body[at + 1] = 100;
    await assert.rejects(
      verify({ directory: path("plain"), signature: packetBytes(2, body), content }),
      failure("SIGNATURE_INVALID", /fingerprint/),
    );
  });

  it("TRUST-12, T-S29: a byte that differs anywhere in what was hashed is refused", async () => {
    const signature = await craft(key, content);
    for (const changed of [content.subarray(1), Buffer.concat([content, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      await assert.rejects(
        verify({ directory: path("plain"), signature, content: changed }),
        failure("SIGNATURE_BAD", /./),
      );
    }
  });

  it("the bytes may come in any pieces, and the verdict be asked for several names", async () => {
    const keystore = openKeystore({ directories: [path("plain")] });
    const check = await beginVerification(await craft(key, content), { keystore, now });
    for (const byte of content) check.update(Buffer.from([byte]));
    assert.equal(check.sha512?.(), createHash("sha512").update(content).digest("hex"));
    assert.equal((await check.finish(name)).length, 1);
    await assert.rejects(check.finish("example.org/web"), failure("KEY_UNTRUSTED", /./));
    assert.equal((await check.finish(name)).length, 1);
  });
});
