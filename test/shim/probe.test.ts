import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { before, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { setShimPath } from "../../src/shim/binary.ts";
import { probeKernel, probeKernelSync } from "../../src/shim/probe.ts";
import { shim } from "../helpers/shim-pod.ts";

before(() => setShimPath(shim));

describe("probeKernel", () => {
  it("says what every test of pods here needs", async () => {
    const features = await probeKernel(tmpdir());
    assert.match(features.release, /^\d+\.\d+/);
    for (const name of ["openat2", "mountSetattr", "userNamespace", "overlay", "seccomp"] as const)
      assert.equal(features[name], true, name);
  });
  it("is the same at once", async () => {
    assert.deepEqual(probeKernelSync(tmpdir()), await probeKernel(tmpdir()));
  });
  it("finds that a kernel file system cannot be idmapped", () => {
    assert.equal(probeKernelSync("/proc").idmap, false);
  });
  it("fails for a directory that is not there", async () => {
    assert.throws(() => probeKernelSync("/missing"), Failure);
    await assert.rejects(probeKernel("/missing"), Failure);
  });
});
