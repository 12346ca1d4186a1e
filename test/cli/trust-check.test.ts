import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/trust-check.ts";
import { formatted, invoke, makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

describe("perigee trust check", () => {
  const path = temporary();
  it("says which keys count and why others do not, and ends with 4 when none does", async () => {
    const settings = settingsIn(mkdtempSync(path("case-")));
    const date = new Date("2020-01-01T00:00:00Z");
    const good = await makeKey({ date });
    const expired = await makeKey({ date, expiresAfter: 3600 });
    const { userConfig } = settings.directories;
    await trust(userConfig, expired, "root");
    const late = await invoke(command, settings, { args: ["example.com/web"] });
    assert.equal(command.status?.(late.result), 4);
    assert.equal(late.lines[0], "example.com/web: no key counts");
    assert.equal(late.lines[1], `  does not count: ${formatted(expired.fingerprint)}`);
    assert.match(late.lines[3] ?? "", /expired on 2020-/);
    const stored = await trust(userConfig, good);
    const { result, lines, json } = await invoke(command, settings, { args: ["example.com/web"] });
    assert.equal(command.status?.(result), 0);
    assert.deepEqual(lines.slice(0, 5), [
      "example.com/web: 1 key counts",
      `  counts: ${formatted(good.fingerprint)}`,
      "    Test Signer <signer@example.com>",
      "    trusted for example.com",
      `    ${stored.path}`,
    ]);
    assert.equal(Object(json).isTrusted, true);
  });
});
