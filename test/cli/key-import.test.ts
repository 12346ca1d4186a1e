import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/key-import.ts";
import { armor } from "../../src/trust/armor.ts";
import { Running, Workspace } from "../helpers/program.ts";
import { failure, invoke, makeKey, settingsIn, temporary } from "../helpers/trust.ts";

describe("perigee key import", () => {
  const path = temporary();

  it("stores the key and prints where", async () => {
    const key = await makeKey();
    const secret = armor("PRIVATE KEY BLOCK", key.key.write());
    writeFileSync(path("secret.asc"), secret);
    const { lines, json, result } = await invoke(command, settingsIn(path("config")), { args: [path("secret.asc")] });
    assert.equal(lines[0]?.replaceAll(" ", ""), key.fingerprint);
    assert.equal(readFileSync(result[0]?.path ?? "", "utf8"), secret);
    assert.ok(Array.isArray(json));
    assert.equal(json.length, 1);
  });

  it("TRUST-30: 20 processes that import one key at once all succeed, and there is one file of it", async () => {
    const work = new Workspace();
    try {
      const { key, fingerprint } = await makeKey();
      const secret = armor("PRIVATE KEY BLOCK", key.write());
      writeFileSync(work.path("secret.asc"), secret);
      const runs = Array.from({ length: 20 }, () => new Running(work.start(["key", "import", "secret.asc"])));
      const statuses = await Promise.all(runs.map(({ ended }) => ended));
      assert.deepEqual(statuses, Array(20).fill(0), runs.map(({ stderr }) => stderr).join(""));
      const keys = work.path("config", "perigee", "keys");
      assert.deepEqual(readdirSync(keys), [`${fingerprint}.asc`]);
      assert.equal(readFileSync(join(keys, `${fingerprint}.asc`), "utf8"), secret);
    } finally {
      await work.close();
    }
  });

  it("sends public keys to perigee trust", async () => {
    const key = await makeKey();
    writeFileSync(path("public.asc"), key.armored);
    const run = invoke(command, settingsIn(path("config")), { args: [path("public.asc")] });
    await assert.rejects(run, failure("KEY_INVALID", /only secret keys/));
  });
});
