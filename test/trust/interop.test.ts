/** Both ways with gpg 2.2 and gpgv: signatures and keys, protected and not. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { describeKeys, generateKey, readKeyFile, unlockKey } from "../../src/trust/keys.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { signStream } from "../../src/trust/sign.ts";
import { failure, privateGpg, temporary, verify } from "../helpers/trust.ts";

const content = Buffer.from("the bytes of an archive");
async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("gpg", () => {
  const path = temporary();
  const { gpg, gpgv } = privateGpg(() => path("gnupg"));
  before(() => {
    mkdirSync(path("gnupg"), { mode: 0o700 });
    writeFileSync(path("image.aci"), content);
  });
  const passphrase = "correct horse";
  const withPassphrase = ["--passphrase", passphrase];
  const unprotected = ["--passphrase", ""];

  for (const type of ["ed25519", "rsa4096"] as const) {
    it(`verifies our ${type} signatures, and so does gpgv`, async () => {
      const { secretArmored, publicArmored, info } = await generateKey({
        name: "Ours",
        email: `${type}@example.com`,
        type,
        now: new Date(),
      });
      const keys = [await unlockKey(Buffer.from(secretArmored))];
      const { file: signature } = await signStream(once(content), keys, new Date());
      writeFileSync(path(`${type}.asc`), signature);
      writeFileSync(path(`${type}.pub`), publicArmored);
      gpg("--import", path(`${type}.pub`));
      gpg("--output", path(`${type}.gpg`), "--export", info.fingerprint);
      gpg("--verify", path(`${type}.asc`), path("image.aci"));
      const status = gpgv("--keyring", path(`${type}.gpg`), path(`${type}.asc`), path("image.aci"));
      assert.match(
        status,
        new RegExp(`VALIDSIG ${info.fingerprint.toUpperCase()} .* 10 00 ${info.fingerprint.toUpperCase()}`),
      );
    });
  }

  for (const [id, type] of [
    ["T-S01", "rsa3072"],
    ["T-S02", "ed25519"],
    ["T-S01", "nistp256"],
    ["T-S01", "nistp384"],
  ] as const) {
    it(`${id}: we verify its ${type} signatures`, async () => {
      const user = `theirs-${type}@example.com`;
      gpg(...unprotected, "--quick-gen-key", user, type, "sign", "never");
      const armored = gpg("--armor", "--export", user);
      const [key] = await readKeyFile(armored);
      assert.ok(key !== undefined);
      assert.equal(key.info.algorithm, type);
      await storeTrustedKey(path(type), { prefix: "example.com" }, key.armored);
      const signature = gpg("--local-user", user, "--armor", "--output", "-", "--detach-sign", path("image.aci"));
      const [signer] = await verify({ directory: path(type), signature, content, now: new Date() });
      assert.equal(signer?.fingerprint, key.info.fingerprint);
      const changed = Buffer.concat([content, Buffer.from("!")]);
      await assert.rejects(
        verify({ directory: path(type), signature, content: changed, now: new Date() }),
        failure("SIGNATURE_BAD", /./),
      );
    });
  }

  it("imports our protected keys and signs with them", async () => {
    const { secretArmored, info } = await generateKey({
      name: "Protected",
      email: "p@example.com",
      type: "ed25519",
      passphrase,
      now: new Date(),
    });
    writeFileSync(path("ours.asc"), secretArmored);
    gpg(...withPassphrase, "--import", path("ours.asc"));
    const sign = ["--local-user", info.fingerprint, "--armor", "--output", "-", "--detach-sign", path("image.aci")];
    assert.throws(() => gpg("--passphrase", "wrong", ...sign));
    const signature = gpg(...withPassphrase, ...sign);
    const [key] = await readKeyFile(gpg("--armor", "--export", info.fingerprint));
    assert.ok(key !== undefined);
    await storeTrustedKey(path("ours"), "root", key.armored);
    assert.equal(
      (await verify({ directory: path("ours"), signature, content, now: new Date() }))[0]?.fingerprint,
      info.fingerprint,
    );
  });

  for (const type of ["ed25519", "rsa3072"]) {
    it(`exports protected ${type} keys that we sign with`, async () => {
      const user = `export-${type}@example.com`;
      gpg(...withPassphrase, "--quick-gen-key", user, type, "sign", "never");
      const secret = gpg(...withPassphrase, "--armor", "--export-secret-keys", user);
      const [info] = await describeKeys(secret);
      assert.equal(info?.isProtected, true);
      await assert.rejects(unlockKey(secret, "wrong"), failure("PASSPHRASE_WRONG", /./));
      const keys = [await unlockKey(secret, passphrase)];
      writeFileSync(path("back.asc"), (await signStream(once(content), keys, new Date())).file);
      gpg("--verify", path("back.asc"), path("image.aci"));
    });
  }

  it("T-S09: its revocation certificate takes a key back", async () => {
    gpg(...unprotected, "--quick-gen-key", "revoked@example.com", "ed25519", "sign", "never");
    const signature = gpg(
      "--local-user",
      "revoked@example.com",
      "--armor",
      "--output",
      "-",
      "--detach-sign",
      path("image.aci"),
    );
    const [before] = await readKeyFile(gpg("--armor", "--export", "revoked@example.com"));
    assert.ok(before !== undefined);
    const certificate = path("gnupg", "openpgp-revocs.d", `${before.info.fingerprint.toUpperCase()}.rev`);
    // gpg disarms the certificate it keeps with a colon, so that nobody imports it by mistake.
    writeFileSync(path("revoke.asc"), readFileSync(certificate, "utf8").replace(":-----BEGIN", "-----BEGIN"));
    gpg("--import", path("revoke.asc"));
    const [revoked] = await readKeyFile(gpg("--armor", "--export", "revoked@example.com"));
    assert.equal(revoked?.info.problem, "it is revoked");
    await storeTrustedKey(path("revoked"), "root", revoked.armored);
    await assert.rejects(
      verify({ directory: path("revoked"), signature, content, now: new Date() }),
      failure("SIGNATURE_INVALID", /revoked/),
    );
  });

  it("T-S19: signatures by its signing subkey count as the primary key's, and gpgv verifies ours by it", async () => {
    const user = "subkey@example.com";
    gpg(...unprotected, "--quick-gen-key", user, "ed25519", "cert", "never");
    const [primary] = await readKeyFile(gpg("--armor", "--export", user));
    const fingerprint = primary?.info.fingerprint ?? "";
    gpg(...unprotected, "--quick-add-key", fingerprint, "ed25519", "sign", "never");
    const [key] = await readKeyFile(gpg("--armor", "--export", user));
    assert.ok(key !== undefined);
    await storeTrustedKey(path("subkey"), "root", key.armored);
    const theirs = gpg("--local-user", user, "--armor", "--output", "-", "--detach-sign", path("image.aci"));
    const secret = await unlockKey(gpg(...unprotected, "--armor", "--export-secret-keys", user));
    const ours = (await signStream(once(content), [secret], new Date())).file;
    for (const signature of [theirs, ours]) {
      const [signer] = await verify({ directory: path("subkey"), signature, content, now: new Date() });
      assert.equal(signer?.fingerprint, fingerprint);
    }
    writeFileSync(path("subkey.asc"), ours);
    gpg("--yes", "--output", path("subkey.gpg"), "--export", user);
    const status = gpgv("--keyring", path("subkey.gpg"), path("subkey.asc"), path("image.aci"));
    const [, by, of] = /VALIDSIG ([0-9A-F]{40}) .* 10 00 ([0-9A-F]{40})/.exec(status) ?? [];
    assert.equal(of?.toLowerCase(), fingerprint);
    assert.notEqual(by, of);
  });

  it("T-S08, T-S10: its keys and signatures that have expired do not count", async () => {
    const made = new Date("2026-01-01T00:00:00Z");
    const at = `${made.toISOString().replace(/[-:]|\.\d+Z/g, "")}!`;
    const user = "expired@example.com";
    gpg(...unprotected, "--faked-system-time", at, "--quick-gen-key", user, "ed25519", "sign", "7d");
    const sign = (...options: string[]) =>
      gpg(
        "--faked-system-time",
        at,
        ...options,
        "--local-user",
        user,
        "--armor",
        "--output",
        "-",
        "--detach-sign",
        path("image.aci"),
      );
    const [key] = await readKeyFile(gpg("--armor", "--export", user), made);
    assert.ok(key !== undefined);
    await storeTrustedKey(path("expired"), "root", key.armored);
    const after = (days: number) => new Date(made.getTime() + days * 24 * 60 * 60 * 1000);
    const check = (signature: Buffer, days: number) =>
      verify({ directory: path("expired"), signature, content, now: after(days) });
    const plain = sign();
    assert.equal((await check(plain, 6)).length, 1);
    await assert.rejects(check(plain, 8), failure("SIGNATURE_INVALID", /expired/));
    const short = sign("--default-sig-expire", "2d");
    assert.equal((await check(short, 1)).length, 1);
    await assert.rejects(check(short, 3), failure("SIGNATURE_INVALID", /expired/));
  });

  it("T-S06, T-S18: its binary signatures count, with SHA-1 they do not", async () => {
    const user = "theirs-rsa3072@example.com";
    const sign = (...options: string[]) =>
      gpg("--local-user", user, ...options, "--output", "-", "--detach-sign", path("image.aci"));
    assert.equal((await verify({ directory: path("rsa3072"), signature: sign(), content, now: new Date() })).length, 1);
    const weak = sign("--digest-algo", "SHA1");
    await assert.rejects(
      verify({ directory: path("rsa3072"), signature: weak, content, now: new Date() }),
      failure("SIGNATURE_INVALID", /SHA-1/),
    );
  });

  it("T-S14: several signatures in one file, ours for it and its for us", async () => {
    const made = [];
    for (const email of ["one@example.com", "two@example.com"]) {
      made.push(await generateKey({ name: "Several", email, type: "ed25519", now: new Date() }));
    }
    const keys = [];
    for (const { secretArmored, info } of made) {
      writeFileSync(path("several.asc"), secretArmored);
      gpg(...unprotected, "--import", path("several.asc"));
      keys.push(await unlockKey(Buffer.from(secretArmored)));
      const [key] = await readKeyFile(gpg("--armor", "--export", info.fingerprint));
      assert.ok(key !== undefined);
      await storeTrustedKey(path("several"), "root", key.armored);
    }
    writeFileSync(path("ours.sig"), (await signStream(once(content), keys, new Date())).file);
    const ring = made.map(({ info }) => info.fingerprint);
    gpg("--yes", "--output", path("several.gpg"), "--export", ...ring);
    const status = gpgv("--keyring", path("several.gpg"), path("ours.sig"), path("image.aci"));
    assert.deepEqual(
      [...status.matchAll(/VALIDSIG ([0-9A-F]{40})/g)].map((match) => match[1]?.toLowerCase()),
      ring,
    );
    const users = ring.flatMap((fingerprint) => ["--local-user", fingerprint]);
    const signature = gpg(...users, "--armor", "--output", "-", "--detach-sign", path("image.aci"));
    const signers = await verify({ directory: path("several"), signature, content, now: new Date() });
    assert.deepEqual(signers.map(({ fingerprint }) => fingerprint).sort(), ring.toSorted());
  });

  it("T-S05: its DSA keys do not count", async () => {
    gpg(...unprotected, "--quick-gen-key", "dsa@example.com", "dsa2048", "sign", "never");
    const [key] = await readKeyFile(gpg("--armor", "--export", "dsa@example.com"));
    assert.match(key?.info.problem ?? "", /dsa keys are not accepted/);
    assert.ok(key !== undefined);
    await storeTrustedKey(path("dsa"), "root", key.armored);
    const sign = ["--local-user", "dsa@example.com", "--digest-algo", "SHA512", "--output", "-", "--detach-sign"];
    await assert.rejects(
      verify({ directory: path("dsa"), signature: gpg(...sign, path("image.aci")), content, now: new Date() }),
      failure("SIGNATURE_INVALID", /dsa keys/),
    );
  });

  it("T-S22: its text signatures do not count", async () => {
    const user = "theirs-ed25519@example.com";
    const signature = gpg("--local-user", user, "--textmode", "--output", "-", "--detach-sign", path("image.aci"));
    await assert.rejects(
      verify({ directory: path("ed25519"), signature, content, now: new Date() }),
      failure("SIGNATURE_INVALID", /binary/),
    );
  });
});
