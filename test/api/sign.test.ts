import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as openpgp from "openpgp";
import { createKey, exportKey } from "../../src/api/keys.ts";
import { signImage } from "../../src/api/sign.ts";
import { verifyImage } from "../../src/api/verify.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { outlineSignatures } from "../../src/trust/signature.ts";
import { failure, now, settingsIn, temporary, verify } from "../helpers/trust.ts";

const who = { name: "Example Builds", email: "builds@example.com", now };

describe("signImage", () => {
  const path = temporary();
  const content = Buffer.alloc(600_000, "archive");
  const prepared = async (passphrase?: string) => {
    const directory = mkdtempSync(path("case-"));
    const settings = settingsIn(directory);
    const key = await createKey(settings, { ...who, passphrase });
    const image = join(directory, "web.aci");
    writeFileSync(image, content);
    return { directory, settings, key, image };
  };

  it("ACI-7, ACI-8, ACI-9: writes IMAGE.aci.asc, armoured and detached, for all to read", async () => {
    const { directory, settings, key, image } = await prepared();
    const signed = await signImage(settings, { image, now });
    assert.deepEqual(signed, {
      image,
      signature: `${image}.asc`,
      fingerprints: [key.fingerprint],
      kept: 0,
      signedAt: now,
    });
    assert.equal(statSync(signed.signature).mode & 0o777, 0o644);
    assert.match(readFileSync(signed.signature, "utf8"), /^-----BEGIN PGP SIGNATURE-----\n\n/);
    const { armored } = await exportKey(settings, { fingerprint: key.fingerprint });
    await storeTrustedKey(directory, "root", Buffer.from(armored));
    const signature = readFileSync(signed.signature);
    assert.equal((await verify({ directory, signature, content }))[0]?.fingerprint, key.fingerprint);
  });

  it("replaces a signature only when asked to", async () => {
    const { settings, image } = await prepared();
    const { signature } = await signImage(settings, { image, now });
    const first = readFileSync(signature);
    const later = new Date(now.getTime() + 5000);
    await assert.rejects(
      signImage(settings, { image, now: later }),
      failure("ALREADY_EXISTS", /\.asc is there already/),
    );
    assert.deepEqual(readFileSync(signature), first);
    await signImage(settings, { image, now: later, overwrite: true });
    assert.notDeepEqual(readFileSync(signature), first);
  });

  it("signs with several keys, each with its passphrase", async () => {
    const { settings, image, key } = await prepared("one");
    const other = await createKey(settings, { ...who, passphrase: "two" });
    const keys = [
      { fingerprint: key.fingerprint.slice(0, 10), passphrase: "one" },
      { fingerprint: other.fingerprint, passphrase: "two" },
    ];
    const { fingerprints } = await signImage(settings, { image, keys, now });
    assert.deepEqual(fingerprints, [key.fingerprint, other.fingerprint]);
  });

  it("TRUST-23: adds to what is there, or begins it; not to a signature of other bytes", async () => {
    const { settings, image, key } = await prepared();
    const other = await createKey(settings, { ...who, passphrase: undefined });
    const sign = async (fingerprint: string) =>
      await signImage(settings, { image, keys: [{ fingerprint }], now, append: true });
    assert.equal((await sign(key.fingerprint)).kept, 0);
    assert.equal((await sign(other.fingerprint)).kept, 1);
    assert.equal((await sign(other.fingerprint)).kept, 1);
    const before = readFileSync(`${image}.asc`);
    writeFileSync(image, "another archive");
    await assert.rejects(sign(key.fingerprint), failure("SIGNATURE_BAD", /not of this image/));
    assert.deepEqual(readFileSync(`${image}.asc`), before);
    const both = { image, now, append: true, overwrite: true };
    await assert.rejects(
      signImage(settings, { ...both, keys: [{ fingerprint: key.fingerprint }] }),
      failure("USAGE", /exclude/),
    );
  });

  it("TRUST-23: of several who add at the same time nobody loses a signature", async () => {
    const { settings, image, key } = await prepared();
    const others = await Promise.all(
      Array.from({ length: 4 }, () => createKey(settings, { ...who, passphrase: undefined })),
    );
    const fingerprints = [key, ...others].map(({ fingerprint }) => fingerprint);
    const signed = await Promise.all(
      fingerprints.map((fingerprint) => signImage(settings, { image, keys: [{ fingerprint }], now, append: true })),
    );
    assert.deepEqual(signed.map(({ kept }) => kept).sort(), [0, 1, 2, 3, 4]);
    const issuers = outlineSignatures(openpgp, readFileSync(`${image}.asc`)).map(({ issuer }) => issuer);
    assert.deepEqual(issuers.sort(), [...fingerprints].sort());
  });

  it("TRUST-24: through gpg: no own key is needed; gpg does not outlive a failure", { timeout: 60_000 }, async () => {
    const directory = mkdtempSync(path("case-"));
    const home = join(directory, "gnupg");
    mkdirSync(home, { mode: 0o700 });
    const image = join(directory, "web.aci");
    writeFileSync(image, content);
    const environment = new Map([
      ["PATH", process.env["PATH"] ?? ""],
      ["GNUPGHOME", home],
    ]);
    const settings = settingsIn(directory, { environment });
    const gpg = (...args: string[]) =>
      execFileSync("gpg", ["--batch", "--quiet", ...args], { env: Object.fromEntries(environment), stdio: "pipe" });
    try {
      gpg("--passphrase", "", "--quick-gen-key", "g@example.com", "ed25519", "sign", "never");
      const first = await signImage(settings, { image, gpg: ["g@example.com", "g@example.com"] });
      const { length, 0: fingerprint = "" } = first.fingerprints;
      assert.equal(length, 1);
      await storeTrustedKey(directory, "root", gpg("--armor", "--export", fingerprint));
      const signature = readFileSync(first.signature);
      const [signer] = await verify({ directory, signature, content, now: new Date() });
      assert.equal(signer?.fingerprint, fingerprint);
      writeFileSync(first.signature, "no signature");
      const append = signImage(settings, { image, gpg: [fingerprint], append: true });
      await assert.rejects(append, failure("SIGNATURE_INVALID", /./));
      assert.equal(readFileSync(first.signature, "utf8"), "no signature");
      await assert.rejects(
        signImage(settings, { image, gpg: ["nobody"], append: true }),
        failure("NOT_FOUND", /nobody/),
      );
      assert.deepEqual(readdirSync(directory).sort(), ["gnupg", "trustedkeys", "web.aci", "web.aci.asc"]);
    } finally {
      execFileSync("gpgconf", ["--kill", "all"], { env: Object.fromEntries(environment) });
    }
  });

  it("T-S24: signs and verifies in constant memory", async () => {
    const { directory, settings, key, image } = await prepared();
    truncateSync(image, 400 * 1024 * 1024);
    const before = process.resourceUsage().maxRSS;
    const { signature } = await signImage(settings, { image, now });
    const { armored } = await exportKey(settings, { fingerprint: key.fingerprint });
    await storeTrustedKey(settings.directories.userConfig, "root", Buffer.from(armored));
    // The signature counts; only then it is told that the bytes are no image.
    await assert.rejects(
      verifyImage(settings, { image, signature, name: "example.com/web", now }),
      failure("ARCHIVE_INVALID", /not an image/),
    );
    const grown = process.resourceUsage().maxRSS - before;
    assert.ok(grown < 200 * 1024, `${grown} KiB more for ${directory}`);
  });

  it("leaves nothing behind when it cannot sign", async () => {
    const { directory, settings, image } = await prepared("secret");
    await assert.rejects(signImage(settings, { image, now }), failure("PASSPHRASE_WRONG", /needs its passphrase/));
    await assert.rejects(signImage(settings, { image: path("no.aci"), now }), failure("NOT_FOUND", /no\.aci/));
    await assert.rejects(signImage(settings, { image: directory, now }), failure("IO_FAILED", /not a file/));
    await assert.rejects(
      signImage(settings, { image, now, keys: [{ fingerprint: "00000000", passphrase: "x" }] }),
      failure("NOT_FOUND", /no secret key/),
    );
    assert.deepEqual(readdirSync(directory).sort(), ["user", "web.aci"]);
  });

  it("ends when it is interrupted", async () => {
    const { directory, settings, image } = await prepared();
    await assert.rejects(signImage(settings, { image, now, signal: AbortSignal.abort() }), failure("INTERRUPTED", /./));
    assert.deepEqual(readdirSync(directory).sort(), ["user", "web.aci"]);
  });
});
