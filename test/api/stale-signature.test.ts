import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { warnIfStale } from "../../src/api/stale-signature.ts";
import { craft, failure, type MadeKey, makeKey, temporary, warnings } from "../helpers/trust.ts";

describe("warnIfStale", () => {
  const path = temporary();
  let key: MadeKey;
  before(async () => {
    key = await makeKey();
    writeFileSync(path("web.aci"), "an archive");
  });
  const stale = async (signature: Uint8Array | string) => {
    const { log, heard } = warnings();
    writeFileSync(path("web.aci.asc"), signature);
    return { found: await warnIfStale(path("web.aci"), log), heard };
  };

  it("says nothing without a signature, nor beside one that fits", async () => {
    const { log, heard } = warnings();
    assert.equal(await warnIfStale(path("web.aci"), log), undefined);
    assert.deepEqual(heard, []);
    assert.deepEqual(await stale(await craft(key, Buffer.from("an archive"))), { found: undefined, heard: [] });
  });
  it("warns of one of other bytes, of what is none, and says how to make a new one", async () => {
    for (const signature of [await craft(key, Buffer.from("an older archive")), "hello", "", "x".repeat(65 * 1024)]) {
      const { found, heard } = await stale(signature);
      assert.equal(found, path("web.aci.asc"));
      assert.match(heard.join("\n"), /signs other bytes: perigee sign --overwrite .*web\.aci$/);
    }
    mkdirSync(path("odd.aci.asc"));
    assert.equal(await warnIfStale(path("odd.aci"), warnings().log), path("odd.aci.asc"));
  });
  it("ends when it is interrupted", async () => {
    await stale(await craft(key, Buffer.from("an archive")));
    const interrupted = warnIfStale(path("web.aci"), warnings().log, AbortSignal.abort());
    await assert.rejects(interrupted, failure("INTERRUPTED", /./));
  });
});
