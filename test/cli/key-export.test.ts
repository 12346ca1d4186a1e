import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { createKey, type StoredKey } from "../../src/api/keys.ts";
import command from "../../src/cli/commands/key-export.ts";
import { failure, invoke, settingsIn, temporary } from "../helpers/trust.ts";

describe("perigee key export", () => {
  const path = temporary();
  let key: StoredKey;
  before(async () => {
    key = await createKey(settingsIn(path()), { name: "A", email: "a@example.com", passphrase: undefined });
  });
  const run = (options: Record<string, string | boolean>, fingerprint = key.fingerprint.slice(0, 8)) =>
    invoke(command, settingsIn(path()), { args: [fingerprint], options });

  it("prints the public key, and the secret one only when asked", async () => {
    const { lines, json } = await run({});
    assert.equal(lines[0], "-----BEGIN PGP PUBLIC KEY BLOCK-----");
    assert.equal(lines.at(-1), "-----END PGP PUBLIC KEY BLOCK-----");
    assert.deepEqual(json, { fingerprint: key.fingerprint, secret: false, armored: `${lines.join("\n")}\n` });
    assert.equal((await run({ secret: true })).lines[0], "-----BEGIN PGP PRIVATE KEY BLOCK-----");
  });

  it("writes to a file and then prints where", async () => {
    const output = path("key.asc");
    const { lines, json } = await run({ output });
    assert.deepEqual(lines, [output]);
    assert.deepEqual(json, { fingerprint: key.fingerprint, secret: false, path: output });
    assert.match(readFileSync(output, "utf8"), /PUBLIC KEY/);
    await assert.rejects(run({ output }), failure("ALREADY_EXISTS", /./));
    await run({ output, overwrite: true, secret: true });
    assert.match(readFileSync(output, "utf8"), /PRIVATE KEY/);
  });

  it("names what is not there", async () => {
    await assert.rejects(run({}, "0000000000"), failure("NOT_FOUND", /no secret key 0000000000/));
  });
});
