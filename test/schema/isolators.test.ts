import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Isolators, isKnownIsolator, isolator, isolatorValue } from "../../src/schema/isolators.ts";

const parse = (...isolators: readonly (readonly [string, unknown])[]) =>
  Isolators.safeParse(isolators.map(([name, value]) => ({ name, value })));

describe("Isolators (TYPE-7, TYPE-13, TYPE-14, TYPE-15)", () => {
  it("ACE-22: an unknown one is kept with its value", () => {
    const { data } = parse(["example.com/x", { deep: [1] }]);
    assert.deepEqual(data?.[0]?.value, { deep: [1] });
  });
  for (const name of ["os/linux/seccomp-remove-set", "os/linux/seccomp-retain-set"]) {
    it(`ACE-33: ${name} stands once`, () => {
      const one = [name, { set: ["reboot"] }] as const;
      assert.ok(parse(one).success);
      assert.match(parse(one, one).error?.message ?? "", /ACE-33/);
    });
  }
  it("ACE-33, ACE-39: remove and retain exclude each other", () => {
    const set = { set: ["reboot"] };
    assert.ok(!parse(["os/linux/seccomp-remove-set", set], ["os/linux/seccomp-retain-set", set]).success);
    const capabilities = { set: ["CAP_KILL"] };
    const both = parse(
      ["os/linux/capabilities-remove-set", capabilities],
      ["os/linux/capabilities-retain-set", capabilities],
    );
    assert.match(both.error?.message ?? "", /ACE-39/);
  });
  it("ACE-41: a resource has a request or a limit, not below zero", () => {
    assert.ok(parse(["resource/cpu", { request: "250m" }]).success);
    assert.ok(!parse(["resource/cpu", {}]).success);
    assert.ok(!parse(["resource/cpu", { limit: "-1" }]).success);
  });
  it("T-R42: sysctl keys are words and dots", () => {
    assert.ok(parse(["os/unix/sysctl", { "net.core.somaxconn": "1" }]).success);
    for (const key of ["kernel/../core_pattern", "net..core", "x", "a.b c"]) {
      assert.ok(!parse(["os/unix/sysctl", { [key]: "1" }]).success, key);
    }
  });
  it("the last of several counts", () => {
    const { data } = parse(["resource/memory", { limit: "1M" }], ["resource/memory", { limit: "2M" }]);
    assert.deepEqual(isolatorValue(data ?? [], "resource/memory"), { limit: "2M" });
    assert.equal(isolatorValue(data ?? [], "resource/cpu"), undefined);
  });
  it("our own are checked like those of a document", () => {
    assert.deepEqual(isolator("resource/memory", { limit: "64M" }).value, { limit: "64M" });
    assert.throws(() => isolator("resource/memory", { limit: "much" }));
  });
  it("names of the prototype are not known", () => {
    assert.ok(isKnownIsolator("os/linux/no-new-privileges"));
    assert.ok(!isKnownIsolator("constructor"));
  });
});
