/**
 * Images on their way out, as other programs see them: umoci unpacks what we export and has the rendered tree, podman runs it, skopeo inspects and copies
 * it, and a registry takes what we push. What came as an OCI image leaves as the same, digest by digest.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { walkTree } from "../helpers/attributes.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, file, hardlink, layer, sha256, symlink, writeLayout } from "../helpers/oci-images.ts";
import { Workspace } from "../helpers/program.ts";
import { startRegistry } from "../helpers/registry.ts";

const clean = leakSnapshot();
const work = new Workspace();
const begun = BigInt(Date.now()) * 1_000_000n;
let count = 0;

function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = work.command(argv, { env });
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

type Tree = ReadonlyMap<string, string>;

/** Hard links between layers are files of their own to some, and umoci gives directories that it changed the time of now. */
function comparable(tree: Tree, other: Tree = tree): Tree {
  return new Map(
    [...tree].map(([path, text]) => {
      const time = /^40\d+ \d+ \d+ (\d+) /.exec(other.get(path) ?? "")?.[1];
      const isNow = time !== undefined && BigInt(time) >= begun;
      const counted = text.replace(/^((?:\S* ){6})\d+ /, "$1");
      return [path, isNow ? counted.replace(/^((?:\S+ ){3})\d+/, "$1now") : counted];
    }),
  );
}

function requireSame(actual: Tree, expected: Tree): void {
  assert.deepEqual(comparable(actual, actual), comparable(expected, actual));
}

function unpackedByUmoci(layout: string, tag: string): Tree {
  const bundle = work.path(`umoci-${count++}`);
  must(["umoci", "unpack", "--image", `${layout}:${tag}`, bundle]);
  return walkTree(join(bundle, "rootfs"));
}

function rendered(image: string): Tree {
  const place = work.path(`rendered-${count++}`);
  work.must(["image", "render", "--rootfs-only", image, place]);
  return walkTree(place);
}

function exported(image: string, as: string, ...more: readonly string[]): string {
  const output = work.path(`out-${count++}${as === "aci" ? ".aci" : ""}`);
  work.must(["image", "export", "--as", as, ...more, image, output]);
  return output;
}

interface Inspected {
  readonly Digest: string;
  readonly Layers: readonly string[];
  readonly Labels: Readonly<Record<string, string>> | null;
}

function inspected(reference: string, ...more: readonly string[]): Inspected {
  return JSON.parse(must(["skopeo", "inspect", ...more, reference])) as Inspected;
}

/** The whole document, as skopeo reads it. */
function configOf(reference: string) {
  return JSON.parse(must(["skopeo", "inspect", "--config", reference]));
}

/** An .aci of its own files on top of others; stored. */
function build(name: string, fields: Readonly<Record<string, unknown>>, script: string): void {
  const rootfs = work.path(`files-${count++}`);
  mkdirSync(rootfs);
  execFileSync("sh", ["-ec", script], { cwd: rootfs });
  const labels = [
    { name: "version", value: "1.0" },
    { name: "os", value: "linux" },
    { name: "arch", value: process.arch === "arm64" ? "aarch64" : "amd64" },
  ];
  const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: `example.com/${name}`, labels, ...fields };
  writeFileSync(work.path(`${name}.json`), JSON.stringify(manifest));
  const output = work.path(`${name}.aci`);
  work.must(["build", "--manifest", work.path(`${name}.json`), "--rootfs", rootfs, output]);
  work.must(["--insecure-options=image", "fetch", output]);
}

const on = (...names: readonly string[]) => ({
  dependencies: names.map((name) => ({ imageName: `example.com/${name}` })),
});
const app = { exec: ["/bin/sh", "-c", "cat /etc/conf; id -u; id -G; pwd; echo $FROM"], user: "33", group: "44" };

before(() => {
  build(
    "base",
    {},
    `mkdir -p bin etc lib/old lib/kept; cp /bin/busybox bin/busybox; for p in sh cat id pwd echo; do ln -s busybox bin/$p; done
    echo base > etc/conf; ln etc/conf etc/twin; echo x > lib/old/x; chmod 2750 lib/kept; chown 5:6 lib/kept; setfattr -n user.k -v v lib/kept
    cp bin/busybox bin/capable; setcap cap_net_raw+ep bin/capable; touch -d @1000000000.5 lib/old/x lib/kept; mkfifo lib/pipe; touch -d @7 etc`,
  );
  build(
    "middle",
    on("base"),
    `mkdir -p lib/kept lib/new; rm -rf lib/old; echo file > lib/old; echo m > lib/kept/m; ln lib/kept/m lib/new/m`,
  );
  build(
    "web",
    {
      ...on("middle"),
      app: { ...app, workingDirectory: "/srv", environment: [{ name: "FROM", value: "image" }] },
      annotations: [{ name: "created", value: "2020-01-02T03:04:05Z" }],
    },
    `mkdir -p etc srv; echo web > etc/conf; chown 33:44 srv; echo "web:x:33:44::/:" > etc/passwd`,
  );
  build("diamond", on("middle", "base"), `mkdir -p lib; ln -s /etc lib/new`);
  build(
    "listed",
    { ...on("middle"), pathWhitelist: ["/bin/busybox", "/bin/sh", "/etc/twin", "/lib/kept/m", "/own"] },
    `echo own > own; echo not > other`,
  );
});
after(async () => {
  work.perigee(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("OCI-81, OCI-85: an App Container Image as layers", () => {
  for (const [name, layers] of [
    ["base", 1],
    ["middle", 2],
    ["web", 3],
    ["diamond", 4],
    ["listed", 3],
  ] as const) {
    it(`${name}: umoci unpacks the rendered tree, from ${layers} layers`, () => {
      const layout = exported(`example.com/${name}`, "oci");
      requireSame(unpackedByUmoci(layout, "1.0"), rendered(`example.com/${name}`));
      assert.equal(inspected(`oci:${layout}:1.0`).Layers.length, layers);
    });
  }

  it("images share the layers of what they have in common", () => {
    const [one, two] = ["web", "middle"].map(
      (name) => inspected(`oci:${exported(`example.com/${name}`, "oci")}:1.0`).Layers,
    );
    assert.deepEqual(one?.slice(0, 2), two);
  });

  it("OCI-82: same input, same digests, whatever it is written to; the time is never now", () => {
    const layout = exported("example.com/web", "oci");
    const digest = inspected(`oci:${layout}:1.0`).Digest;
    assert.equal(inspected(`oci:${exported("example.com/web", "oci")}:1.0`).Digest, digest);
    const archive = exported(work.path("web.aci"), "oci-archive");
    assert.equal(inspected(`oci-archive:${archive}`).Digest, digest);
    assert.deepEqual(readFileSync(archive), readFileSync(exported("example.com/web", "oci-archive")));
    const { created, config } = configOf(`oci:${layout}:1.0`);
    assert.equal(created, "2020-01-02T03:04:05Z");
    assert.deepEqual([config.User, config.WorkingDir, config.Entrypoint], ["33", "/srv", app.exec]);
  });

  it("OCI-88: what OCI has no words for is named; --strict refuses and leaves nothing", () => {
    build(
      "limited",
      { ...on("base"), app: { ...app, isolators: [{ name: "os/no-new-privileges", value: true }] } },
      ":",
    );
    const output = work.path("limited");
    const strict = work.perigee(["image", "export", "--as=oci", "--strict", "example.com/limited", output]);
    assert.equal(strict.status, 1);
    assert.match(strict.stderr, /UNSUPPORTED[\s\S]*os\/no-new-privileges/);
    assert.ok(!readdirSync(work.directory).some((name) => name.includes("limited.") && name[0] === "."));
    const { status, stderr } = work.perigee(["image", "export", "--as=oci", "example.com/limited", output]);
    assert.deepEqual([status, /no-new-privileges/.test(stderr)], [0, true]);
    assert.equal(work.perigee(["image", "export", "--as=oci", "example.com/limited", output]).status, 6);
  });
});

describe("OCI-86, OCI-87: podman runs what we export", () => {
  const storage = ["--root", work.path("podman"), "--runroot", work.path("podman-run"), "--storage-driver", "vfs"];
  const podman = (...args: readonly string[]) => must(["podman", ...storage, "--cgroup-manager=cgroupfs", ...args]);
  const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none", "--rm"];

  for (const as of ["docker-archive", "oci-archive"]) {
    it(as, () => {
      podman("load", "--quiet", "--input", exported("example.com/web", as));
      const out = podman("run", ...limits, "example.com/web:1.0");
      assert.equal(out, "web\n33\n44\n/srv\nimage\n");
      podman("rmi", "--force", "example.com/web:1.0");
    });
  }
});

describe("OCI-80, OCI-89: an image that came as one", () => {
  const parts = {
    layers: [
      layer([
        ...[
          directory("./"),
          directory("bin"),
          { name: "bin/busybox", body: readFileSync("/bin/busybox"), mode: 0o755 },
        ],
        ...["sh", "cat", "id", "pwd", "echo"].map((name) => symlink(`bin/${name}`, "busybox")),
        ...[directory("etc"), file("etc/conf", "one\n"), file("etc/gone"), hardlink("etc/also", "etc/gone")],
        file("etc/passwd", "web:x:33:44::/:\n"),
        file("etc/group", "more:x:55:web\n"),
      ]),
      layer([directory("etc"), file("etc/.wh.gone", ""), file("etc/new", "new", { uid: 3 }), directory("srv")]),
    ],
    config: {
      ...{ Entrypoint: ["/bin/sh", "-c"], Cmd: ["cat /etc/conf; id -u; id -G"], User: "web", StopSignal: "SIGINT" },
      ...{ Env: ["A=b"], ExposedPorts: { "80/tcp": {} }, Volumes: { "/srv": {} }, Labels: { team: "web" } },
      Healthcheck: { Test: ["CMD", "/bin/echo"] },
    },
    document: { created: "2021-01-01T00:00:00Z", author: "somebody" },
    tag: "1.0",
  };
  let digest = "";
  before(() => {
    digest = writeLayout(work.path("came"), parts);
    work.must(["--insecure-options=image", "fetch", "oci:came:1.0"], { cwd: work.directory });
  });

  for (const [as, transport] of [
    ["oci", "oci"],
    ["oci-archive", "oci-archive"],
  ] as const) {
    it(`leaves as ${as} with the same digest, and unpacks to what is rendered`, () => {
      const output = exported("came", as, "--strict");
      assert.equal(inspected(`${transport}:${output}`).Digest, digest);
      const copy = work.path(`copy-${count++}`);
      must(["skopeo", "copy", "--insecure-policy", `${transport}:${output}`, `oci:${copy}:1.0`]);
      requireSame(unpackedByUmoci(copy, "1.0"), rendered("came"));
    });
  }

  it("leaves as docker-archive with the same config and layers", () => {
    const output = exported("came", "docker-archive");
    assert.deepEqual(inspected(`docker-archive:${output}`).Layers, parts.layers.map(sha256));
    assert.deepEqual(configOf(`docker-archive:${output}`), configOf(`oci:${work.path("came")}:1.0`));
  });

  it("docker → ACI → OCI says the same, with the same files", () => {
    const aci = exported("came", "aci");
    work.must(["image", "validate", aci]);
    const layout = exported(aci, "oci", "--strict");
    requireSame(unpackedByUmoci(layout, "1.0"), rendered("came"));
    const [before, now] = [configOf(`oci:${work.path("came")}:1.0`), configOf(`oci:${layout}:1.0`)];
    assert.deepEqual(now.config, before.config);
    assert.deepEqual([now.created, now.author], [before.created, before.author]);
    assert.equal(inspected(`oci:${layout}:1.0`).Layers.length, 1);
  });
});

describe("OCI-90: a registry takes what we push", () => {
  let host = "";
  const plain = "--tls-verify=false";
  const push = (image: string, to: string) =>
    JSON.parse(work.must(["--insecure-options=http", "push", "--format=json", image, `docker://${host}/${to}`]));

  before(async () => {
    host = await startRegistry(work, "registry");
  });

  it("an App Container Image: skopeo inspects and copies it, its files are the rendered ones", () => {
    const pushed = push("example.com/web", "team/web:1.0");
    assert.deepEqual([pushed.sent, pushed.present], [4, 0]);
    assert.equal(inspected(`docker://${host}/team/web:1.0`, plain).Digest, pushed.manifest);
    assert.equal(pushed.reference, `docker://${host}/team/web:1.0@${pushed.manifest}`);
    const copy = work.path("pulled");
    must([
      "skopeo",
      "copy",
      "--insecure-policy",
      "--src-tls-verify=false",
      `docker://${host}/team/web:1.0`,
      `oci:${copy}:1.0`,
    ]);
    requireSame(unpackedByUmoci(copy, "1.0"), rendered("example.com/web"));
    assert.equal(inspected(`oci:${exported("example.com/web", "oci")}:1.0`).Digest, pushed.manifest);
  });

  it("only what is missing is sent", () => {
    const { sent, present } = push("example.com/web", "team/web:again");
    assert.deepEqual([sent, present], [0, 4]);
    assert.deepEqual([push("example.com/middle", "team/web:middle").sent], [1]);
  });

  it("one of the registry goes to another repository of it without a layer on the way, with its digest", () => {
    const { manifest } = push("came", "origin/came:1.0");
    work.must(["--insecure-options=http", "fetch", `docker://${host}/origin/came@${manifest}`]);
    const moved = push(`${host.replace(":", "_")}/origin/came`, "elsewhere/came:2");
    assert.deepEqual([moved.manifest, moved.sent, moved.mounted], [manifest, 0, 3]);
    assert.equal(inspected(`docker://${host}/elsewhere/came:2`, plain).Digest, manifest);
  });

  it("a destination that is none, or by digest, is refused", () => {
    for (const to of ["oci:x", `docker://${host}/a@${sha256("x")}`, "web"]) {
      assert.equal(work.perigee(["push", "example.com/web", to]).status, 2);
    }
  });
});
