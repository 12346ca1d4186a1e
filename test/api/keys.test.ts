import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encryptKey } from "openpgp";
import { createKey, exportKey, givenPassphrase, importKeys, listKeys, selectKeys } from "../../src/api/keys.ts";
import { armor } from "../../src/trust/armor.ts";
import { describeKeys, unlockKey } from "../../src/trust/keys.ts";
import { failure, makeKey, now, settingsIn, temporary, warnings } from "../helpers/trust.ts";

const who = { name: "Example Builds", email: "builds@example.com", now };

describe("signing keys", () => {
  const path = temporary();
  const fresh = (overrides = {}) => settingsIn(mkdtempSync(path("case-")), overrides);

  it("are made in <user-config>/keys, 0600 in 0700, and listed", async () => {
    const settings = fresh();
    assert.deepEqual(await listKeys(settings), []);
    const key = await createKey(settings, { ...who, passphrase: "secret" });
    assert.equal(key.path, join(settings.directories.userConfig, "keys", `${key.fingerprint}.asc`));
    assert.equal(statSync(key.path).mode & 0o777, 0o600);
    assert.equal(statSync(join(key.path, "..")).mode & 0o777, 0o700);
    assert.deepEqual(await listKeys(settings), [key]);
    assert.equal(key.isProtected, true);
  });

  it("need a name, an email and, if any, a passphrase with something in it", async () => {
    const settings = fresh();
    for (const wrong of [{ name: "a <b>" }, { name: " " }, { email: "nobody" }, { email: "a@b>c" }, { name: "a\nb" }]) {
      await assert.rejects(
        createKey(settings, { ...who, passphrase: undefined, ...wrong }),
        failure("USAGE", /looks like|some text/),
      );
    }
    await assert.rejects(createKey(settings, { ...who, passphrase: "" }), failure("USAGE", /empty/));
    assert.deepEqual(await listKeys(settings), []);
  });

  it("are chosen by prefix; without one the only one is taken", async () => {
    const settings = fresh();
    await assert.rejects(selectKeys(settings, []), failure("NOT_FOUND", /no signing key/));
    const a = await createKey(settings, { ...who, passphrase: undefined });
    assert.deepEqual(await selectKeys(settings, []), [a]);
    const b = await createKey(settings, { ...who, passphrase: undefined });
    await assert.rejects(selectKeys(settings, []), failure("AMBIGUOUS", new RegExp(a.fingerprint)));
    assert.deepEqual(await selectKeys(settings, [b.fingerprint.slice(0, 12), a.fingerprint, b.fingerprint]), [b, a]);
  });

  it("are exported public unless the secret is asked for, and come back", async () => {
    const settings = fresh();
    const key = await createKey(settings, { ...who, passphrase: "secret" });
    const exported = await exportKey(settings, { fingerprint: key.fingerprint.slice(0, 8) });
    assert.match(exported.armored, /^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
    assert.equal((await describeKeys(Buffer.from(exported.armored)))[0]?.hasSecret, false);
    const output = path("secret.asc");
    await exportKey(settings, { fingerprint: key.fingerprint, secret: true, output });
    assert.equal(statSync(output).mode & 0o777, 0o600);
    await assert.rejects(exportKey(settings, { fingerprint: key.fingerprint, output }), failure("ALREADY_EXISTS", /./));
    const other = fresh();
    assert.deepEqual(
      (await importKeys(other, output)).map(({ fingerprint }) => fingerprint),
      [key.fingerprint],
    );
    assert.equal((await unlockKey(readFileSync(output), "secret")).fingerprint, key.fingerprint);
    assert.deepEqual(await importKeys(other, output), await listKeys(other), "TRUST-30");
    await exportKey(settings, { fingerprint: key.fingerprint, output, overwrite: true });
    assert.match(readFileSync(output, "utf8"), /PUBLIC KEY/);
  });

  it("are imported one by one from a file of several, unprotected ones with a warning", async () => {
    const { log, heard } = warnings();
    const settings = fresh({ log });
    const keys = [await makeKey(), await makeKey()];
    writeFileSync(path("two.asc"), armor("PRIVATE KEY BLOCK", Buffer.concat(keys.map(({ key }) => key.write()))));
    const imported = await importKeys(settings, path("two.asc"));
    assert.deepEqual(
      imported.map(({ fingerprint }) => fingerprint),
      keys.map(({ fingerprint }) => fingerprint),
    );
    assert.equal((await listKeys(settings)).length, 2);
    assert.equal(heard.length, 2);
    assert.match(heard[0] ?? "", /not protected/);
  });

  it("TRUST-30: that are there in another form are not imported, and nothing else of the file is", async () => {
    const settings = fresh();
    const [known, other] = [await makeKey(), await makeKey()];
    const locked = await encryptKey({ privateKey: known.key, passphrase: "secret" });
    const keys = [other.key, locked].map((key) => key.write());
    writeFileSync(path("known.asc"), armor("PRIVATE KEY BLOCK", known.key.write()));
    writeFileSync(path("locked.asc"), armor("PRIVATE KEY BLOCK", Buffer.concat(keys)));
    const stored = await importKeys(settings, path("known.asc"));
    await assert.rejects(importKeys(settings, path("locked.asc")), failure("ALREADY_EXISTS", /there already/));
    assert.deepEqual(await listKeys(settings), stored);
  });

  it("that are public are not imported", async () => {
    const key = await makeKey();
    writeFileSync(path("public.asc"), key.armored);
    await assert.rejects(importKeys(fresh(), path("public.asc")), failure("KEY_INVALID", /public key/));
    await assert.rejects(importKeys(fresh(), path("nothing.asc")), failure("NOT_FOUND", /not there/));
  });

  it("get their passphrase from a file's first line, else from the environment", async () => {
    const settings = fresh({ environment: new Map([["PERIGEE_PASSPHRASE", "from the environment"]]) });
    writeFileSync(path("pass"), "from the file \r\nsecond line\n");
    assert.equal(await givenPassphrase(settings, path("pass")), "from the file ");
    assert.equal(await givenPassphrase(settings, undefined), "from the environment");
    assert.equal(await givenPassphrase(fresh(), undefined), undefined);
    await assert.rejects(givenPassphrase(settings, path("nothing")), failure("NOT_FOUND", /./));
  });
});
