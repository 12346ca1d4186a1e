import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { formatFingerprint, importKeys } from "../../src/api/keys.ts";
import command from "../../src/cli/commands/key-list.ts";
import { armor } from "../../src/trust/armor.ts";
import { invoke, type MadeKey, makeKey, settingsIn, temporary } from "../helpers/trust.ts";

describe("perigee key list", () => {
  const path = temporary();
  let keys: readonly MadeKey[];
  before(async () => {
    const date = new Date("2020-02-03T04:05:06Z");
    keys = await Promise.all([
      makeKey({ date, userIDs: [{ name: "Good", email: "g@example.com" }] }),
      makeKey({ date, expiresAfter: 60, userIDs: [{ name: "Old\u001b[2J", email: "o@example.com" }] }),
    ]);
    writeFileSync(path("keys.asc"), armor("PRIVATE KEY BLOCK", Buffer.concat(keys.map(({ key }) => key.write()))));
    await importKeys(settingsIn(path("config")), path("keys.asc"));
  });

  it("prints a line for each key, foreign text made harmless", async () => {
    const { lines } = await invoke(command, settingsIn(path("config")));
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? "", /^FINGERPRINT +TYPE +CREATED +PROTECTED +IDENTITY +STATE$/);
    const line = (key: MadeKey | undefined) =>
      lines.find((text) => text.split("  ")[0] === formatFingerprint(key?.fingerprint ?? "")) ?? "";
    assert.match(line(keys[0]), / ed25519 +2020-02-03 +no +Good <g@example\.com> +ok$/);
    assert.match(line(keys[1]), /Old\\x1b\[2J <o@example\.com> +it expired on 2020-02-03T04:06:06\.000Z$/);
  });

  it("gives an array as JSON, empty when there are none", async () => {
    assert.deepEqual((await invoke(command, settingsIn(path("nothing")))).json, []);
    const { json } = await invoke(command, settingsIn(path("config")));
    assert.ok(Array.isArray(json));
    assert.deepEqual(
      json.map((key: { fingerprint: string }) => key.fingerprint),
      keys.map(({ fingerprint }) => fingerprint).sort(),
    );
  });
});
