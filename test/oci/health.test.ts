import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapHealth } from "../../src/oci/health.ts";
import { valueSchemas } from "../../src/schema/isolator-values.ts";

const second = 1e9;

function map(healthcheck: unknown) {
  const warnings: string[] = [];
  const isolator = mapHealth(healthcheck, warnings);
  if (isolator !== undefined) valueSchemas["perigee/health-check"].parse(isolator.value);
  return { value: isolator?.value, warnings };
}

describe("OCI-70: health checks", () => {
  it("commands, shell lines and none", () => {
    assert.deepEqual(map({ Test: ["CMD", "/bin/check", "-q"] }).value, { command: ["/bin/check", "-q"] });
    assert.deepEqual(map({ Test: ["CMD-SHELL", "check || exit 1"] }).value, {
      command: ["/bin/sh", "-c", "check || exit 1"],
    });
    assert.deepEqual(map({ Test: ["NONE"] }).value, { command: [] });
  });
  it("times are nanoseconds, and 0 is the default", () => {
    const times = { Interval: 10 * second, Timeout: 0, StartPeriod: second / 2, Retries: 5 };
    assert.deepEqual(map({ Test: ["CMD", "a"], ...times }).value, {
      ...{ command: ["a"], interval: 10, startPeriod: 0.5, retries: 5 },
    });
    assert.deepEqual(map({ Test: ["CMD", "a"], Interval: 1, Timeout: 1e20, Retries: 1e9 }).value, {
      ...{ command: ["a"], interval: 0.001, timeout: 86_400, retries: 9999 },
    });
  });
  it("one that says nothing is none", () => {
    for (const nothing of [undefined, null, "x", [], {}, { Test: [] }, { Test: null }]) {
      assert.deepEqual(map(nothing), { value: undefined, warnings: [] });
    }
  });
  it("what cannot be understood is left out with a warning", () => {
    for (const Test of ["check", ["check"], ["CMD"], ["CMD", ""], ["CMD", 7], ["OTHER", "x"]]) {
      const { value, warnings } = map({ Test });
      assert.equal(value, undefined);
      assert.match(warnings.join(), /health check .* is left out/);
    }
    const { value, warnings } = map({ Test: ["CMD", "a"], Interval: "10s", Timeout: -1, Retries: "x" });
    assert.deepEqual([value, warnings.length], [{ command: ["a"] }, 2]);
  });
});
