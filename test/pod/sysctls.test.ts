import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideSysctls } from "../../src/pod/sysctls.ts";
import { fails } from "../helpers/failures.ts";

describe("decideSysctls (ACE-44, T-R42)", () => {
  it("takes what belongs to the pod's namespaces, with dots or slashes", () => {
    const values = {
      "net.ipv4.ip_forward": "1",
      "kernel/shmmax": "65536",
      "fs.mqueue.msg_max": "10",
      "kernel.sem": "1 2 3 4",
    };
    assert.deepEqual(
      decideSysctls(values, "none").map(({ key, value }) => `${key}=${value}`),
      ["net.ipv4.ip_forward=1", "kernel.shmmax=65536", "fs.mqueue.msg_max=10", "kernel.sem=1 2 3 4"],
    );
  });

  for (const key of ["kernel.core_pattern", "vm.overcommit_memory", "fs.file-max", "kernel.shmother", "kernel.sem.x"]) {
    it(`refuses ${key}, which is the host's`, () =>
      assert.throws(() => decideSysctls({ [key]: "1" }, "none"), fails("UNSUPPORTED")));
  }
  it("net.* is the host's with the host's network", () => {
    assert.throws(() => decideSysctls({ "net.ipv4.ip_forward": "1" }, "host"), fails("UNSUPPORTED", /ip_forward/));
  });

  for (const key of ["net..core", "kernel/../kernel/core_pattern", "net", ".net.x", "net.x\n", "net.ü"]) {
    it(`refuses ${JSON.stringify(key)}, which is no key`, () =>
      assert.throws(() => decideSysctls({ [key]: "1" }, "none"), fails("MANIFEST_INVALID")));
  }
  for (const value of ["1\nkernel.core_pattern=|/x", "1\0", "1\r"]) {
    it(`refuses the value ${JSON.stringify(value)}`, () =>
      assert.throws(() => decideSysctls({ "kernel.shm_rmid_forced": value }, "none"), fails("MANIFEST_INVALID")));
  }
});
