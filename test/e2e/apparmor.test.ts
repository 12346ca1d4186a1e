/** Profiles of AppArmor. Where the kernel runs it (npm run test:v2 boots one) they are applied; elsewhere that they are not is said. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { activeSecurityModules, readProfileModes } from "../../src/pod/lsm.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const profile = (name: string) => [{ name: "os/linux/apparmor-profile", value: { profile: name } }];
before(() => {
  work.stored("example.com/absent", { exec: ["/guest"], isolators: profile("perigee-test-absent") });
  work.stored("example.com/unconfined", { exec: ["/guest"], isolators: profile("unconfined") });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

const run = (name: string) => work.run([name, "--", "echo", "ran"]);

describe(`AppArmor, which this kernel ${activeSecurityModules().includes("apparmor") ? "runs" : "does not run"}`, () => {
  const runs = activeSecurityModules().includes("apparmor");

  it("ACE-37, T-R59: a profile that is not loaded is refused, or said to be ignored where nothing could apply it", () => {
    const { status, stdout, stderr } = run("example.com/absent");
    if (!runs) {
      assert.deepEqual([status, stdout], [0, "ran\n"]);
      assert.match(stderr, /apparmor-profile is ignored: this kernel does not run apparmor/);
      return;
    }
    assert.deepEqual([status, stdout], [125, ""], stderr);
    // Without the list of profiles it is the kernel that says it, to the shim.
    assert.match(stderr, readProfileModes() === undefined ? /label/ : /perigee-test-absent is not loaded/);
  });

  it("ISO-14: a label that the kernel has is taken and read back", () => {
    const { status, stdout, stderr } = run("example.com/unconfined");
    assert.deepEqual([status, stdout], [0, "ran\n"], stderr);
    assert.match(stderr, runs ? /apparmor-profile is modified: unconfined/ : /apparmor-profile is ignored/);
  });
});
