import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stagesRecords } from "../../src/shim/stages.ts";

describe("stagesRecords", () => {
  it("SHIM-10: has the policy, how often, and which root", () => {
    const always = { policy: "always", most: 0, keepRoot: true } as const;
    assert.deepEqual([...stagesRecords({ restart: always })], [["restart", "always", 0, "keep"]]);
    const failing = { policy: "on-failure", most: 3, keepRoot: false } as const;
    assert.deepEqual([...stagesRecords({ restart: failing })], [["restart", "on-failure", 3, "fresh"]]);
    assert.deepEqual([...stagesRecords({})], []);
  });

  it("SHIM-16: has the words of a check, and its times in milliseconds", () => {
    const times = { interval: 1000, timeout: 500, startPeriod: 0, retries: 2, action: "kill" } as const;
    assert.deepEqual(
      [...stagesRecords({ health: { command: ["/check", ""], ...times } })],
      [
        ["check", "/check"],
        ["check", ""],
        ["health", 1000, 500, 0, 2, "kill"],
      ],
    );
  });
});
