import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  cleanPath,
  inspectSource,
  isAtOrBelow,
  matchVolumes,
  mayWriteHost,
  obscured,
  parseMountFlag,
  parseVolumeFlag,
} from "../../src/pod/volumes.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
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
      { kind: "host", volume: "data", source: "/srv", target: "/db/x", readOnly: false, recursive: true },
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
    "//proc//x",
  ]) {
    it(`T-R11: refuses ${path}`, () =>
      assert.throws(
        () => matched([host], [{ volume: "data", path }]),
        fails("MANIFEST_INVALID", /nothing can be mounted/),
      ));
  }
});

describe("inspectSource (ACE-14…16, T-R21)", () => {
  it("knows directories and files, and that a missing source is not made", async (context) => {
    const directory = realpathSync(await temporaryDirectory(context));
    writeFileSync(join(directory, "file"), "");
    execFileSync("mkfifo", [join(directory, "fifo")]);
    const inspect = (source: string) => inspectSource(source, { allowSymlinks: false });
    assert.deepEqual(inspect(`${directory}/`), { path: directory, type: "directory" });
    assert.deepEqual(inspect(join(directory, "file")), { path: join(directory, "file"), type: "file" });
    assert.equal(inspect(join(directory, "fifo")).type, "file");
    assert.throws(() => inspect(join(directory, "none")), fails("NOT_FOUND"));
    assert.throws(() => inspect(join(directory, "file", "x")), fails("NOT_FOUND"));
    assert.throws(() => inspect("/dev/null"), fails("UNSUPPORTED", /device/));
  });

  it("a link anywhere on the way is refused and named, unless allowed", async (context) => {
    const directory = realpathSync(await temporaryDirectory(context));
    mkdirSync(join(directory, "real", "sub"), { recursive: true });
    symlinkSync("real", join(directory, "link"));
    for (const source of [join(directory, "link"), join(directory, "link", "sub")]) {
      assert.throws(() => inspectSource(source, { allowSymlinks: false }), fails("USAGE", /link is a symbolic link/));
    }
    const allowed = inspectSource(join(directory, "link", "sub"), { allowSymlinks: true });
    assert.deepEqual(allowed, { path: join(directory, "real", "sub"), type: "directory" });
    assert.throws(() => inspectSource(join(directory, "no"), { allowSymlinks: true }), fails("NOT_FOUND"));
  });
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
    assert.deepEqual(obscured(root, "web", mounts ?? []), ["web: volume data hides what the image has at /full"]);
  });
});

describe("parseVolumeFlag", () => {
  it("reads both kinds", () => {
    assert.deepEqual(parseVolumeFlag("data,kind=host,source=/srv,readOnly=true,recursive=false"), {
      ...host,
      readOnly: true,
      recursive: false,
    });
    assert.deepEqual(parseVolumeFlag("tmp,kind=empty"), { name: "tmp", kind: "empty", mode: "0755", uid: 0, gid: 0 });
    assert.deepEqual(parseVolumeFlag("tmp,kind=empty,mode=1777,uid=7,gid=8,readOnly=false"), {
      name: "tmp",
      kind: "empty",
      mode: "1777",
      uid: 7,
      gid: 8,
      readOnly: false,
    });
  });

  const wrong = [
    "",
    "data",
    "data,kind=tmpfs",
    "data,kind=host",
    "Data,kind=empty",
    "-data,kind=empty",
    "kind=host,source=/srv",
    "data,kind=host,source=srv",
    "data,kind=host,source=/srv/../etc",
    "data,kind=host,source=/srv\n",
    "data,kind=host,source=/srv,mode=0755",
    "data,kind=empty,source=/srv",
    "data,kind=empty,readOnly=yes",
    "data,kind=empty,kind=empty",
    "data,kind=empty,mode=99",
    "data,kind=empty,uid=-1",
    "data,kind=empty,uid=4294967295",
    "data,kind=empty,gid=007",
    "data,kind=host,source=/srv,bind-propagation=shared",
    "data,kind=host,source=/srv,shared,rw,src=/",
  ];
  for (const text of wrong) {
    it(`T-R44: refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseVolumeFlag(text), fails("USAGE")));
  }
});

describe("parseMountFlag", () => {
  it("reads volume and target", () =>
    assert.deepEqual(parseMountFlag("volume=data,target=/db"), { volume: "data", target: "/db" }));

  for (const text of [
    "",
    "volume=data",
    "target=/db",
    "volume=data,target=db",
    "volume=data,target=/a/../b",
    "volume=data,target=/db,ro=true",
  ]) {
    it(`T-R44: refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseMountFlag(text), fails("USAGE")));
  }
});

describe("paths", () => {
  it("are compared by components (T-R56)", () => {
    assert.equal(cleanPath("//a/./b/"), "/a/b");
    assert.deepEqual(
      [isAtOrBelow("/a", "/a/"), isAtOrBelow("/a/b", "/a"), isAtOrBelow("/ab", "/a"), isAtOrBelow("/a", "/a/b")],
      [true, true, false, false],
    );
  });
});
