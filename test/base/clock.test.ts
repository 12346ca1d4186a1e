import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { steadyNow } from "../../src/base/clock.ts";

describe("steadyNow (LIFE-114)", () => {
  it("T-C05: goes on in milliseconds, whatever the date does", async (t) => {
    t.mock.method(Date, "now", () => 0);
    const begun = steadyNow();
    await sleep(20);
    const passed = steadyNow() - begun;
    // Timers count whole milliseconds, and may fire one early.
    assert.ok(passed >= 19 && passed < 600_000, String(passed));
  });

  it("T-C05: is what waits are counted by: here nobody adds a time to the date", () => {
    for (const path of ["api/stop", "api/pods", "api/logs", "api/events", "metadata/service", "metadata/register"]) {
      const text = readFileSync(new URL(`../../../src/${path}.ts`, import.meta.url), "utf8");
      assert.doesNotMatch(text.replaceAll("until.getTime() < Date.now()", ""), /Date\.now\(\)/, path);
    }
  });
});
