import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import type { Settings } from "../../src/api/settings.ts";
import { checkTrust, listTrusted, untrustKey } from "../../src/api/trusted.ts";
import { failure, type MadeKey, makeKey, now, settingsIn, temporary, trust, warnings } from "../helpers/trust.ts";

describe("trusted keys", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    key = await makeKey();
    other = await makeKey();
  });
  const fresh = (overrides: Partial<Settings> = {}) => settingsIn(mkdtempSync(path("case-")), overrides);
  const root = { caller: { uid: 0, gid: 0, isRoot: true } };

  it("are listed from all three directories", async () => {
    const settings = fresh();
    const { systemConfig, localConfig, userConfig } = settings.directories;
    await trust(systemConfig, key, "root");
    await trust(localConfig, key);
    await trust(userConfig, other, { prefix: "example.org" });
    assert.deepEqual(
      (await listTrusted(settings, { now })).map((one) => [one.scope, one.fingerprint, one.state, one.identities[0]]),
      [
        ["root", key.fingerprint, "counts", "Test Signer <signer@example.com>"],
        ["example.com", key.fingerprint, "counts", "Test Signer <signer@example.com>"],
        ["example.org", other.fingerprint, "counts", "Test Signer <signer@example.com>"],
      ],
    );
    assert.deepEqual(await listTrusted(fresh(), { now }), []);
  });

  it("check: those that count first, others with the reason; labels do not matter", async () => {
    const settings = fresh();
    await trust(settings.directories.userConfig, key);
    await trust(settings.directories.userConfig, other, { prefix: "a.example" });
    const checked = await checkTrust(settings, { name: "example.com/web:1.0.0,arch=amd64", now });
    assert.equal(checked.name, "example.com/web");
    assert.equal(checked.isTrusted, true);
    assert.deepEqual(
      checked.keys.map(({ scope, state }) => [scope, state]),
      [
        ["example.com", "counts"],
        ["a.example", "elsewhere"],
      ],
    );
    assert.equal((await checkTrust(settings, { name: "example.community", now })).isTrusted, false);
    for (const text of ["./web.aci", "https://example.com/web.aci", "sha512-00000000"]) {
      await assert.rejects(checkTrust(settings, { name: text }), failure("USAGE", /names/), text);
    }
  });

  it("rm: where it is asked for, and says where the key still counts", async () => {
    const { log, heard } = warnings();
    const settings = fresh({ log });
    const { userConfig } = settings.directories;
    await trust(userConfig, key, "root");
    await trust(userConfig, key);
    const [removed, ...more] = await untrustKey(settings, {
      fingerprint: key.fingerprint.slice(0, 8).toUpperCase(),
      scope: { prefix: "example.com" },
    });
    assert.equal(more.length, 0);
    assert.equal(removed?.scope, "example.com");
    assert.match(heard.join("\n"), /still trusted for all images/);
    await assert.rejects(
      untrustKey(settings, { fingerprint: key.fingerprint, scope: { prefix: "example.com" } }),
      failure("NOT_FOUND", /trusted for root/),
    );
    assert.equal((await untrustKey(settings, { fingerprint: key.fingerprint })).length, 1);
    assert.deepEqual(await listTrusted(settings), []);
    await assert.rejects(untrustKey(settings, { fingerprint: key.fingerprint }), failure("NOT_FOUND", /no key/));
  });

  it("rm: root removes the machine's and its own, and masks the system's; others mask both in their own", async () => {
    for (const isRoot of [true, false]) {
      const settings = fresh(isRoot ? root : {});
      const { systemConfig, localConfig, userConfig } = settings.directories;
      const stored = await Promise.all([systemConfig, localConfig, userConfig].map((one) => trust(one, key)));
      const [result] = await untrustKey(settings, { fingerprint: key.fingerprint });
      const [low, middle, high] = stored.map((one) => one.path);
      assert.equal(result?.mask, isRoot ? middle : high);
      assert.deepEqual(readFileSync(low ?? ""), key.armored);
      assert.equal(readFileSync(middle ?? "").length === 0, isRoot);
      assert.equal(existsSync(high ?? ""), !isRoot);
      assert.equal((await checkTrust(settings, { name: "example.com" })).isTrusted, false);
    }
  });

  it("rm: a short or shared prefix names no key, and nothing is removed", async () => {
    const settings = fresh();
    const { path: file } = await trust(settings.directories.userConfig, key);
    const twin = file.replace(key.fingerprint, key.fingerprint.slice(0, 8).padEnd(40, "0"));
    writeFileSync(twin, "not looked into", { mode: 0o644 });
    await assert.rejects(untrustKey(settings, { fingerprint: key.fingerprint.slice(0, 8) }), failure("AMBIGUOUS", /./));
    for (const text of ["", "1234567", "../../x", `${key.fingerprint}0`]) {
      await assert.rejects(untrustKey(settings, { fingerprint: text }), failure("USAGE", /fingerprint/), text);
    }
    assert.deepEqual([existsSync(file), existsSync(twin)], [true, true]);
  });
});
