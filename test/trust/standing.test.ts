import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { listTrustedFiles } from "../../src/trust/inventory.ts";
import { standingOf } from "../../src/trust/standing.ts";
import { day, failure, type MadeKey, made, makeKey, now, temporary, trust } from "../helpers/trust.ts";

describe("what a trusted key is worth", () => {
  const path = temporary();
  let key: MadeKey;
  let revoked: MadeKey;
  before(async () => {
    key = await makeKey();
    revoked = made((await openpgp.revokeKey({ key: key.key, format: "object" })).privateKey);
  });
  const fresh = () => mkdtempSync(path("case-"));
  const standing = async (directories: readonly string[], name?: string, at = now) =>
    (await standingOf(listTrustedFiles(directories), at, name)).map(({ scope, state, reason }) =>
      reason === undefined ? `${scope} ${state}` : `${scope} ${state}: ${reason}`,
    );

  it("TRUST-22, T-S15, T-S17: counts below its prefix, for nothing else; a root key for all", async () => {
    const directory = fresh();
    await trust(directory, key, { prefix: "example.com/foo" });
    assert.deepEqual(await standing([directory]), ["example.com/foo counts"]);
    assert.deepEqual(await standing([directory], "example.com/foo/bar"), ["example.com/foo counts"]);
    assert.deepEqual(await standing([directory], "example.com/foobar"), [
      "example.com/foo elsewhere: trusted for example.com/foo only, which does not cover example.com/foobar",
    ]);
    await trust(directory, key, "root");
    assert.deepEqual((await standing([directory], "example.org/x"))[0], "root counts");
    await assert.rejects(standing([directory], "../x"), failure("USAGE", /./));
  });

  it("T-S27: masks and replaced files say by which file", async () => {
    const [system, user] = [fresh(), fresh()];
    const { path: file } = await trust(system, key);
    const mask = file.replace(system, user);
    mkdirSync(dirname(mask), { recursive: true, mode: 0o755 });
    writeFileSync(mask, "", { mode: 0o644 });
    assert.deepEqual(await standing([system, user]), [
      "example.com mask: an empty file: the key is not trusted by this place",
      `example.com masked: masked by ${mask}`,
    ]);
    await trust(user, key);
    assert.deepEqual(await standing([system, user]), [
      "example.com counts",
      `example.com replaced: replaced by ${mask}`,
    ]);
  });

  it("TRUST-13, T-S09: one revoked copy takes all copies back that cover the same names", async () => {
    const directory = fresh();
    await trust(directory, key);
    await trust(directory, key, { prefix: "example.org" });
    const { path: file } = await trust(directory, revoked, { prefix: "example.com/web" });
    assert.deepEqual(await standing([directory], "example.com/web/x"), [
      `example.com revoked: revoked in ${file}`,
      "example.com/web revoked: its owner revoked it",
      "example.org elsewhere: trusted for example.org only, which does not cover example.com/web/x",
    ]);
    assert.deepEqual(await standing([directory], "example.com/other"), [
      "example.com counts",
      "example.com/web elsewhere: trusted for example.com/web only, which does not cover example.com/other",
      "example.org elsewhere: trusted for example.org only, which does not cover example.com/other",
    ]);
    await trust(directory, revoked, "root");
    assert.deepEqual(
      (await standing([directory])).map((line) => line.split(":")[0]),
      ["root revoked", "example.com revoked", "example.com/web revoked", "example.org revoked"],
    );
  });

  it("T-S05, T-S08: expired and weak keys do not count, and say so", async () => {
    const directory = fresh();
    await trust(directory, await makeKey({ expiresAfter: 150 * 24 * 3600 }), { prefix: "a.example" });
    await trust(directory, await makeKey({ rsaBits: 1024 }), { prefix: "b.example" });
    assert.deepEqual(await standing([directory]), [
      "a.example counts",
      "b.example unusable: RSA with 1024 bits is too weak",
    ]);
    const [expired] = await standing([directory], "a.example", new Date(now.getTime() + 60 * day));
    assert.match(expired ?? "", /^a\.example expired: it expired on 2026-/);
  });
});
