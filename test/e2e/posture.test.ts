/**
 * One golden file for each way to start a pod (security-and-reliability 4.2), and a comparison with what docker, podman and runc keep from
 * their programs by default (golden/peers.json): a line that becomes weaker than theirs fails.
 */
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { guestImage, guestWork } from "../helpers/guest-work.ts";
import { golden, type Posture, postureLine, readPosture, weakerLines } from "../helpers/posture.ts";
import { tableOf } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork();

const peers = golden<Readonly<Record<string, Posture>>>("peers");
const modes: Readonly<Record<string, readonly string[]>> = {
  "root-user-namespace": [],
  "root-no-user-namespace": ["--private-users=no"],
  "host-network": ["--net=host"],
};

/** `runc spec` is a configuration to start from, with a root that nothing can write to and no rights to keep house in it. */
const ofRunc = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "SYS_CHROOT"].map(
    (name) => `capabilities CAP_${name}`,
  ),
  "mounts ro of /",
];

function posture(flags: readonly string[]): Posture {
  const { status, stdout, stderr } = work.run([
    ...flags,
    image,
    "--",
    ...postureLine(readCgroupLayout().kind === "v2"),
  ]);
  assert.equal(status, 0, stderr);
  return readPosture(stdout, (kind) => readlinkSync(`/proc/self/ns/${kind}`));
}

function blockedCalls(flags: readonly string[]): number {
  const answers = (insecure: readonly string[]) =>
    tableOf(work.run([...flags, image, "--", "sweep"], { insecure }).stdout, "call");
  const [confined, open] = [answers([]), answers(["seccomp", "capabilities"])];
  return Object.keys(confined).filter((number) => open[number] !== confined[number]).length;
}

for (const [mode, flags] of Object.entries(modes)) {
  describe(`a pod of mode ${mode}`, () => {
    it("T-I08: is kept from what its golden file says, line by line", () => {
      assert.deepEqual(posture(flags), golden(mode));
    });

    it("T-I09: no line is weaker than docker's, podman's or runc's, but what runc's sample has for a read-only root", () => {
      const ours = { ...posture(flags), blockedCalls: blockedCalls(flags) };
      for (const [name, peer] of Object.entries(peers)) {
        // With the host's network they have no network namespace of their own either.
        const isHost = mode === "host-network";
        const theirs = isHost ? { ...peer, namespaces: peer.namespaces.filter((kind) => kind !== "net") } : peer;
        assert.deepEqual([...weakerLines(ours, theirs)].sort(), name === "runc" ? [...ofRunc].sort() : [], name);
      }
    });
  });
}

describe("weakerLines", () => {
  it("names each line of a posture that was weakened, and nothing of an equal one", () => {
    const [docker] = [peers["docker"]];
    assert.ok(docker !== undefined);
    assert.deepEqual(weakerLines(docker, docker), []);
    const weak: Posture = {
      ...docker,
      namespaces: docker.namespaces.filter((kind) => kind !== "pid"),
      capabilities: [...docker.capabilities, "CAP_SYS_ADMIN"],
      ambient: ["CAP_KILL"],
      filter: false,
      blockedCalls: 68,
      mounts: { ...docker.mounts, "/sys": ["nosuid", "nodev"] },
      hidden: docker.hidden.filter((path) => path !== "/proc/kcore"),
      devices: [...docker.devices, "mem"],
      descriptors: ["0", "1", "2", "9"],
      ownKeyring: false,
      umask: "0002",
    };
    assert.deepEqual(weakerLines(weak, docker), [
      ...["namespaces pid", "capabilities CAP_SYS_ADMIN", "ambient CAP_KILL", "filter", "ownKeyring", "blockedCalls"],
      ...["mounts ro of /sys", "hidden /proc/kcore", "devices mem", "descriptors 9", "umask"],
    ]);
    const [podman, runc] = [peers["podman"], peers["runc"]];
    assert.ok(podman !== undefined && runc !== undefined);
    assert.ok(weakerLines({ ...podman, processes: null }, podman).includes("processes null"));
    assert.ok(weakerLines({ ...runc, noNewPrivileges: false, openFiles: 4096 }, runc).includes("noNewPrivileges"));
  });
});
