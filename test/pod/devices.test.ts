import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, it } from "node:test";
import {
  deviceLinks,
  deviceProgram,
  deviceRules,
  devices,
  isFreeDevicePath,
  maskedPaths,
  readonlyPaths,
} from "../../src/pod/devices.ts";
import { runDevices } from "../helpers/bpf.ts";

describe("devices (OS-1, security 4.2.5)", () => {
  it("are the nodes of this machine by the same numbers", () => {
    for (const { name, major, minor } of devices) {
      const stat = statSync(`/dev/${name}`);
      assert.ok(stat.isCharacterDevice());
      assert.equal(stat.rdev, (major << 8) | minor, name);
    }
  });

  it("with the links they are exactly the set of the requirement", () => {
    const names = [...devices.map(({ name }) => `/dev/${name}`), ...deviceLinks.map(({ path }) => path)];
    const wanted = "null zero full random urandom tty ptmx fd stdin stdout stderr";
    assert.deepEqual(
      names.toSorted(),
      wanted
        .split(" ")
        .map((name) => `/dev/${name}`)
        .toSorted(),
    );
  });
});

describe("the device cgroup (security 4.2.6)", () => {
  const program = deviceProgram();
  const allows = (type: number, major: number, minor: number) => runDevices(program, type, major, minor) === 1;

  it("v2: the program allows the nodes, ptmx and pseudo-terminals, and nothing else", () => {
    for (const { major, minor } of devices) assert.ok(allows(2, major, minor));
    for (const minor of [0, 1, 255, 1048575]) assert.ok(allows(2, 136, minor));
    assert.ok(allows(2, 5, 2));
    const refused = [
      [2, 1, 1],
      [2, 1, 11],
      [2, 5, 1],
      [2, 4, 64],
      [2, 10, 200],
      [2, 10, 232],
      [1, 1, 3],
      [1, 8, 0],
      [1, 254, 0],
      [2, 135, 0],
      [2, 137, 0],
    ] as const;
    for (const [type, major, minor] of refused) assert.ok(!allows(type, major, minor), `${type} ${major}:${minor}`);
  });

  it("v1: the rules say the same", () => {
    assert.deepEqual(deviceRules(), [
      ...devices.map(({ major, minor }) => `c ${major}:${minor} rwm`),
      "c 5:2 rwm",
      "c 136:* rwm",
    ]);
  });
});

describe("devices of volumes (POD-56)", () => {
  const given = [
    { kind: "c", major: 10, minor: 229, readOnly: false },
    { kind: "b", major: 8, minor: 1, readOnly: true },
  ] as const;
  const program = deviceProgram(given);
  const [mknod, read, write] = [1, 2, 4];
  const allows = (type: number, major: number, minor: number, access: number) =>
    runDevices(program, type, major, minor, access) === 1;

  it("v2: may be opened as the volume says, and not be made", () => {
    for (const access of [read, write, read | write]) assert.ok(allows(2, 10, 229, access));
    for (const access of [mknod, mknod | read]) assert.ok(!allows(2, 10, 229, access));
    assert.ok(allows(1, 8, 1, read));
    for (const access of [write, read | write, mknod]) assert.ok(!allows(1, 8, 1, access));
    for (const [type, major, minor] of [
      [1, 10, 229],
      [2, 8, 1],
      [2, 10, 228],
      [1, 8, 0],
    ] as const)
      assert.ok(!allows(type, major, minor, read), `${type} ${major}:${minor}`);
    for (const access of [mknod, read, write]) assert.ok(allows(2, 1, 3, access), "those of every pod stay");
  });

  it("v1: the rules say the same", () => {
    assert.deepEqual(deviceRules(given).slice(-2), ["c 10:229 rw", "b 8:1 r"]);
    assert.deepEqual(deviceRules(given).slice(0, -2), deviceRules());
  });

  it("have their place in /dev where nothing of every pod is", () => {
    for (const path of ["/dev/fuse", "/dev/net/tun", "/dev/nullx"]) assert.ok(isFreeDevicePath(path), path);
    for (const path of ["/dev", "/dev/null", "/dev/pts/7", "/dev/ptmx", "/dev/stdin", "/devices/x", "/srv/fuse"])
      assert.ok(!isFreeDevicePath(path), path);
  });
});

describe("hidden and read-only paths (security 4.1)", () => {
  it("hold the union of docker, podman, runc and rkt", () => {
    const union =
      "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi " +
      "/proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware /sys/fs/selinux /sys/dev/block " +
      "/sys/hypervisor /sys/module /sys/power /proc/config.gz /proc/kallsyms /proc/kmem /proc/mem";
    for (const path of union.split(" ")) assert.ok(maskedPaths.includes(path), path);
    assert.deepEqual(readonlyPaths, ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
  });

  it("leave the app its cgroups and what every program needs", () => {
    for (const path of ["/proc", "/proc/self", "/sys", "/sys/fs", "/sys/fs/cgroup", "/sys/devices", "/proc/cpuinfo"]) {
      assert.ok(!maskedPaths.includes(path));
    }
  });
});
