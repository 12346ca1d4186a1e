import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isACIdentifier } from "../../src/schema/grammar.ts";
import {
  exclusiveIsolators,
  type IsolatorName,
  singleIsolators,
  valueRules,
  valueSchemas,
} from "../../src/schema/isolator-values.ts";

const accepts = (name: IsolatorName, value: unknown) => valueSchemas[name].safeParse(value).success;

describe("values of isolators (ACE-30…45)", () => {
  it("every name is an identifier and has a rule", () => {
    for (const name of Object.keys(valueSchemas)) assert.ok(isACIdentifier(name), name);
    assert.deepEqual(Object.keys(valueRules), Object.keys(valueSchemas));
  });
  it("no value is taken for another kind of value", () => {
    for (const name of Object.keys(valueSchemas) as IsolatorName[]) {
      for (const value of [null, undefined, [], "1"]) assert.ok(!accepts(name, value), `${name} ${String(value)}`);
    }
  });
  it("what excludes each other is known", () => {
    for (const name of [...singleIsolators.keys(), ...exclusiveIsolators.map(([one]) => one)]) {
      assert.ok(Object.hasOwn(valueSchemas, name), name);
    }
  });
  it("TYPE-14: a hostile name of a call ends at once", () => {
    assert.ok(!accepts("os/linux/seccomp-retain-set", { set: [`@a/${"a-".repeat(100_000)}`] }));
    assert.ok(!accepts("os/linux/seccomp-retain-set", { set: [`@${"a.".repeat(100)}/b/`] }));
  });
  it("ACE-41: numbers are exact at the edge of 64 bits", () => {
    assert.ok(accepts("resource/memory", { limit: "9223372036854775807" }));
    assert.ok(accepts("resource/memory", { limit: "9007199254740991.0000000000000001Ki" }));
    assert.ok(!accepts("resource/memory", { limit: "9223372036854775807.1" }));
    assert.ok(!accepts("resource/memory", { limit: "8Ei" }));
  });
});
