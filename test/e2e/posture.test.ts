/**
 * One golden file for each way to start a pod (security-and-reliability 4.2), and a comparison with what docker, podman and runc keep from
 * their programs by default (golden/peers.json): a line that becomes weaker than theirs fails.
 */
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { guestImage, guestWork } from "../helpers/guest-work.ts";
import { UserWorkspace } from "../helpers/ordinary-user.ts";
import { golden, type Posture, postureLine, readPosture, weakerLines } from "../helpers/posture.ts";
import { tableOf, type Workspace } from "../helpers/program.ts";

const image = guestImage;
// Before the look at what is there: it is closed after the look at what is left.
const user = new UserWorkspace();
const work = guestWork();

const peers = golden<Readonly<Record<string, Posture>>>("peers");
before(() => {
  user.stored(image, { exec: ["/guest"] });
});
after(() => user.close());

interface Mode {
  readonly flags: readonly string[];
  readonly by: Workspace;
}

const modes: Readonly<Record<string, Mode>> = {
  "root-user-namespace": { flags: [], by: work },
  "root-no-user-namespace": { flags: ["--private-users=no"], by: work },
  "host-network": { flags: ["--net=host"], by: work },
  unprivileged: { flags: [], by: user },
};

/** `runc spec` is a configuration to start from, with a root that nothing can write to and no rights to keep house in it. */
const ofRunc = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "SYS_CHROOT"].map(
    (name) => `capabilities CAP_${name}`,
  ),
  "mounts ro of /",
];

function posture({ flags, by }: Mode): Posture {
  const { status, stdout, stderr } = by.run([
    ...flags,
    image,
    "--",
    ...postureLine(by === user ? "none" : readCgroupLayout().kind === "v2" ? "v2" : "v1"),
  ]);
  assert.equal(status, 0, stderr);
  return readPosture(stdout, (kind) => readlinkSync(`/proc/self/ns/${kind}`));
}

function blockedCalls({ flags, by }: Mode): number {
  const answers = (insecure: readonly string[]) =>
    tableOf(by.run([...flags, image, "--", "sweep"], { insecure }).stdout, "call");
  const [confined, open] = [answers([]), answers(["seccomp", "capabilities"])];
  return Object.keys(confined).filter((number) => open[number] !== confined[number]).length;
}

for (const [mode, how] of Object.entries(modes)) {
  describe(`a pod of mode ${mode}`, () => {
    it("T-I08, ISO-25: is kept from what its golden file says, line by line", () => {
      assert.deepEqual(posture(how), golden(mode));
    });

    it("T-I09: no line is weaker than docker's, podman's or runc's, but what runc's sample has for a read-only root", () => {
      const ours = { ...posture(how), blockedCalls: blockedCalls(how) };
      for (const [name, peer] of Object.entries(peers)) {
        // With the host's network they have no network namespace of their own either.
        const isHost = mode === "host-network";
        const theirs = isHost ? { ...peer, namespaces: peer.namespaces.filter((kind) => kind !== "net") } : peer;
        assert.deepEqual([...weakerLines(ours, theirs)].sort(), name === "runc" ? [...ofRunc].sort() : [], name);
      }
    });
  });
}

describe("the other doors to a pod", () => {
  const line = postureLine(readCgroupLayout().kind === "v2" ? "v2" : "v1");
  const own = (kind: string) => readlinkSync(`/proc/self/ns/${kind}`);

  it("T-I19: what is entered is kept from all that the app is kept from", async () => {
    await work.inPod([image, "--", "wait", "600"], async (uuid) => {
      const { status, stdout, stderr } = work.perigee(["enter", uuid, "/guest", ...line]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(readPosture(stdout, own), golden("root-user-namespace"));
    });
  });

  it("T-I20: so are handlers, before the app and after it", () => {
    for (const name of ["pre-start", "post-stop"]) {
      const eventHandlers = [{ name, exec: ["/guest", ...line] }];
      const handled = work.stored(`example.com/${name}`, { exec: ["/guest", "exit", "0"], eventHandlers });
      const { status, stdout, stderr } = work.run([handled]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(readPosture(stdout, own), golden("root-user-namespace"), name);
    }
  });
});

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
