import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { appcDefaults, overrideIsolators, podIsolators } from "../../src/pod/flags.ts";
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

describe("podIsolators (ISO-8)", () => {
  it("--pids-limit is an isolator of the pod that the schema takes", () => {
    assert.deepEqual(podIsolators({}), []);
    const [isolator] = Isolators.parse(podIsolators({ pidsLimit: "64" }));
    assert.deepEqual([isolator?.name, isolator?.value], ["perigee/pids", 64]);
    for (const pidsLimit of ["1", "4194305", "many", "-5", ""]) {
      assert.throws(() => podIsolators({ pidsLimit }), fails("USAGE", /--pids-limit/), pidsLimit);
    }
  });
});

describe("appcDefaults (ISO-15)", () => {
  const defaults = (own: readonly (readonly [string, unknown])[]) => {
    const isolators = Isolators.parse(own.map(([name, value]) => ({ name, value })));
    const { isolators: made, fromImage } = appcDefaults({ isolators, fromImage: new Set(own.map(([name]) => name)) });
    return { named: new Map(Isolators.parse(made).map(({ name, value }) => [String(name), value])), fromImage };
  };
  const retain = "os/linux/capabilities-retain-set";

  it("ACE-38, ACE-40: 14 capabilities and no no_new_privs, as the word of whoever runs the pod", () => {
    const { named, fromImage } = defaults([]);
    const appc =
      "AUDIT_WRITE CHOWN DAC_OVERRIDE FSETID FOWNER KILL MKNOD NET_RAW NET_BIND_SERVICE SETUID SETGID SETPCAP";
    const expected = `${appc} SETFCAP SYS_CHROOT`.split(" ").map((name) => `CAP_${name}`);
    assert.deepEqual([...Object(named.get(retain)).set].sort(), expected.sort());
    assert.equal(named.get("os/linux/no-new-privileges"), false);
    assert.equal(fromImage.size, 0);
  });

  it("what the app says holds: a retain-set as it is, a remove-set taken from the 14", () => {
    const kept = defaults([
      [retain, { set: ["CAP_KILL"] }],
      ["os/linux/no-new-privileges", true],
    ]);
    assert.deepEqual([kept.named.get(retain), kept.fromImage.has(retain)], [{ set: ["CAP_KILL"] }, true]);
    assert.equal(kept.named.get("os/linux/no-new-privileges"), true);
    const removed = defaults([["os/linux/capabilities-remove-set", { set: ["CAP_MKNOD", "CAP_SYS_ADMIN"] }]]);
    const left = Object(removed.named.get(retain)).set;
    assert.deepEqual([left.length, left.includes("CAP_MKNOD")], [13, false]);
    assert.ok(!removed.named.has("os/linux/capabilities-remove-set"));
  });
});
