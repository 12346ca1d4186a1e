import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { activeSecurityModules } from "../../src/pod/lsm.ts";

describe("activeSecurityModules (ACE-36, ACE-37)", () => {
  it("names no module that the kernel does not list", () => {
    const list = "/sys/kernel/security/lsm";
    const modules = activeSecurityModules();
    assert.equal(new Set(modules).size, modules.length);
    if (existsSync(list))
      assert.deepEqual(
        modules.filter((name) => !readFileSync(list, "utf8").includes(name)),
        [],
      );
  });
});
