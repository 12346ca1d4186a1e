import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as openpgp from "openpgp";
import { changingKeystore, keystoreOf } from "../../src/api/keystore.ts";
import { type KeyCandidate, storeRevocation, trustKey } from "../../src/api/trust.ts";
import { untrustKey } from "../../src/api/trusted.ts";
import { readKeyFile } from "../../src/trust/keys.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { failure, made, makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

describe("keystoreOf", () => {
  const path = temporary();
  it("TRUST-3: the user's files come after the machine's, and those after the system's", async () => {
    const settings = settingsIn(path());
    const { systemConfig, localConfig, userConfig } = settings.directories;
    const key = await makeKey();
    for (const directory of [systemConfig, localConfig, userConfig]) {
      const { path: file } = await trust(directory, key);
      const keys = await keystoreOf(settings).keysFor("example.com/web");
      assert.deepEqual(
        keys.map((one) => one.path),
        [file],
      );
    }
  });
});

describe("TRUST-27: one at a time changes the keys", () => {
  const path = temporary();
  const scope = { prefix: "example.com" };
  const fresh = () => settingsIn(mkdtempSync(path("case-")));
  const candidateOf = async (armored: Buffer): Promise<KeyCandidate> => {
    const [key] = await readKeyFile(armored);
    if (key === undefined) throw new Error("no key");
    return { ...key, location: "key.asc" };
  };

  it("an older copy does not take the place of a revocation that is stored while it waits (TRUST-26)", async () => {
    const settings = fresh();
    const { userConfig } = settings.directories;
    const key = await makeKey();
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const revoked = made(privateKey).armored;
    const { path: file } = await trust(userConfig, key);
    let waiting: Promise<unknown> | undefined;
    await changingKeystore(settings, undefined, async () => {
      waiting = trustKey(settings, scope, await candidateOf(key.armored));
      waiting.catch(() => {});
      await sleep(100);
      await storeTrustedKey(userConfig, scope, revoked);
    });
    await assert.rejects(waiting ?? assert.fail(), failure("KEY_INVALID", /older copy/));
    assert.deepEqual(readFileSync(file), revoked);
  });

  it("trust rm and revocations wait too, and look again at what is there then", async () => {
    const settings = fresh();
    const key = await makeKey();
    const { path: file } = await trust(settings.directories.userConfig, key);
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    const revoked = await candidateOf(made(privateKey).armored);
    let waiting: Promise<unknown> | undefined;
    await changingKeystore(settings, undefined, async () => {
      waiting = Promise.all([
        untrustKey(settings, { fingerprint: key.fingerprint }),
        storeRevocation(settings, revoked),
      ]);
      await sleep(100);
      assert.deepEqual(readFileSync(file), key.armored, "nothing changes while another has the turn");
    });
    await waiting;
    assert.equal(existsSync(file), false, "a revocation does not bring back what was taken away meanwhile");
    await assert.rejects(untrustKey(settings, { fingerprint: key.fingerprint }), failure("NOT_FOUND", /no key/));
  });

  it("twelve at once lose none, and leave nothing half", async () => {
    const settings = fresh();
    const keys = await Promise.all(Array.from({ length: 4 }, () => makeKey()));
    const scopes = ["root", scope, { prefix: "example.org/a" }] as const;
    const candidates = await Promise.all(keys.map(({ armored }) => candidateOf(armored)));
    await Promise.all(scopes.flatMap((one) => candidates.map((candidate) => trustKey(settings, one, candidate))));
    for (const name of ["example.com", "example.org/a"]) {
      const found = await keystoreOf(settings).keysFor(name);
      assert.equal(found.length, 8, name);
    }
    await Promise.all(keys.map(({ fingerprint }) => untrustKey(settings, { fingerprint })));
    assert.deepEqual(await keystoreOf(settings).keysFor(undefined), []);
  });

  it("the lock can be held by no stranger; who waits can be interrupted; what is not there makes none", async () => {
    const settings = fresh();
    const { userConfig } = settings.directories;
    await assert.rejects(untrustKey(settings, { fingerprint: "0123456789" }), failure("NOT_FOUND", /no key/));
    assert.equal(existsSync(userConfig), false);
    await changingKeystore(settings, undefined, async () => {
      assert.equal(statSync(join(userConfig, "trustedkeys", ".lock")).mode & 0o777, 0o600);
      const waiting = changingKeystore(settings, AbortSignal.timeout(50), async () => assert.fail("not its turn"));
      await assert.rejects(waiting, failure("INTERRUPTED", /waiting/));
    });
  });
});
