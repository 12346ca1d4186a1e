import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { activeSecurityModules, isSelinuxPermissive, readProfileModes } from "../../src/pod/lsm.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

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

describe("what the modules say of themselves (ISO-14)", () => {
  it("profiles with spaces and parentheses in their names have their modes; no list is no answer", async (t) => {
    const list = join(await temporaryDirectory(t), "profiles");
    assert.equal(readProfileModes(list), undefined);
    writeFileSync(list, "web (enforce)\n/usr/bin/man (deleted) (complain)\n");
    assert.deepEqual(
      [...(readProfileModes(list) ?? [])],
      [
        ["web", "enforce"],
        ["/usr/bin/man (deleted)", "complain"],
      ],
    );
  });

  it("SELinux is permissive when it says 0, and only then", async (t) => {
    const file = join(await temporaryDirectory(t), "enforce");
    const answers = [isSelinuxPermissive(file)];
    for (const text of ["1", "0"]) {
      writeFileSync(file, text);
      answers.push(isSelinuxPermissive(file));
    }
    assert.deepEqual(answers, [false, false, true]);
  });
});
