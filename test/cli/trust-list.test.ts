import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/trust-list.ts";
import { invoke, makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

describe("perigee trust list", () => {
  const path = temporary();
  it("shows scope, state, identity and file, escaped", async () => {
    const settings = settingsIn(mkdtempSync(path("case-")));
    const { systemConfig, userConfig } = settings.directories;
    const date = new Date("2020-01-01T00:00:00Z");
    const evil = await makeKey({ userIDs: [{ name: "Evil\u001b[2J", email: "e@example.com" }], date });
    const masked = await makeKey({ date });
    const one = await trust(userConfig, evil);
    const two = await trust(systemConfig, masked, "root");
    const mask = two.path.replace(systemConfig, userConfig);
    mkdirSync(dirname(mask), { recursive: true, mode: 0o755 });
    writeFileSync(mask, "", { mode: 0o644 });
    const { lines, json } = await invoke(command, settings);
    assert.match(lines[0] ?? "", /^FINGERPRINT +FOR +STATE +IDENTITY +FILE$/);
    assert.deepEqual(
      lines.slice(1).map((line) => line.split(/ {2,}/)),
      [
        [masked.fingerprint, "all images", "mask", "-", mask],
        [masked.fingerprint, "all images", "masked", "-", two.path],
        [evil.fingerprint, "example.com", "ok", "Evil\\x1b[2J <e@example.com>", one.path],
      ],
    );
    assert.equal(Array.isArray(json) && json.length === 3 && json[2].state === "counts", true);
    assert.deepEqual((await invoke(command, settingsIn(mkdtempSync(path("case-"))))).json, []);
  });
});
