import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { openKeystore } from "../../src/trust/keystore.ts";
import { stillVouches } from "../../src/trust/recheck.ts";
import { type MadeKey, made, makeKey, temporary, trust } from "../helpers/trust.ts";

describe("a key whose file changed since it vouched", () => {
  const path = temporary();
  let key: MadeKey;
  before(async () => {
    key = await makeKey({ expiresAfter: 3600 });
  });
  const asked = (directory: string, fingerprint = key.fingerprint) =>
    stillVouches(openKeystore({ directories: [directory] }), "example.com/web", fingerprint);

  it("still vouches, also when it has expired", async () => {
    await trust(path("plain"), key);
    assert.equal(await asked(path("plain")), true);
  });
  it("does not when it is not trusted for the name any more", async () => {
    await trust(path("elsewhere"), key, { prefix: "example.org" });
    assert.equal(await asked(path("elsewhere")), false);
    assert.equal(await asked(path("plain"), "0".repeat(40)), false);
  });
  it("T-S09: does not when any copy of it is revoked", async () => {
    const { privateKey } = await openpgp.revokeKey({ key: key.key, format: "object" });
    await trust(path("revoked"), key);
    await trust(path("revoked"), made(privateKey), "root");
    assert.equal(await asked(path("revoked")), false);
  });
});
