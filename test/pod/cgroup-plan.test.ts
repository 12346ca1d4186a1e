import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { type CgroupDirectory, planPodCgroups, weightOf } from "../../src/pod/cgroup-plan.ts";

const hierarchy = (
  version: 1 | 2,
  base: string,
  ...controllers: CgroupLayout["hierarchies"][number]["controllers"]
) => ({
  version,
  mountPoint: base,
  controllers,
  base,
  writable: true,
});

const v1: CgroupLayout = {
  kind: "v1",
  hierarchies: [
    hierarchy(1, "/cg/cpu,cpuacct", "cpu"),
    hierarchy(1, "/cg/memory", "memory"),
    hierarchy(1, "/cg/devices", "devices"),
    hierarchy(1, "/cg/freezer", "freezer"),
    hierarchy(1, "/cg/pids", "pids"),
  ],
};
const v2: CgroupLayout = {
  kind: "v2",
  hierarchies: [hierarchy(2, "/cg", "memory", "cpu", "pids", "devices", "freezer")],
};

const text = (directories: readonly CgroupDirectory[]) =>
  directories.map(({ path, writes }) => [path, ...writes.map(({ file, value }) => `${file} ${value}`)]);

const block = { devices: ["8:0", "254:0"], bytes: 1048576n, operations: 100n };

const limits = { memory: 134217728n, cpuMillicores: 500, cpuShares: 512 };

describe("an app that is started again", () => {
  const [again, other] = [
    { name: "web", limits: {}, restart: {} },
    { name: "log", limits: {} },
  ];
  it("LIFE-62: has a cgroup of its own in a pod of several, to be told by from the others, whatever its limits are", () => {
    for (const [layout, path] of [
      [v1, "/cg/pids/perigee-U/app-web"],
      [v2, "/cg/perigee-U/app-web"],
    ] as const) {
      const plan = planPodCgroups(layout, "U", { pod: { pids: 2048 }, apps: [again, other] });
      assert.deepEqual([...plan.apps], [["web", [path]]]);
      assert.deepEqual(
        text(plan.directories).filter(([place]) => place === path),
        [[path, "pids.max 4194304"]],
      );
    }
    const limited = planPodCgroups(v2, "U", { pod: {}, apps: [{ ...again, limits: { pids: 5 } }, other] });
    assert.deepEqual(text(limited.directories).at(-1), ["/cg/perigee-U/app-web", "pids.max 5"]);
  });
  it("LIFE-62: needs none as the only app", () => {
    assert.equal(planPodCgroups(v1, "U", { pod: {}, apps: [again] }).apps.size, 0);
  });
});

describe("planPodCgroups on v1", () => {
  it("one app: its limits and the pod's in one directory of each hierarchy", () => {
    const plan = planPodCgroups(v1, "U", { pod: { pids: 2048 }, apps: [{ name: "web", limits }] });
    assert.deepEqual(
      text(plan.directories).map(([path, ...writes]) => [path, ...writes.filter((write) => !/^devices/.test(write))]),
      [
        ["/cg/cpu,cpuacct/perigee-U", "cpu.cfs_period_us 100000", "cpu.cfs_quota_us 50000", "cpu.shares 512"],
        ["/cg/memory/perigee-U", "memory.limit_in_bytes 134217728", "memory.memsw.limit_in_bytes 134217728"],
        ["/cg/devices/perigee-U"],
        ["/cg/freezer/perigee-U"],
        ["/cg/pids/perigee-U", "pids.max 2048"],
      ],
    );
    assert.equal(plan.init.length, 5);
    assert.equal(plan.apps.size, 0);
    assert.equal(plan.deviceFilter, undefined);
    assert.deepEqual(plan.visible, [
      { name: "cpu", path: "/cg/cpu,cpuacct/perigee-U" },
      { name: "memory", path: "/cg/memory/perigee-U" },
      { name: "pids", path: "/cg/pids/perigee-U" },
    ]);
  });

  it("devices: everything denied first, then the few", () => {
    const writes = planPodCgroups(v1, "U", { pod: {}, apps: [] }).directories[2]?.writes ?? [];
    assert.deepEqual(writes[0], { file: "devices.deny", value: "a" });
    assert.ok(writes.slice(1).every(({ file }) => file === "devices.allow"));
    assert.equal(writes.length, 9);
  });

  it("several apps: limits of their own below the pod's, only where they have any; children are removed first", () => {
    const apps = [
      { name: "a", limits: { memory: 4096n } },
      { name: "b", limits: {} },
    ];
    const plan = planPodCgroups(v1, "U", { pod: {}, apps });
    assert.deepEqual([...plan.apps], [["a", ["/cg/memory/perigee-U/app-a"]]]);
    const [child, parent] = ["/cg/memory/perigee-U/app-a", "/cg/memory/perigee-U"].map((path) =>
      plan.remove.indexOf(path),
    );
    assert.ok(child !== undefined && parent !== undefined && child < parent && child >= 0);
  });

  it("block devices: a hierarchy of theirs is used only when something is limited (ISO-11)", () => {
    const layout = { ...v1, hierarchies: [...v1.hierarchies, hierarchy(1, "/cg/blkio", "io")] };
    const plan = (pod: object, apps: Parameters<typeof planPodCgroups>[2]["apps"] = []) =>
      planPodCgroups(layout, "U", { pod, apps });
    assert.ok(plan({}).directories.every(({ path }) => !path.startsWith("/cg/blkio/")));
    const { directories, visible } = plan({ block });
    assert.deepEqual(text(directories).at(-1), [
      "/cg/blkio/perigee-U",
      "blkio.throttle.read_bps_device 8:0 1048576",
      "blkio.throttle.write_bps_device 8:0 1048576",
      "blkio.throttle.read_iops_device 8:0 100",
      "blkio.throttle.write_iops_device 8:0 100",
      "blkio.throttle.read_bps_device 254:0 1048576",
      "blkio.throttle.write_bps_device 254:0 1048576",
      "blkio.throttle.read_iops_device 254:0 100",
      "blkio.throttle.write_iops_device 254:0 100",
    ]);
    assert.ok(visible !== "v2" && visible.every(({ name }) => name !== "io"));
  });

  it("ACE-21: in a pod of several apps both levels have their limits", () => {
    const layout = { ...v1, hierarchies: [...v1.hierarchies, hierarchy(1, "/cg/blkio", "io")] };
    const own = { pids: 10, block: { devices: ["8:0"], operations: 100n } };
    const apps = [
      { name: "a", limits: own },
      { name: "b", limits: {} },
    ];
    const plan = planPodCgroups(layout, "U", { pod: { pids: 50, block: { devices: ["8:0"], bytes: 70000n } }, apps });
    const written = text(plan.directories).filter(([path]) => /blkio|pids/.test(path ?? ""));
    assert.deepEqual(written, [
      ["/cg/pids/perigee-U", "pids.max 50"],
      ["/cg/pids/perigee-U/app-a", "pids.max 10"],
      ["/cg/blkio/perigee-U", "blkio.throttle.read_bps_device 8:0 70000", "blkio.throttle.write_bps_device 8:0 70000"],
      [
        "/cg/blkio/perigee-U/app-a",
        "blkio.throttle.read_iops_device 8:0 100",
        "blkio.throttle.write_iops_device 8:0 100",
      ],
    ]);
    assert.deepEqual(plan.apps.get("a"), ["/cg/pids/perigee-U/app-a", "/cg/blkio/perigee-U/app-a"]);
  });

  it("ISO-10: the only app's processes are counted without init, and bounded by the pod's", () => {
    const pids = (app: number) =>
      text(
        planPodCgroups(v1, "U", { pod: { pids: 2048 }, apps: [{ name: "a", limits: { pids: app } }] }).directories,
      ).at(-1);
    assert.deepEqual(pids(10), ["/cg/pids/perigee-U", "pids.max 11"]);
    assert.deepEqual(pids(2048), ["/cg/pids/perigee-U", "pids.max 2048"]);
  });

  it("a hierarchy that cannot be written is left out", () => {
    const layout = { ...v1, hierarchies: v1.hierarchies.map((one) => ({ ...one, writable: false })) };
    const plan = planPodCgroups(layout, "U", { pod: {}, apps: [] });
    assert.deepEqual([plan.directories, plan.init, plan.remove, plan.visible], [[], [], [], []]);
  });
});

describe("planPodCgroups on v2", () => {
  it("one app: one directory, controllers enabled above it, a device program", () => {
    const plan = planPodCgroups(v2, "U", { pod: { pids: 2048 }, apps: [{ name: "web", limits }] });
    assert.deepEqual(plan.enable, [{ path: "/cg", value: "+memory +cpu +pids" }]);
    assert.deepEqual(text(plan.directories), [
      [
        "/cg/perigee-U",
        "memory.max 134217728",
        "memory.swap.max 0",
        "cpu.max 50000 100000",
        "cpu.weight 20",
        "pids.max 2048",
      ],
    ]);
    assert.deepEqual(plan.init, ["/cg/perigee-U"]);
    assert.equal(plan.deviceFilter?.cgroup, "/cg/perigee-U");
    assert.equal(plan.visible, "v2");
  });

  it("several apps with limits: no process stands in a cgroup whose children have controllers", () => {
    const apps = [
      { name: "a", limits: { memory: 4096n } },
      { name: "b", limits: { cpuShares: 2 } },
      { name: "c", limits: {} },
    ];
    const plan = planPodCgroups(v2, "U", { pod: { pids: 5 }, apps });
    assert.deepEqual(plan.enable, [{ path: "/cg", value: "+pids +memory +cpu" }]);
    assert.deepEqual(text(plan.directories), [
      ["/cg/perigee-U", "pids.max 5", "cgroup.subtree_control +memory +cpu"],
      ["/cg/perigee-U/init"],
      ["/cg/perigee-U/app-a", "memory.max 4096", "memory.swap.max 0"],
      ["/cg/perigee-U/app-b", "cpu.weight 1"],
    ]);
    assert.deepEqual(plan.init, ["/cg/perigee-U/init"]);
    assert.deepEqual([...plan.apps.keys()], ["a", "b"]);
    assert.equal(plan.remove.at(-1), "/cg/perigee-U");
  });

  it("block devices: a line for each, and memory enabled, or writing through its pages would not count (ISO-11)", () => {
    const layout: CgroupLayout = { kind: "v2", hierarchies: [hierarchy(2, "/cg", "memory", "cpu", "io")] };
    const plan = planPodCgroups(layout, "U", { pod: { block }, apps: [] });
    assert.deepEqual(plan.enable, [{ path: "/cg", value: "+io +memory" }]);
    const rest = "rbps=1048576 wbps=1048576 riops=100 wiops=100";
    assert.deepEqual(text(plan.directories), [["/cg/perigee-U", `io.max 8:0 ${rest}`, `io.max 254:0 ${rest}`]]);
    const apps = [
      { name: "a", limits: { pids: 3, block: { devices: ["8:0"], bytes: 70000n } } },
      { name: "b", limits: {} },
    ];
    const two = planPodCgroups(layout, "U", { pod: { block: { devices: ["8:0"], operations: 90n } }, apps });
    assert.deepEqual(text(two.directories), [
      ["/cg/perigee-U", "io.max 8:0 riops=90 wiops=90", "cgroup.subtree_control +io +memory"],
      ["/cg/perigee-U/init"],
      ["/cg/perigee-U/app-a", "io.max 8:0 rbps=70000 wbps=70000"],
    ]);
  });

  it("nothing is enabled for nothing", () => {
    assert.deepEqual(planPodCgroups(v2, "U", { pod: {}, apps: [] }).enable, []);
  });
});

describe("limits of packets (ISO-40)", () => {
  const hybrid: CgroupLayout = {
    kind: "hybrid",
    hierarchies: [...v1.hierarchies, hierarchy(2, "/cg/unified", "network")],
  };
  const held = { name: "held", limits: { traffic: 5000n } };

  it("a hierarchy that is for nothing else is used only when something is limited", () => {
    const plan = planPodCgroups(hybrid, "U", { pod: { pids: 9 }, apps: [{ name: "web", limits }] });
    assert.equal(plan.init.length, 5);
    assert.deepEqual(plan.networkLimits, []);
    const limited = planPodCgroups(hybrid, "U", { pod: { pids: 9 }, apps: [held] });
    assert.deepEqual(limited.networkLimits, [{ cgroup: "/cg/unified/perigee-U", bytes: 5000n }]);
    assert.deepEqual(text(limited.directories).at(-1), ["/cg/unified/perigee-U"]);
    assert.ok(limited.remove.includes("/cg/unified/perigee-U"));
  });

  it("an app's of several has a cgroup of its own, where no controller is enabled for it", () => {
    const apps = [held, { name: "free", limits: {} }];
    for (const layout of [
      hybrid,
      { ...v2, hierarchies: [hierarchy(2, "/cg/unified", "pids", "devices", "network")] },
    ]) {
      const plan = planPodCgroups(layout, "U", { pod: { traffic: 9000n }, apps });
      assert.deepEqual(plan.networkLimits, [
        { cgroup: "/cg/unified/perigee-U", bytes: 9000n },
        { cgroup: "/cg/unified/perigee-U/app-held", bytes: 5000n },
      ]);
      assert.deepEqual(plan.apps.get("held"), ["/cg/unified/perigee-U/app-held"]);
      assert.deepEqual(text(plan.directories).slice(-3), [
        ["/cg/unified/perigee-U"],
        ["/cg/unified/perigee-U/init"],
        ["/cg/unified/perigee-U/app-held"],
      ]);
    }
  });
});

describe("devices that volumes give (POD-56)", () => {
  const devices = [{ kind: "c", major: 10, minor: 229, readOnly: false }] as const;

  it("are allowed behind those of every pod, on v1 and v2", () => {
    const lines = planPodCgroups(v1, "U", { pod: {}, apps: [], devices }).directories[2]?.writes ?? [];
    assert.deepEqual(lines.at(-1), { file: "devices.allow", value: "c 10:229 rw" });
    const [plain, more] = [undefined, devices].map((given) =>
      planPodCgroups(v2, "U", { pod: {}, apps: [], devices: given }),
    );
    assert.ok((more?.deviceFilter?.program.length ?? 0) > (plain?.deviceFilter?.program.length ?? 0));
  });
});

describe("numbers", () => {
  it("shares become weights at both ends", () => assert.deepEqual([2, 1024, 262144].map(weightOf), [1, 39, 10000]));

  it("a quota is never below what the kernel takes", () => {
    const plan = planPodCgroups(v2, "U", { pod: {}, apps: [{ name: "a", limits: { cpuMillicores: 1 } }] });
    assert.deepEqual(plan.directories[0]?.writes, [{ file: "cpu.max", value: "1000 100000" }]);
  });
});
