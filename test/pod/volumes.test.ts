import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { matchVolumes, mayWriteHost, obscured } from "../../src/pod/volumes.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import type { TreeRoot } from "../../src/store/stack.ts";
import { asNobody } from "../helpers/as-nobody.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

interface MountLike {
  readonly volume: string;
  readonly path: string;
  readonly appVolume?: unknown;
}

const id = `sha512-${"a".repeat(128)}`;

/** A pod of one app `web`; `points` are its image's mount points. */
function pod(volumes: readonly unknown[], mounts: readonly MountLike[], points: readonly unknown[] = []) {
  const app = { exec: ["/x"], user: "0", group: "0", mountPoints: points };
  return PodManifest.parse({
    acKind: "PodManifest",
    acVersion: "0.8.11",
    apps: [{ name: "web", image: { id }, app, mounts }],
    volumes,
  });
}

const host = { name: "data", kind: "host", source: "/srv" };
const matched = (...parts: Parameters<typeof pod>) => matchVolumes(pod(...parts)).apps.get("web");

describe("matchVolumes", () => {
  it("ISO-5: a pod writes to the host when some app has a host volume that is not read-only", () => {
    const writes = (volumes: readonly object[], mount: MountLike) => matchVolumes(pod(volumes, [mount])).writesHost;
    const mount = { volume: "data", path: "/db" };
    assert.equal(writes([host], mount), true);
    assert.equal(writes([{ ...host, readOnly: true }], mount), false);
    assert.equal(writes([{ name: "data", kind: "empty" }], mount), false);
    assert.equal(writes([{ name: "data", kind: "empty" }], { ...mount, appVolume: host }), true);
    assert.equal(
      writes([host, { name: "other", kind: "empty" }], { volume: "other", path: "/db" }),
      false,
      "mounted nowhere",
    );
  });

  it("ISO-5: without a user namespace a pod may come to write to the host by any volume of it and by its network", () => {
    const readOnly = matchVolumes(pod([{ ...host, readOnly: true }], [{ volume: "data", path: "/db" }]));
    const empty = matchVolumes(pod([{ name: "data", kind: "empty" }], [{ volume: "data", path: "/db" }]));
    const [shared, own] = [{ userNamespace: false }, { userNamespace: true }];
    assert.equal(mayWriteHost(readOnly, { ...own, network: "host" }), false);
    assert.equal(mayWriteHost(readOnly, { ...shared, network: "none" }), true);
    assert.equal(mayWriteHost(empty, { ...shared, network: "host" }), true);
    assert.equal(mayWriteHost(empty, { ...shared, network: "none" }), false);
  });

  it("a host volume is recursive and writable unless said (POD-13)", () => {
    assert.deepEqual(matched([host], [{ volume: "data", path: "/db//x/" }]), [
      {
        ...{ kind: "host", volume: "data", source: "/srv", target: "/db/x", readOnly: false },
        ...{ recursive: true, propagation: "private" },
      },
    ]);
    const strict = matched([{ ...host, recursive: false, readOnly: true }], [{ volume: "data", path: "/db" }]);
    assert.deepEqual(
      strict?.map((mount) => [mount.readOnly, mount.kind === "host" && mount.recursive]),
      [[true, false]],
    );
  });

  it("an empty volume has its mode and owner, and is listed once (POD-14)", () => {
    const manifest = pod(
      [{ name: "tmp", kind: "empty", mode: "1777", uid: 5, gid: 6 }],
      [
        { volume: "tmp", path: "/a" },
        { volume: "tmp", path: "/b" },
      ],
    );
    const { empty } = matchVolumes(manifest);
    assert.deepEqual(
      empty.map(({ volume, mode, uid, gid }) => [volume, mode, uid, gid]),
      [["tmp", 0o1777, 5, 6]],
    );
  });

  it("POD-52: a seeded volume is filled by the first app that mounts it, and by its first mount", () => {
    const volume = { name: "tmp", kind: "empty", seeded: true };
    const mounts = ["/b", "/a"].map((path) => ({ volume: "tmp", path }));
    assert.deepEqual(matchVolumes(pod([volume], mounts)).empty, [
      { volume: "tmp", mode: 0o755, uid: 0, gid: 0, seed: { app: "web", target: "/b" } },
    ]);
    assert.equal(matchVolumes(pod([{ ...volume, seeded: false }], mounts)).empty[0]?.seed, undefined);
  });

  it("POD-50: a tmpfs has its size in bytes, its mode and its owner; nothing of it is to be made on disk", () => {
    const tmpfs = { name: "tmp", kind: "tmpfs", size: "64M", uid: 5, gid: 6 };
    const mount = [{ volume: "tmp", path: "/run" }];
    const { apps, empty } = matchVolumes(pod([tmpfs], mount));
    assert.deepEqual(apps.get("web"), [
      {
        ...{ kind: "tmpfs", volume: "tmp", target: "/run", readOnly: false },
        ...{ size: 64_000_000n, mode: 0o1777, uid: 5, gid: 6 },
      },
    ]);
    assert.deepEqual(empty, []);
    const sized = (size: string | undefined) => matched([{ ...tmpfs, size }], mount)?.[0];
    assert.equal((sized(undefined) as { size?: bigint }).size, undefined, "the kernel's own");
    for (const size of ["0", "1", "4095"]) assert.throws(() => sized(size), fails("MANIFEST_INVALID", /holds nothing/));
  });

  it("POD-54: a host volume is private unless said; POD-58: another one writes to the host, and is warned of if read-only", () => {
    const mount = [{ volume: "data", path: "/db" }];
    const slave = matchVolumes(pod([{ ...host, readOnly: true, propagation: "slave" }], mount));
    assert.equal(slave.writesHost, true);
    assert.match(slave.warnings.join(), /later need not be/);
    assert.deepEqual(matchVolumes(pod([{ ...host, propagation: "slave" }], mount)).warnings, []);
    assert.equal(matchVolumes(pod([{ ...host, readOnly: true, propagation: "private" }], mount)).writesHost, false);
  });

  it("POD-56: a volume of the host may be at a free place of /dev, no other kind may", () => {
    const mount = [{ volume: "data", path: "/dev/net/tun" }];
    assert.equal(matched([host], mount)?.[0]?.target, "/dev/net/tun");
    for (const kind of ["empty", "tmpfs"])
      assert.throws(
        () => matched([{ name: "data", kind }], mount),
        fails("MANIFEST_INVALID", /nothing can be mounted/),
      );
  });

  it("read-only: the volume's word wins, else the mount point's", () => {
    const point = [{ name: "data", path: "/db", readOnly: true }];
    const mount = [{ volume: "data", path: "/db" }];
    assert.equal(matched([host], mount, point)?.[0]?.readOnly, true);
    assert.equal(matched([{ ...host, readOnly: false }], mount, point)?.[0]?.readOnly, false);
    assert.equal(matched([{ ...host, readOnly: true }], mount)?.[0]?.readOnly, true);
  });

  it("appVolume overrides the lookup by name (POD-9)", () => {
    const appVolume = { name: "data", kind: "host", source: "/other" };
    const [mount] = matched([host], [{ volume: "data", path: "/db", appVolume }]) ?? [];
    assert.equal(mount?.kind === "host" && mount.source, "/other");
  });

  it("a mount of no volume is an error, a volume without a mount a warning", () => {
    assert.throws(() => matched([], [{ volume: "data", path: "/db" }]), fails("USAGE", /no volume data/));
    assert.deepEqual(matchVolumes(pod([host], [])).warnings.length, 1);
  });

  it("ACE-12: overlapping targets are an error, by components (T-R56)", () => {
    const both = (one: string, other: string) =>
      matched(
        [host],
        [
          { volume: "data", path: one },
          { volume: "data", path: other },
        ],
      );
    for (const [one, other] of [
      ["/a", "/a"],
      ["/a", "/a/"],
      ["/a/b", "/a"],
      ["/a", "/a/./b"],
    ] as const) {
      assert.throws(() => both(one, other), fails("MANIFEST_INVALID", /ACE|twice|below/), `${one} ${other}`);
    }
    assert.equal(both("/a", "/ab")?.length, 2);
  });

  for (const path of [
    "/",
    "//",
    "/./",
    "/proc",
    "/proc/self",
    "/sys",
    "/sys/fs/cgroup",
    "/dev",
    "/dev/shm",
    "/dev/null",
    "/dev/pts/0",
    "/dev/console",
    "/dev/fd",
    "//proc//x",
  ]) {
    it(`T-R11: refuses ${path}`, () =>
      assert.throws(
        () => matched([host], [{ volume: "data", path }]),
        fails("MANIFEST_INVALID", /nothing can be mounted/),
      ));
  }
});

describe("obscured (ACE-11)", () => {
  it("speaks of what a mount hides", async (context) => {
    const root = await temporaryDirectory(context);
    mkdirSync(join(root, "full"));
    mkdirSync(join(root, "empty"));
    writeFileSync(join(root, "full", "x"), "");
    const mounts = matched(
      [host],
      ["/full", "/empty", "/missing"].map((path) => ({ volume: "data", path })),
    );
    assert.deepEqual(obscured(root, "web", mounts ?? [], []), ["web: volume data hides what the image has at /full"]);
  });

  it("POD-52: a volume that was filled with it hides nothing, but from the app that filled it only", async (context) => {
    const root = await temporaryDirectory(context);
    mkdirSync(join(root, "full"));
    writeFileSync(join(root, "full", "x"), "");
    const mounts = matched([{ name: "data", kind: "empty" }], [{ volume: "data", path: "/full" }]) ?? [];
    const volume = { volume: "data", mode: 0o755, uid: 0, gid: 0, seed: { app: "web", target: "/full" } };
    assert.deepEqual(obscured(root, "web", mounts, [volume]), []);
    assert.equal(obscured(root, "other", mounts, [volume]).length, 1);
  });

  it("POD-53: an ordinary user who may not look is told, also that a volume begins empty for it", async (context) => {
    const root = await temporaryDirectory(context);
    chmodSync(root, 0o755);
    mkdirSync(join(root, "closed"), { mode: 0o700 });
    mkdirSync(join(root, "closed", "data"));
    mkdirSync(join(root, "open"));
    const layers = [{ id: "one", rootfs: root }];
    const seen = (target: string, tree: TreeRoot, seed?: { app: string; target: string }) => {
      const mounts = matched([{ name: "data", kind: "empty" }], [{ volume: "data", path: target }]) ?? [];
      const volume = { volume: "data", mode: 0o755, uid: 0, gid: 0, seed };
      return asNobody(() => obscured(tree, "web", mounts, [volume]));
    };
    for (const target of ["/closed", "/closed/data"]) {
      assert.deepEqual(seen(target, layers, { app: "web", target }), [
        `web: volume data begins empty: you may not read what the image has at ${target}`,
      ]);
      for (const tree of [layers, root]) {
        assert.deepEqual(seen(target, tree), [
          `web: volume data may hide what the image has at ${target}: you may not read it`,
        ]);
      }
    }
    assert.deepEqual(seen("/closed", root, { app: "web", target: "/closed" }), []);
    assert.deepEqual(seen("/open", layers, { app: "web", target: "/open" }), []);
  });
});
