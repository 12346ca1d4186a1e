import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { exitStatus } from "../../src/base/failure.ts";
import command from "../../src/cli/commands/verify.ts";
import { makeArchive } from "../helpers/images.ts";
import {
  craft,
  failure,
  formatted,
  invoke,
  type MadeKey,
  makeKey,
  settingsIn,
  temporary,
  trust,
} from "../helpers/trust.ts";

const created = new Date("2026-05-01T10:00:00Z");

describe("perigee verify", () => {
  const path = temporary();
  let key: MadeKey;
  before(async () => {
    key = await makeKey({ date: created });
    const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/web" };
    const archive = await makeArchive(Buffer.from(JSON.stringify(manifest)), []);
    writeFileSync(path("web.aci"), archive);
    writeFileSync(path("web.aci.asc"), await craft(key, archive, { created }));
    writeFileSync(path("other.asc"), await craft(key, Buffer.from("other"), { created }));
    await trust(settingsIn(path("trusting")).directories.userConfig, key);
  });
  const run = (options: Record<string, string> = {}, config = "trusting") =>
    invoke(command, settingsIn(path(config)), { args: [path("web.aci")], options });

  it("prints name, signer, time and scope", async () => {
    const { lines, json } = await run();
    assert.deepEqual(lines, [
      "example.com/web: good signature",
      `  signed by ${formatted(key.fingerprint)}`,
      "    Test Signer <signer@example.com>",
      "    on 2026-05-01T10:00:00.000Z, trusted for example.com",
    ]);
    const [signer] = Object(json).signers;
    assert.equal(Object(json).name, "example.com/web");
    assert.equal(signer.signedAt, "2026-05-01T10:00:00.000Z");
    assert.equal(signer.fingerprint, key.fingerprint);
  });

  it("exits 4 when nobody trusted signed, 5 when a trusted key's signature or the name is wrong", async () => {
    const cases = [
      [() => run({}, "trusting-nobody"), "KEY_UNTRUSTED", 4],
      [() => run({ signature: path("other.asc") }), "SIGNATURE_BAD", 5],
      [() => run({ name: "example.com/db" }), "NAME_MISMATCH", 5],
      [() => run({ signature: path("no.asc") }), "NOT_FOUND", 3],
    ] as const;
    for (const [attempt, code, status] of cases) {
      await assert.rejects(attempt(), (error) => failure(code, /./)(error) && exitStatus(error) === status);
    }
  });
});
