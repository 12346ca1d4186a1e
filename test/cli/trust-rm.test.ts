import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/trust-rm.ts";
import { failure, formatted, invoke, makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

describe("perigee trust rm", () => {
  const path = temporary();
  const fresh = () => settingsIn(mkdtempSync(path("case-")));

  it("removes by scope, and says what it did", async () => {
    const settings = fresh();
    const key = await makeKey();
    const { userConfig, systemConfig } = settings.directories;
    const own = await trust(userConfig, key);
    const system = await trust(systemConfig, key, "root");
    const prefix = await invoke(command, settings, { args: [key.fingerprint], options: { prefix: "example.com" } });
    assert.deepEqual(prefix.lines, [
      `no longer trusted for example.com: ${formatted(key.fingerprint)}`,
      `  removed ${own.path}`,
    ]);
    assert.equal(existsSync(own.path), false);
    const mask = system.path.replace(systemConfig, userConfig);
    const root = await invoke(command, settings, { args: [key.fingerprint], options: { root: true } });
    assert.deepEqual(root.lines, [
      `no longer trusted for all images: ${formatted(key.fingerprint)}`,
      `  masked by ${mask}`,
    ]);
    assert.deepEqual(root.json, [{ fingerprint: key.fingerprint, scope: "root", removed: [], mask }]);
    await assert.rejects(invoke(command, settings, { args: [key.fingerprint] }), failure("NOT_FOUND", /./));
  });

  it("takes one scope, or none", async () => {
    const options = { prefix: "example.com", root: true };
    await assert.rejects(invoke(command, fresh(), { args: ["0".repeat(40)], options }), failure("USAGE", /exclude/));
    await assert.rejects(
      invoke(command, fresh(), { args: ["0".repeat(40)], options: { prefix: "https://x" } }),
      failure("USAGE", /whole components/),
    );
  });
});
