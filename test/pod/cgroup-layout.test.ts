import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  blockVersion,
  type CgroupProbe,
  cgroupFeatures,
  parseCgroupLayout,
  readCgroupLayout,
} from "../../src/pod/cgroup-layout.ts";

const line = (mountPoint: string, type: string, options: string, root = "/") =>
  `32 31 0:29 ${root} ${mountPoint} rw,nosuid shared:9 - ${type} ${type} ${options}`;

/** Every directory may be written but those listed; v2 has these controllers. */
const probe = (v2: readonly string[] = [], unwritable: (path: string) => boolean = () => false): CgroupProbe => ({
  canWrite: (path) => !unwritable(path),
  controllersOf: () => v2,
});

const v1 = [
  line("/sys/fs/cgroup", "tmpfs", "rw,mode=755"),
  line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"),
  line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
  line("/sys/fs/cgroup/devices", "cgroup", "rw,devices"),
  line("/sys/fs/cgroup/freezer", "cgroup", "rw,freezer"),
  line("/sys/fs/cgroup/pids", "cgroup", "rw,pids"),
  line("/sys/fs/cgroup/blkio", "cgroup", "rw,blkio"),
  line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd"),
].join("\n");
const v1Self = "5:pids:/\n4:freezer:/\n3:devices:/\n2:memory:/jobs/7\n1:cpu,cpuacct:/\n0::/\n";
const v2 = line("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate");

const chosen = (layout: ReturnType<typeof parseCgroupLayout>) =>
  layout.hierarchies.map(({ version, base, controllers }) => `v${version} ${base} ${controllers.join(",")}`);

describe("parseCgroupLayout", () => {
  it("v1: one hierarchy a controller, name=systemd is none of ours", () => {
    const layout = parseCgroupLayout(v1, v1Self, probe());
    assert.equal(layout.kind, "v1");
    assert.deepEqual(chosen(layout), [
      "v1 /sys/fs/cgroup/cpu,cpuacct cpu",
      "v1 /sys/fs/cgroup/memory memory",
      "v1 /sys/fs/cgroup/devices devices",
      "v1 /sys/fs/cgroup/freezer freezer",
      "v1 /sys/fs/cgroup/pids pids",
      "v1 /sys/fs/cgroup/blkio io",
    ]);
    assert.deepEqual(cgroupFeatures(layout), {
      ...{ memory: true, cpu: true, pids: true, io: true, devices: true },
      network: "no cgroup hierarchy offers the controller network here",
    });
    assert.equal(blockVersion(layout), 1);
  });

  it("hybrid: v1 first, v2 for what is left; v2 is left out when nothing is", () => {
    const unified = line("/sys/fs/cgroup/unified", "cgroup2", "rw");
    const full = parseCgroupLayout(`${unified}\n${v1}`, v1Self, probe(["hugetlb", "freezer", "devices"]));
    assert.equal(full.kind, "hybrid");
    assert.ok(full.hierarchies.every(({ version }) => version === 1));
    const without = v1
      .split("\n")
      .filter((text) => !/devices|pids/.test(text))
      .join("\n");
    const mixed = parseCgroupLayout(`${unified}\n${without}`, v1Self, probe(["pids", "devices", "memory"]));
    assert.equal(chosen(mixed).at(-1), "v2 /sys/fs/cgroup/unified pids,devices");
  });

  it("v2 with systemd, as root: our cgroups stand at the top, whatever the caller's is", () => {
    const self = "0::/user.slice/user-0.slice/session-1.scope\n";
    const layout = parseCgroupLayout(v2, self, probe(["freezer", "devices", "cpu", "memory", "pids"]));
    assert.equal(layout.kind, "v2");
    assert.deepEqual(chosen(layout), ["v2 /sys/fs/cgroup memory,cpu,pids,devices,freezer"]);
  });

  it("v2 for a user: the topmost cgroup that was delegated", () => {
    const self = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n";
    const isForeign = (path: string) => !path.includes("user@1000.service");
    const layout = parseCgroupLayout(v2, self, probe(["freezer", "memory", "pids"], isForeign));
    assert.deepEqual(chosen(layout), [
      "v2 /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service memory,pids,freezer",
    ]);
    const features = cgroupFeatures(layout);
    assert.deepEqual([blockVersion(layout), features.io], [2, "no cgroup hierarchy offers the controller io here"]);
    assert.deepEqual([features.memory, features.pids], [true, true]);
    assert.match(String(features.cpu), /no cgroup hierarchy offers the controller cpu/);
  });

  it("nothing that can be written is said, not hidden", () => {
    const layout = parseCgroupLayout(
      v2,
      "0::/a/b\n",
      probe(["memory"], () => true),
    );
    assert.equal(layout.hierarchies[0]?.writable, false);
    assert.match(String(cgroupFeatures(layout).memory), /cannot be written/);
  });

  it("v2 without systemd and without controllers still holds the pod, so that it can be killed", () => {
    assert.deepEqual(chosen(parseCgroupLayout(v2, "0::/\n", probe([]))), ["v2 /sys/fs/cgroup "]);
  });

  it("none: no cgroup file system at all", () => {
    const layout = parseCgroupLayout(line("/", "ext4", "rw"), "", probe());
    assert.deepEqual(layout, { kind: "none", hierarchies: [] });
  });

  it("inside a container: the mount's root is not the hierarchy's", () => {
    const mounts = line("/sys/fs/cgroup/memory", "cgroup", "rw,memory", "/docker/abc");
    const isTop = (path: string) => path === "/sys/fs/cgroup/memory";
    const below = parseCgroupLayout(mounts, "2:memory:/docker/abc/job\n", probe([], isTop));
    assert.deepEqual(chosen(below), ["v1 /sys/fs/cgroup/memory/job memory"]);
    for (const elsewhere of ["/docker/abcdef/job", "/../other", "/"]) {
      const layout = parseCgroupLayout(mounts, `2:memory:${elsewhere}\n`, probe([], isTop));
      assert.equal(layout.hierarchies[0]?.writable, false, elsewhere);
    }
  });

  it("mount points with spaces, and mounts that hide others", () => {
    const mounts = [
      line("/my\\040cg", "cgroup", "rw,memory"),
      line("/x", "cgroup", "rw,pids"),
      line("/x", "tmpfs", "rw"),
    ];
    const layout = parseCgroupLayout(mounts.join("\n"), "1:memory:/\n2:pids:/\n", probe());
    assert.deepEqual(chosen(layout), ["v1 /my cg memory"]);
  });
});

describe("readCgroupLayout", () => {
  it("reads this machine: every hierarchy is a directory with processes", () => {
    const layout = readCgroupLayout();
    const controllers = layout.hierarchies.flatMap((hierarchy) => hierarchy.controllers);
    assert.equal(new Set(controllers).size, controllers.length);
  });
});
