import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { overrideIsolators } from "../../src/pod/flags.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

describe("overrideIsolators", () => {
  it("makes isolators that the schema takes", () => {
    const { isolators: made } = overrideIsolators([], {
      memory: "128Mi",
      cpu: "500m",
      cpuShares: "512",
      oomScoreAdj: "-5",
      capsRetain: "CAP_CHOWN, CAP_KILL",
      seccomp: "mode=remove,errno=EPERM,mkdir",
    });
    assert.deepEqual(
      Isolators.parse(made).map(({ name, value }) => [name, value]),
      [
        ["resource/memory", { request: "128Mi", limit: "128Mi" }],
        ["resource/cpu", { request: "500m", limit: "500m" }],
        ["os/linux/cpu-shares", 512],
        ["os/linux/oom-score-adj", -5],
        ["os/linux/capabilities-retain-set", { set: ["CAP_CHOWN", "CAP_KILL"] }],
        ["os/linux/seccomp-remove-set", { set: ["mkdir"], errno: "EPERM" }],
      ],
    );
  });

  it("a flag replaces the image's isolator, and its opposite", () => {
    const own = Isolators.parse([
      { name: "resource/memory", value: { limit: "1G" } },
      { name: "os/linux/capabilities-remove-set", value: { set: ["CAP_KILL"] } },
      { name: "os/linux/seccomp-retain-set", value: { set: ["read"] } },
      { name: "os/linux/no-new-privileges", value: true },
    ]);
    const { isolators: made, fromImage } = overrideIsolators(own, {
      memory: "2G",
      capsRetain: "CAP_CHOWN",
      seccomp: "mode=remove,mkdir",
    });
    assert.deepEqual(
      made.map(({ name }) => name),
      [
        "os/linux/no-new-privileges",
        "resource/memory",
        "os/linux/capabilities-retain-set",
        "os/linux/seccomp-remove-set",
      ],
    );
    assert.deepEqual(
      fromImage,
      new Set(["os/linux/no-new-privileges"]),
      "ISO-1: what a flag replaced is not the image's",
    );
    assert.deepEqual(overrideIsolators(own, {}), { isolators: own, fromImage: new Set(own.map(({ name }) => name)) });
  });

  const wrong: readonly Parameters<typeof overrideIsolators>[1][] = [
    { memory: "much" },
    { memory: "4095" },
    { memory: "-1G" },
    { cpu: "0" },
    { cpu: "-1" },
    { cpuShares: "1" },
    { cpuShares: "262145" },
    { cpuShares: "1e3" },
    { oomScoreAdj: "1001" },
    { oomScoreAdj: "" },
    { capsRetain: "CAP_FLY" },
    { capsRetain: "" },
    { capsRetain: "CAP_CHOWN", capsRemove: "CAP_KILL" },
    { seccomp: "read" },
  ];
  for (const flags of wrong) {
    it(`refuses ${JSON.stringify(flags)}`, () => assert.throws(() => overrideIsolators([], flags), fails("USAGE")));
  }
});
