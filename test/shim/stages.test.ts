import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restartRecord } from "../../src/shim/stages.ts";

describe("restartRecord", () => {
  it("SHIM-10: has the policy, how often, and which root", () => {
    assert.deepEqual(restartRecord({ policy: "always", most: 0, keepRoot: true }), ["restart", "always", 0, "keep"]);
    const failing = { policy: "on-failure", most: 3, keepRoot: false } as const;
    assert.deepEqual(restartRecord(failing), ["restart", "on-failure", 3, "fresh"]);
  });
});
