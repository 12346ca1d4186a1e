import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import type { InsecureOption, Settings } from "../../src/api/settings.ts";
import { findKeys, parsePrefix, storeRevocation, trustKey } from "../../src/api/trust.ts";
import { silentLog } from "../../src/base/log.ts";
import { createHttpClient } from "../../src/http/client.ts";
import { armor } from "../../src/trust/armor.ts";
import { parsePublicKey } from "../../src/trust/keys.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { isRevoked } from "../../src/trust/signing-key.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";
import { failure, type MadeKey, made, makeKey, settingsIn, temporary, warnings } from "../helpers/trust.ts";

const prefix = { prefix: "example.com/web" };

describe("trusting keys", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  let authority: Authority;
  let server: ScriptedServer;
  before(async () => {
    [key, other] = await Promise.all([makeKey(), makeKey()]);
    authority = createAuthority();
    server = await startServer(authority.issue(["example.com"]));
    const page =
      '<html><head><meta name="ac-discovery-pubkeys" content="example.com https://example.com/keys.asc"></head></html>';
    server.on("/?ac-discovery=1", { body: page });
    server.on("/web?ac-discovery=1", { status: 404 });
    server.on("/keys.asc", { body: key.armored });
    server.on("/big.asc", { body: Buffer.alloc(1024 * 1024 + 1) });
    server.on("/down.asc", { status: 503 });
    server.on("/gone.asc", { status: 404 });
    server.on("/downgrade.asc", { status: 302, headers: { location: "http://example.com/keys.asc" } });
  });
  after(async () => {
    await server.close();
    authority.remove();
  });
  const fresh = (overrides: Partial<Settings> = {}) => {
    const connectTo = [{ host: "example.com", address: "127.0.0.1", port: server.port }];
    const tls = { caFiles: [authority.caFile], connectTo, insecureTls: false, insecureHttp: false, log: silentLog };
    return settingsIn(mkdtempSync(path("case-")), { http: async () => createHttpClient(tls), ...overrides });
  };

  it("finds every key of a file by itself, and stores the bytes that were shown (T-D10, TRUST-19)", async () => {
    const settings = fresh();
    writeFileSync(
      path("two.asc"),
      armor("PUBLIC KEY BLOCK", Buffer.concat([key.key.toPublic().write(), other.key.toPublic().write()])),
    );
    const candidates = await findKeys(settings, prefix, [path("two.asc"), path("two.asc")]);
    assert.deepEqual(
      candidates.map(({ info }) => info.fingerprint),
      [key.fingerprint, other.fingerprint],
    );
    const [candidate] = candidates;
    assert.ok(candidate !== undefined);
    const stored = await trustKey(settings, prefix, candidate);
    assert.deepEqual(readFileSync(stored.path), candidate.armored);
    assert.deepEqual(readdirSync(join(stored.path, "..")), [key.fingerprint]);
  });

  it("T-D11: finding trusts nothing", async () => {
    const settings = fresh();
    await findKeys(settings, prefix, []);
    assert.deepEqual(readdirSync(join(settings.directories.userConfig, "..")), []);
  });

  it("discovers the keys that the prefix, or a parent of it, announces (DISC-3, DISC-7)", async () => {
    const [candidate, ...more] = await findKeys(fresh(), prefix, []);
    assert.equal(more.length, 0);
    assert.equal(candidate?.location, "https://example.com/keys.asc");
    assert.equal(candidate.info.fingerprint, key.fingerprint);
  });

  it("says what came of discovery when there are no keys, or no answer", async () => {
    const settings = fresh();
    server.on("/none?ac-discovery=1", { body: "<html></html>" });
    server.on("/?ac-discovery=1", { status: 404 });
    await assert.rejects(
      findKeys(settings, { prefix: "example.com/none" }, []),
      failure("DISCOVERY_FAILED", /announced for example\.com\/none/),
    );
    server.on("/?ac-discovery=1", { status: 401 });
    await assert.rejects(findKeys(settings, { prefix: "example.com" }, []), failure("NOT_AUTHORISED", /401/));
    server.on("/?ac-discovery=1", { dropped: true });
    await assert.rejects(findKeys(settings, { prefix: "example.com" }, []), failure("HTTP_FAILED", /./));
    await assert.rejects(findKeys(settings, "root", []), failure("USAGE", /cannot be discovered/));
  });

  it("T-D10: fetches keys over https only, and not too much", async () => {
    const settings = fresh();
    const from = (url: string, one = settings) => findKeys(one, prefix, [url]);
    assert.equal((await from("https://example.com/keys.asc")).length, 1);
    const asked = server.requests.length;
    for (const url of ["http://example.com/keys.asc", "ftp://example.com/keys.asc", "file:///etc/passwd"]) {
      await assert.rejects(from(url), failure("USAGE", /over https/), url);
    }
    assert.equal(server.requests.length, asked);
    await assert.rejects(from("https://example.com/downgrade.asc"), failure("HTTP_FAILED", /./));
    await assert.rejects(from("https://example.com/big.asc"), failure("LIMIT_EXCEEDED", /./));
    await assert.rejects(from("https://example.com/down.asc"), failure("HTTP_FAILED", /503/));
    await assert.rejects(from("https://example.com/gone.asc"), failure("NOT_FOUND", /404/));
    server.on("/secret.asc", { status: 403 });
    await assert.rejects(from("https://example.com/secret.asc"), failure("NOT_AUTHORISED", /403/));
    // Being told that keys may come over http is not being told that http may be used at all.
    const insecure = fresh({ insecure: new Set<InsecureOption>(["pubkey"]) });
    await assert.rejects(from("http://example.com/keys.asc", insecure), failure("HTTP_FAILED", /neither encrypted/));
  });

  it("refuses files that are no public keys", async () => {
    const settings = fresh();
    writeFileSync(path("secret.asc"), armor("PRIVATE KEY BLOCK", key.key.write()));
    writeFileSync(path("text.asc"), "hello");
    await assert.rejects(findKeys(settings, "root", [path("secret.asc")]), failure("KEY_INVALID", /secret key/));
    await assert.rejects(findKeys(settings, "root", [path("text.asc")]), failure("KEY_INVALID", /no OpenPGP key file/));
    await assert.rejects(findKeys(settings, "root", [path("no.asc")]), failure("NOT_FOUND", /not there/));
  });

  it("stores in the machine's configuration for root, else in the user's", async () => {
    for (const isRoot of [true, false]) {
      const settings = fresh({ caller: { uid: 0, gid: 0, isRoot } });
      writeFileSync(path("key.asc"), key.armored);
      const [candidate] = await findKeys(settings, "root", [path("key.asc")]);
      assert.ok(candidate !== undefined);
      const stored = await trustKey(settings, "root", candidate);
      const { localConfig, userConfig } = settings.directories;
      assert.equal(stored.path, join(isRoot ? localConfig : userConfig, "trustedkeys", "root.d", key.fingerprint));
      assert.equal(stored.scope, "root");
    }
  });

  it("refuses a key whose signatures would never count", async () => {
    const settings = fresh();
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    writeFileSync(path("revoked.asc"), made(privateKey).armored);
    const [candidate] = await findKeys(settings, prefix, [path("revoked.asc")]);
    assert.ok(candidate !== undefined);
    await assert.rejects(trustKey(settings, prefix, candidate), failure("KEY_INVALID", /revoked/));
    assert.deepEqual(await storeRevocation(settings, candidate), [], "it was never trusted");
  });

  it("TRUST-25: stores a revoked copy over one that is trusted, and no other copy", async () => {
    const settings = fresh();
    writeFileSync(path("key.asc"), key.armored);
    const [plain] = await findKeys(settings, prefix, [path("key.asc")]);
    assert.ok(plain !== undefined);
    const { path: file } = await trustKey(settings, prefix, plain);
    assert.deepEqual(await storeRevocation(settings, plain), []);
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    // Without the signature that proves it, it is no revocation.
    const forged = made(privateKey).key.toPublic();
    forged.revocationSignatures = (
      await openpgp.revokeKey({ key: other.key, format: "object" })
    ).publicKey.revocationSignatures;
    writeFileSync(path("forged.asc"), armor("PUBLIC KEY BLOCK", forged.write()));
    for (const candidate of await findKeys(settings, prefix, [path("forged.asc")]))
      assert.deepEqual(await storeRevocation(settings, candidate), []);
    assert.deepEqual(readFileSync(file), key.armored);
    writeFileSync(path("revoked.asc"), made(privateKey).armored);
    const [revoked] = await findKeys(settings, prefix, [path("revoked.asc")]);
    assert.ok(revoked !== undefined);
    const [stored] = await storeRevocation(settings, revoked);
    assert.deepEqual([stored?.path, stored?.scope, stored?.isRevoked], [file, "example.com/web", true]);
    assert.deepEqual(readFileSync(file), revoked.armored);
  });

  it("TRUST-26: an older copy of a key that is stored as revoked is refused, for whatever names; nothing is replaced", async () => {
    const settings = fresh();
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const { path: file } = await storeTrustedKey(settings.directories.systemConfig, prefix, made(privateKey).armored);
    const before = readFileSync(file);
    writeFileSync(path("old.asc"), key.armored);
    const [old] = await findKeys(settings, prefix, [path("old.asc")]);
    assert.ok(old !== undefined);
    const refused = failure("KEY_INVALID", /older copy[\s\S]*trustedkeys/);
    await assert.rejects(trustKey(settings, prefix, old), refused);
    // Neither for others, nor where the revoked copy is hidden.
    await assert.rejects(trustKey(settings, { prefix: "example.com/other" }, old), refused);
    const mask = join(settings.directories.userConfig, "trustedkeys", "prefix.d", "example.com", "web");
    mkdirSync(mask, { recursive: true });
    writeFileSync(join(mask, key.fingerprint), "");
    await assert.rejects(trustKey(settings, "root", old), refused);
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(readdirSync(join(settings.directories.userConfig, "trustedkeys")), ["prefix.d"], "TRUST-32");
    // Another key is not concerned.
    writeFileSync(path("other.asc"), other.armored);
    const [another] = await findKeys(settings, prefix, [path("other.asc")]);
    assert.ok(another !== undefined);
    await trustKey(settings, prefix, another);
  });

  it("TRUST-32: what is refused leaves nothing: no file to lock, no directory", async () => {
    const settings = fresh();
    const { userConfig, systemConfig } = settings.directories;
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    await storeTrustedKey(systemConfig, prefix, made(privateKey).armored);
    writeFileSync(path("old.asc"), key.armored);
    const [old] = await findKeys(settings, prefix, [path("old.asc")]);
    assert.ok(old !== undefined);
    await assert.rejects(trustKey(settings, prefix, old), failure("KEY_INVALID", /older copy/));
    assert.equal(existsSync(userConfig), false);
    writeFileSync(path("other.asc"), other.armored);
    const [another] = await findKeys(settings, prefix, [path("other.asc")]);
    assert.ok(another !== undefined);
    for (const below of [[], ["trustedkeys"], ["trustedkeys", "prefix.d", "example.com"]]) {
      const shared = join(userConfig, ...below);
      mkdirSync(shared, { recursive: true });
      chmodSync(shared, 0o777);
      await assert.rejects(trustKey(settings, prefix, another), failure("CONFIG_INVALID", /written by others/));
      assert.deepEqual(readdirSync(shared), []);
      assert.equal(existsSync(join(userConfig, "trustedkeys", ".lock")), false);
      chmodSync(shared, 0o755);
    }
    await trustKey(settings, prefix, another);
  });

  it("TRUST-26: a subkey that the stored copy revokes stays revoked", async () => {
    const { log, heard } = warnings();
    const settings = fresh({ log });
    const parts = await makeKey({ subkeys: [{ sign: true }] });
    const newer = await openpgp.readKey({ armoredKey: parts.armored.toString() });
    const [subkey] = newer.subkeys;
    assert.ok(subkey !== undefined && parts.key.keyPacket instanceof openpgp.SecretKeyPacket);
    newer.subkeys = [await subkey.revoke(parts.key.keyPacket)];
    const armored = Buffer.from(armor("PUBLIC KEY BLOCK", newer.write()));
    await storeTrustedKey(settings.directories.userConfig, prefix, armored);
    writeFileSync(path("parts.asc"), parts.armored);
    const [old] = await findKeys(settings, prefix, [path("parts.asc")]);
    assert.ok(old !== undefined);
    const { path: file } = await trustKey(settings, prefix, old);
    const stored = await parsePublicKey(openpgp, readFileSync(file));
    assert.equal(await isRevoked(openpgp, stored, subkey.getFingerprint()), true);
    assert.equal(await isRevoked(openpgp, stored), false);
    assert.match(heard.join(), /revocation of a subkey is kept/);
  });

  it("T-S27: says when a mask takes the effect away", async () => {
    const { log, heard } = warnings();
    const settings = fresh({ log, caller: { uid: 0, gid: 0, isRoot: true } });
    const mask = join(settings.directories.userConfig, "trustedkeys", "prefix.d", "example.com", "web");
    mkdirSync(mask, { recursive: true });
    writeFileSync(join(mask, key.fingerprint), "");
    writeFileSync(path("key.asc"), key.armored);
    const [candidate] = await findKeys(settings, prefix, [path("key.asc")]);
    assert.ok(candidate !== undefined);
    await trustKey(settings, prefix, candidate);
    assert.match(heard.join("\n"), /no effect/);
  });

  it("takes prefixes that are names, and helps with others", () => {
    assert.equal(parsePrefix("example.com/web"), "example.com/web");
    for (const text of ["https://example.com", "example.com/*", "Example.com", "", "a b", "../x", "example.com/"]) {
      assert.throws(() => parsePrefix(text), failure("USAGE", /by whole components/), text);
    }
  });
});
