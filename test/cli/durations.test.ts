import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDuration } from "../../src/cli/durations.ts";
import { fails } from "../helpers/failures.ts";

describe("parseDuration", () => {
  for (const [text, milliseconds] of [
    ["0", 0],
    ["0s", 0],
    ["1.5", 1500],
    ["500ms", 500],
    ["30m0s", 1_800_000],
    ["1h30m", 5_400_000],
    ["24h", 86_400_000],
    ["2d", 172_800_000],
    ["1.5h", 5_400_000],
    ["1m1ms", 60_001],
  ] as const) {
    it(`${text} is ${milliseconds} ms`, () => assert.equal(parseDuration(text, "--wait"), milliseconds));
  }
  for (const text of ["", "s", "-1s", "1 s", "1x", "1s2", "m5", "1e3", "9999999999s", "Infinity"]) {
    it(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parseDuration(text, "--wait"), fails("USAGE", /--wait/, { hint: /--wait=/ })));
  }
});
