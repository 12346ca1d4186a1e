import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { openKeystore } from "../../src/trust/keystore.ts";
import { trustedPlaces, withdraw } from "../../src/trust/withdraw.ts";
import { type MadeKey, makeKey, temporary, trust } from "../helpers/trust.ts";

describe("withdrawing trust", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    key = await makeKey();
    other = await makeKey();
  });
  const scene = () => {
    const [system, local, user] = ["a", "b", "c"].map(() => mkdtempSync(path("case-"))) as [string, string, string];
    const directories = [system, local, user];
    const trusted = async () =>
      (await openKeystore({ directories }).keysFor("example.com/web")).map(({ path: at }) => at);
    const rm = async (writable: readonly string[], own: string) => {
      const results = [];
      for (const place of trustedPlaces(directories, key.fingerprint)) {
        results.push(await withdraw({ directories, writable, own }, place));
      }
      return results;
    };
    return { system, local, user, directories, trusted, rm };
  };

  it("TRUST-21: removes the caller's files", async () => {
    const { local, user, trusted, rm } = scene();
    const [one, two] = [await trust(local, key), await trust(user, key)];
    const kept = await trust(user, other);
    assert.deepEqual(await rm([local, user], local), [
      { fingerprint: key.fingerprint, scope: "example.com", removed: [one.path, two.path], mask: undefined },
    ]);
    assert.equal(existsSync(one.path) || existsSync(two.path), false);
    assert.deepEqual(await trusted(), [kept.path]);
    assert.deepEqual(await rm([local, user], local), []);
  });

  it("TRUST-21, T-S27: hides files that are not the caller's behind an empty one", async () => {
    const { system, local, user, trusted, rm } = scene();
    const low = await trust(system, key);
    const [own, high] = [await trust(local, key), await trust(user, key)];
    const [result] = await rm([local, user], local);
    assert.equal(result?.mask, own.path);
    assert.deepEqual(result.removed, [own.path, high.path]);
    assert.equal(readFileSync(own.path).length, 0);
    assert.deepEqual(readFileSync(low.path), key.armored);
    assert.deepEqual(await trusted(), []);
  });

  it("makes the directory of a mask, and leaves masks of others alone", async () => {
    const { system, local, user, trusted, rm } = scene();
    await trust(system, key);
    const [result] = await rm([user], user);
    assert.equal(existsSync(result?.mask ?? ""), true);
    assert.deepEqual(await trusted(), []);
    // Masked by the machine, trusted by the user: removing the user's file is enough.
    const mask = (await trust(local, key)).path;
    writeFileSync(mask, "", { mode: 0o644 });
    await trust(user, key);
    assert.equal((await rm([user], user))[0]?.mask, undefined);
    assert.equal(readFileSync(mask).length, 0);
    assert.deepEqual(await trusted(), []);
  });

  it("finds places by scope and by the first digits, broken files too", async () => {
    const { user, directories } = scene();
    const stored = await trust(user, key);
    await trust(user, key, "root");
    writeFileSync(stored.path, "no key", { mode: 0o644 });
    const scopes = (...args: [string, ({ prefix: string } | "root")?]) =>
      trustedPlaces(directories, ...args).map(({ place }) => place.scope);
    assert.deepEqual(scopes(key.fingerprint.slice(0, 8)), ["root", "example.com"]);
    assert.deepEqual(scopes(key.fingerprint, "root"), ["root"]);
    assert.deepEqual(scopes(key.fingerprint, { prefix: "example.com" }), ["example.com"]);
    assert.deepEqual(scopes(key.fingerprint, { prefix: "example.com/web" }), []);
    assert.deepEqual(scopes(other.fingerprint), []);
  });
});
