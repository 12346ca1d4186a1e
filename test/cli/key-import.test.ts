import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/key-import.ts";
import { armor } from "../../src/trust/armor.ts";
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

  it("sends public keys to perigee trust", async () => {
    const key = await makeKey();
    writeFileSync(path("public.asc"), key.armored);
    const run = invoke(command, settingsIn(path("config")), { args: [path("public.asc")] });
    await assert.rejects(run, failure("KEY_INVALID", /only secret keys/));
  });
});
