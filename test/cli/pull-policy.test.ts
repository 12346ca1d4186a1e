import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { declareOptions, optionValues } from "../../src/cli/options.ts";
import { pullOptions, pullPolicy } from "../../src/cli/pull-policy.ts";
import { fails } from "../helpers/failures.ts";

function policyOf(given: Readonly<Record<string, string>>, fallback: "new" | "update" = "update") {
  const values = new Map(Object.entries(given).map(([name, value]) => [name, [value]]));
  return pullPolicy(optionValues(declareOptions(pullOptions(fallback)), values), fallback);
}

describe("pullPolicy (CLI-19)", () => {
  it("is the command's own when nothing is said", () => {
    assert.equal(policyOf({}, "update"), "update");
    assert.equal(policyOf({}, "new"), "new");
  });
  it("takes rkt's older flags", () => {
    assert.equal(policyOf({ "store-only": "true" }), "never");
    assert.equal(policyOf({ store: "false" }, "new"), "update");
    assert.equal(policyOf({ "store-only": "true", "pull-policy": "never" }), "never");
  });
  it("refuses a contradiction and an unknown policy", () => {
    const both = { "store-only": "true", store: "false" };
    assert.throws(() => policyOf(both), fails("USAGE", /contradict/));
    assert.throws(() => policyOf({ "store-only": "true", "pull-policy": "new" }), fails("USAGE", /contradict/));
    assert.throws(() => policyOf({ "pull-policy": "always" }), fails("USAGE", /always/));
  });
});
