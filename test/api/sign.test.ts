import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createKey, exportKey } from "../../src/api/keys.ts";
import { signImage } from "../../src/api/sign.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
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
    assert.deepEqual(signed, { image, signature: `${image}.asc`, fingerprints: [key.fingerprint], signedAt: now });
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
