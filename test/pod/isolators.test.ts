import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideIsolators, type IsolatorOptions } from "../../src/pod/isolators.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

const options: IsolatorOptions = {
  insecure: new Set(),
  features: { memory: true, cpu: true, pids: true, io: true, devices: true, network: true },
  blockVersion: 2,
  blockDevices: () => ({ devices: ["254:0"], unknown: [] }),
  userNamespace: true,
  writesHost: false,
  network: "none",
  callerOomScore: 0,
  securityModules: [],
};

type Named = readonly (readonly [string, unknown])[];
const isolators = (named: Named) => Isolators.parse(named.map(([name, value]) => ({ name, value })));

function decide(pod: Named, app: Named, changed: Partial<IsolatorOptions> = {}) {
  const decided = decideIsolators(isolators(pod), [{ name: "web", isolators: isolators(app), fromImage: new Set() }], {
    ...options,
    ...changed,
  });
  const [own] = decided.apps;
  assert.ok(own);
  return {
    ...decided,
    own,
    states: decided.report.map(({ name, app: of, state }) => `${of ?? "pod"} ${name} ${state}`),
  };
}

describe("decideIsolators", () => {
  it("without any: no_new_privs, 9 capabilities, the default filter, 2048 processes (security 4.2, ISO-8)", () => {
    const { own, limits, report, sysctls } = decide([], []);
    assert.deepEqual([own.noNewPrivileges, own.capabilities.length, own.seccomp], [true, 9, "default"]);
    assert.deepEqual([limits, own.limits, report, sysctls, own.oomScoreAdj], [{ pids: 2048 }, {}, [], [], undefined]);
  });

  it("limits are integers in base units (ACE-41, ACE-42); the cpu request is the share", () => {
    const { own, states } = decide(
      [],
      [
        ["resource/memory", { request: "1M", limit: "123Mi" }],
        ["resource/cpu", { request: "250m", limit: "0.5" }],
      ],
    );
    assert.deepEqual(own.limits, { memory: 128974848n, cpuMillicores: 500, cpuShares: 256 });
    assert.deepEqual(states, ["web resource/memory enforced", "web resource/cpu enforced"]);
  });

  it("ACE-41: a missing cpu request is the limit; os/linux/cpu-shares (ACE-45) wins over it", () => {
    assert.equal(decide([], [["resource/cpu", { limit: "2" }]]).own.limits.cpuShares, 2048);
    const both: Named = [
      ["resource/cpu", { limit: "2" }],
      ["os/linux/cpu-shares", 7],
    ];
    assert.equal(decide([], both).own.limits.cpuShares, 7);
  });

  it("ACE-21: the pod's limits bound the app's, and the change is reported (ACE-22)", () => {
    const { own, limits, states } = decide(
      [
        ["resource/memory", { limit: "1G" }],
        ["resource/cpu", { limit: "1" }],
      ],
      [
        ["resource/memory", { limit: "2G" }],
        ["resource/cpu", { limit: "4" }],
      ],
    );
    assert.equal(limits.memory, 1_000_000_000n);
    assert.deepEqual([own.limits.memory, own.limits.cpuMillicores], [1_000_000_000n, 1000]);
    assert.deepEqual(states.slice(2), ["web resource/memory modified", "web resource/cpu modified"]);
  });

  it("a limit that cannot be enforced is refused, not forgotten", () => {
    const features = { ...options.features, memory: "no such controller", cpu: "read-only" };
    const memory: Named = [["resource/memory", { limit: "1G" }]];
    assert.throws(
      () => decide([], memory, { features }),
      fails("KERNEL_LACKS", /resource\/memory.*no such controller/),
    );
    assert.throws(() => decide(memory, [], { features }), fails("KERNEL_LACKS"));
    assert.throws(() => decide([], [["os/linux/cpu-shares", 5]], { features }), fails("KERNEL_LACKS", /read-only/));
    assert.deepEqual(decide([], [], { features: { ...features, pids: "none" } }).limits, {});
  });

  it("oom-score-adj is never below the caller's (security 4.2.7)", () => {
    const at = (value: number, callerOomScore: number) =>
      decide([], [["os/linux/oom-score-adj", value]], { callerOomScore });
    assert.equal(at(-500, 0).own.oomScoreAdj, 0);
    assert.match(at(-500, 0).states.join(), /modified/);
    assert.equal(at(300, 0).own.oomScoreAdj, 300);
    assert.match(at(300, 300).states.join(), /enforced/);
  });

  it("what an app may do is decided with them, and reported (confinement.ts)", () => {
    const { own, states } = decide([], [["os/linux/no-new-privileges", false]]);
    assert.deepEqual([own.noNewPrivileges, own.capabilities.length, own.writesHost], [false, 11, false]);
    assert.deepEqual(states, ["web os/linux/no-new-privileges enforced"]);
  });

  it("ACE-44: sysctls are the pod's; an app's are ignored", () => {
    const sysctl: Named = [["os/unix/sysctl", { "net.ipv4.ip_forward": "1" }]];
    const { sysctls, states } = decide(sysctl, []);
    assert.deepEqual([sysctls.length, states], [1, ["pod os/unix/sysctl enforced"]]);
    assert.deepEqual(decide([], sysctl).states, ["web os/unix/sysctl ignored"]);
    assert.throws(() => decide(sysctl, [], { network: "host" }), fails("UNSUPPORTED"));
  });

  it("ACE-36, ACE-37: profiles and contexts are decided with them, the pod's for an app without one (labels.ts)", () => {
    const profile: Named = [["os/linux/apparmor-profile", { profile: "web" }]];
    assert.deepEqual(decide([], profile).states, ["web os/linux/apparmor-profile ignored"]);
    const { own, states } = decide(profile, [], { securityModules: ["apparmor"] });
    assert.deepEqual([own.apparmor, states], ["web", ["pod os/linux/apparmor-profile enforced"]]);
  });

  it("ACE-22: what is unknown or not for this level is reported once and never an error", () => {
    const { states } = decide(
      [
        ["example.com/quota", 1],
        ["os/linux/no-new-privileges", true],
        ["resource/block-iops", { default: true, limit: "10" }],
        ["resource/network-bandwidth", { default: true, limit: "1G" }],
      ],
      [
        ["example.com/quota", 1],
        ["example.com/quota", 2],
        ["resource/network-bandwidth", { default: true, limit: "1G" }],
        ["resource/memory", { request: "1G" }],
      ],
    );
    assert.deepEqual(states, [
      "pod resource/block-iops enforced",
      "pod resource/network-bandwidth enforced",
      "pod example.com/quota ignored",
      "pod os/linux/no-new-privileges ignored",
      "web resource/memory ignored",
      "web resource/network-bandwidth enforced",
      "web example.com/quota ignored",
    ]);
  });
});
