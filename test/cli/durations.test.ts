import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDuration, parseMoment } from "../../src/cli/durations.ts";
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

describe("parseMoment", () => {
  const now = new Date("2026-01-31T12:00:00Z");
  const moment = (text: string) => parseMoment(text, "--since", now);
  for (const [text, iso] of [
    ["2026-01-31T11:00:00Z", "2026-01-31T11:00:00.000Z"],
    ["2026-01-31T11:00:00.123456789+01:00", "2026-01-31T10:00:00.123Z"],
    ["1769857200", "2026-01-31T11:00:00.000Z"],
    ["10m", "2026-01-31T11:50:00.000Z"],
    ["1h30m", "2026-01-31T10:30:00.000Z"],
  ] as const) {
    it(`${text} is ${iso}`, () => assert.equal(moment(text).toISOString(), iso));
  }
  it("what has no zone is of this machine's", () => {
    assert.equal(moment("2026-01-31").getTime(), new Date(2026, 0, 31).getTime());
    assert.equal(moment("2026-01-31 11:00").getTime(), new Date(2026, 0, 31, 11).getTime());
  });
  for (const text of ["", "yesterday", "2026-13-01", "2026-01-31T25:00", "-5m", "10x", "999999999999"]) {
    it(`${JSON.stringify(text)} is none`, () => assert.throws(() => moment(text), fails("USAGE", /--since/)));
  }
});
