/** Volumes of every kind in real pods, with a user namespace and without: what each rule of spec/pod.md says holds (POD-50 to POD-59). */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { endPods, guestWork, guestImage as image } from "../helpers/guest-work.ts";
import { program, tableOf, valuesOf } from "../helpers/program.ts";

const work = guestWork((at) => endPods(at));
const mount = (target: string, volume = "data"): readonly string[] => ["--mount", `volume=${volume},target=${target}`];
const modes = ["yes", "no"] as const;

/** An app of the guest with one volume, `data`, at a target. */
function run(mode: string, volume: string, target: string, verbs: readonly string[], flags: readonly string[] = []) {
  const line = [
    `--private-users=${mode}`,
    ...flags,
    "--volume",
    `data,${volume}`,
    image,
    ...mount(target),
    "--",
    ...verbs,
  ];
  return work.run(line);
}

/** The options of the mount at a path, by a guest's `mounts`. */
const optionsAt = (stdout: string, path: string): string =>
  new RegExp(String.raw`^mount[.=:].* ${path} (\S+) .*$`, "m").exec(stdout)?.[1] ?? `no mount at ${path}`;

describe("tmpfs volumes (POD-50, POD-51)", () => {
  for (const mode of modes) {
    it(`have a size, a mode and an owner, nosuid and nodev; --private-users=${mode}`, () => {
      const page = "x".repeat(4096);
      const writes = ["a", "b", "c"].flatMap((name) => ["write", `/run/${name}`, page, ","]);
      const { status, stdout, stderr } = run(mode, "kind=tmpfs,size=8Ki,mode=0750,uid=7,gid=8", "/run", [
        ...writes,
        ...["stat", "/run", ",", "mounts"],
      ]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(
        ["a", "b", "c"].flatMap((name) => valuesOf(stdout, `write./run/${name}`)),
        ["ok", "ok", "ENOSPC"],
      );
      assert.match(tableOf(stdout, "path")["/run"] ?? "", /^040750,7,8,/);
      assert.match(stdout, / \/run rw,nosuid,nodev,\S+ .*tmpfs data rw,size=8k/);
    });

    it(`POD-51: are one for all apps and all places, read-only where that is said; --private-users=${mode}`, async () => {
      const pod = work.startRun([
        ...[`--private-users=${mode}`, "--volume", "data,kind=tmpfs,size=1Mi"],
        // The first has the input, and reads the file when that has ended.
        ...[image, "--name=reader", ...mount("/three"), "--", "cat", ",", "cat", "/three/f", "---"],
        ...[image, "--name=writer", ...mount("/one"), ...mount("/two")],
        ...["--", "write", "/one/f", "seen", ",", "cat", "/two/f"],
      ]);
      await pod.until(/seen/);
      pod.child.stdin?.end();
      assert.equal(await pod.ended, 0, pod.stderr);
      assert.equal(pod.stdout.match(/seen/g)?.length, 2, pod.stdout);
      assert.match(run(mode, "kind=tmpfs,readOnly=true", "/run", ["write", "/run/x", "y"]).stdout, /=EROFS/);
    });
  }

  it("cannot be filled with empty files", () => {
    const { stdout } = run(
      "yes",
      "kind=tmpfs,size=4Ki",
      "/run",
      [..."abcd"].flatMap((name) => ["write", `/run/${name}`, "", ","]).slice(0, -1),
    );
    assert.deepEqual(
      [..."abcd"].flatMap((name) => valuesOf(stdout, `write./run/${name}`)),
      ["ok", "ok", "ok", "ENOSPC"],
    );
  });

  it("are gone with the pod, and refused when nothing would fit or nobody owns them", () => {
    assert.match(run("yes", "kind=tmpfs", "/run", ["list", "/run", ",", "write", "/run/x", "y"]).stdout, /x=ok/);
    assert.deepEqual(valuesOf(run("yes", "kind=tmpfs", "/run", ["list", "/run"]).stdout, "list./run"), []);
    assert.match(run("yes", "kind=tmpfs,size=1", "/run", ["cwd"]).stderr, /MANIFEST_INVALID.*holds nothing/);
    for (const kind of ["tmpfs", "empty"])
      assert.match(
        run("yes", `kind=${kind},uid=65536`, "/run", ["cwd"]).stderr,
        /UNSUPPORTED.*id 65536/,
        "of another pod",
      );
  });
});

describe("volumes that begin with the image's files (POD-52, POD-53)", () => {
  const seeding = "example.com/seeding";
  before(() => {
    const files = { "srv/data/file": "of the image", "srv/data/deep/er": "deep", "srv/outside": "not seeded" };
    const mountPoints = [{ name: "data", path: "/srv/data" }];
    work.stored(seeding, { exec: ["/guest"], mountPoints }, files, (rootfs) => {
      const data = join(rootfs, "srv/data");
      chownSync(join(data, "file"), 1000, 2000);
      chmodSync(join(data, "file"), 0o640);
      linkSync(join(data, "file"), join(data, "hard"));
      symlinkSync("/etc/passwd", join(data, "link"));
      utimesSync(join(data, "file"), 1_000_000_000, 1_000_000_000);
      chownSync(data, 1000, 2000);
      chmodSync(data, 0o2750);
    });
  });

  for (const mode of modes) {
    it(`a mount point without a volume gets one with files, owners, modes, times and links; --private-users=${mode}`, () => {
      const looked = ["", "/file", "/link", "/hard", "/outside"].map((name) => `/srv/data${name}`);
      const verbs = [
        "stat",
        ...looked,
        ",",
        "write",
        "/srv/data/new",
        "x",
        ",",
        "mounts",
        ",",
        "cat",
        "/srv/data/deep/er",
      ];
      const { status, stdout, stderr } = work.run([
        `--private-users=${mode}`,
        seeding,
        "--readonly-rootfs",
        "--",
        ...verbs,
      ]);
      assert.equal(status, 0, stderr);
      const paths = tableOf(stdout, "path");
      assert.match(paths["/srv/data"] ?? "", /^042750,1000,2000,/);
      assert.match(paths["/srv/data/file"] ?? "", /^100640,1000,2000,/);
      assert.equal(paths["/srv/data/hard"], paths["/srv/data/file"]);
      assert.match(paths["/srv/data/link"] ?? "", /^120777,0,0,/);
      assert.match(paths["/srv/data/outside"] ?? "", /ENOENT/);
      assert.match(stdout, /deep/);
      assert.deepEqual(valuesOf(stdout, "write./srv/data/new"), ["ok"], "it stays writable below a read-only root");
      assert.match(optionsAt(stdout, "/srv/data"), /rw,nosuid,nodev/);
      assert.match(stderr, /no volume for mount point data/);
      assert.doesNotMatch(stderr, /hides/);
    });
  }

  it("each pod gets them anew, and the image keeps its own", () => {
    assert.match(
      work.run([seeding, "--", "write", "/srv/data/file", "changed", ",", "write", "/srv/data/new", "x"]).stdout,
      /file=ok/,
    );
    const { stdout } = work.run([seeding, "--", "cat", "/srv/data/file", ",", "stat", "/srv/data/new"]);
    assert.match(stdout, /^of the image/);
    assert.match(stdout, /new=ENOENT/);
  });

  it("POD-53: a volume that is given is used as it is: one of the host is not written to (T-R34), an empty one is empty unless seeded", () => {
    mkdirSync(work.path("given"));
    for (const flags of ["", ",readOnly=true"]) {
      const line = [
        "--volume",
        `data,kind=host,source=${work.path("given")}${flags}`,
        seeding,
        "--",
        "list",
        "/srv/data",
      ];
      assert.deepEqual(valuesOf(work.run(line).stdout, "list./srv/data"), []);
      assert.deepEqual(
        readdirSync(work.path("given")),
        [],
        "T-R34: nothing is copied to where somebody else's files are",
      );
    }
    const empty = work.run(["--volume", "data,kind=empty", seeding, "--", "list", "/srv/data"]);
    assert.deepEqual(valuesOf(empty.stdout, "list./srv/data"), []);
    assert.match(empty.stderr, /hides what the image has/);
    assert.match(
      work.run(["--volume", "data,kind=empty,seeded=true", seeding, "--", "cat", "/srv/data/file"]).stdout,
      /^of the image/,
    );
  });

  it("a seeded volume hands one app's files to the others", () => {
    const { stdout, stderr } = work.run([
      ...["--volume", "data,kind=empty,seeded=true", seeding, "--", "sleep", "2", "---"],
      ...[image, "--name=other", ...mount("/shown"), "--", "cat", "/shown/file"],
    ]);
    assert.equal(stdout, "of the image", stderr);
  });

  it("T-R19: a link of the image leads to files of the image, never of the host", () => {
    mkdirSync(work.path("canary"));
    writeFileSync(work.path("canary", "secret"), "of the host");
    const mountPoints = [{ name: "data", path: "/way/in" }];
    const hostile = work.stored("example.com/leading", { exec: ["/guest"], mountPoints }, {}, (rootfs) => {
      symlinkSync(work.directory, join(rootfs, "way"));
      mkdirSync(join(rootfs, work.directory, "in"), { recursive: true });
      writeFileSync(join(rootfs, work.directory, "in", "own"), "of the image");
      mkdirSync(join(rootfs, "up"));
    });
    const { stdout } = work.run([hostile, "--", "list", "/way/in"]);
    assert.deepEqual(valuesOf(stdout, "list./way/in"), ["own"]);
    const up = [{ name: "data", path: "/up/link" }];
    const upwards = work.stored("example.com/upwards", { exec: ["/guest"], mountPoints: up }, {}, (rootfs) => {
      mkdirSync(join(rootfs, "up"));
      symlinkSync(`../../../../..${work.path("canary")}`, join(rootfs, "up/link"));
    });
    assert.doesNotMatch(work.run([upwards, "--", "list", "/up/link", ",", "mounts"]).stdout, /secret/);
  });

  it("are seeded when a prepared pod is run", () => {
    const uuid = work
      .must(["--insecure-options=image", "prepare", "--quiet", seeding, "--", "cat", "/srv/data/file"])
      .trim();
    assert.equal(work.perigee(["--insecure-options=image", "run-prepared", uuid]).stdout, "of the image");
  });
});

describe("volumes of the host, to the bottom (POD-57)", () => {
  /** A shell script with a mount namespace of its own, in which $P is the program and $1 a directory that is a mount. */
  function alone(script: string, propagation = "private") {
    const source = work.path(`tree-${propagation}-${Math.floor(performance.now() * 1000)}`);
    mkdirSync(source);
    const line = `set -e; mount -t tmpfs top "$1"; mount --make-${propagation} "$1"; ${script}`;
    const result = work.command(["unshare", "--mount", "--propagation", "private", "sh", "-c", line, "sh", source], {
      env: { P: [program, ...work.globals, "--insecure-options=image"].join(" "), IMAGE: image },
    });
    return { ...result, source };
  }
  const nested =
    'mkdir "$1/a"; mount -t tmpfs a "$1/a"; mkdir "$1/a/b"; mount -t tmpfs b "$1/a/b"; echo hidden > "$1/a/b/file"; ';
  const one = (mode: string, volume: string, verbs: string, flags = "") =>
    `$P run --private-users=${mode} ${flags} --volume "data,kind=host,source=$1${volume}" $IMAGE --mount volume=data,target=/data -- ${verbs}; `;

  for (const mode of modes) {
    it(`a read-only one is read-only in every mount below it; --private-users=${mode}`, () => {
      const verbs = "write /data/x 1 , write /data/a/x 1 , write /data/a/b/x 1 , cat /data/a/b/file , mounts";
      const { status, stdout, stderr } = alone(nested + one(mode, ",readOnly=true", verbs));
      assert.equal(status, 0, stderr);
      for (const path of ["/data/x", "/data/a/x", "/data/a/b/x"])
        assert.deepEqual(valuesOf(stdout, `write.${path}`), ["EROFS"]);
      assert.match(stdout, /hidden/);
      for (const path of ["/data", "/data/a", "/data/a/b"]) assert.match(optionsAt(stdout, path), /^ro,nosuid,nodev/);
    });

    it(`one that is not recursive shows nothing of what is mounted below it; --private-users=${mode}`, () => {
      const verbs = "list /data/a , mounts";
      const { status, stdout, stderr } = alone(nested + one(mode, ",recursive=false", verbs));
      assert.equal(status, 0, stderr);
      assert.deepEqual(valuesOf(stdout, "list./data/a"), []);
      assert.match(optionsAt(stdout, "/data/a"), /no mount/);
    });

    it(`POD-54: private, which is the default, sees no later mount of the host, slave does; --private-users=${mode}`, () => {
      for (const propagation of ["private", "slave"]) {
        const script =
          'mkdir "$1/later"; ' +
          `uuid=$($P run --detach --private-users=${mode} --volume "data,kind=host,source=$1,propagation=${propagation}" $IMAGE --mount volume=data,target=/data -- wait); ` +
          'mount -t tmpfs late "$1/later"; echo late > "$1/later/file"; ' +
          "$P enter $uuid /guest cat /data/later/file || true; $P enter $uuid /guest mounts; $P stop --force $uuid >/dev/null; ";
        const { status, stdout, stderr } = alone(script, "shared");
        assert.equal(status, 0, stderr);
        assert.equal(/^late$/m.test(stdout), propagation === "slave", `${propagation}: ${stdout}${stderr}`);
        assert.doesNotMatch(stdout, / shared:/, "nothing of the pod is shared with anybody");
      }
    });
  }

  it("POD-55: shared is refused in a user namespace, and where the source is not shared; else the volume stays of the host's group", () => {
    assert.match(alone(`${one("yes", ",propagation=shared", "cwd")}`, "shared").stderr, /UNSUPPORTED.*user namespace/);
    assert.match(alone(`${one("no", ",propagation=shared", "cwd")}`).stderr, /UNSUPPORTED.*not on a shared mount/);
    assert.match(alone(`${one("yes", ",propagation=slave", "cwd")}`).stderr, /UNSUPPORTED.*make-shared/s);
    const { status, stdout, stderr } = alone(one("no", ",propagation=shared", "mounts"), "shared");
    assert.equal(status, 0, stderr);
    assert.match(stdout, / \/data \S+ shared:\d+ /);
    assert.equal(stdout.match(/ shared:/g)?.length, 1, "and nothing else is");
  });

  it("POD-58: a read-only slave is warned of, and refused by nothing", () => {
    const { status, stderr } = alone(one("yes", ",readOnly=true,propagation=slave", "write /data/x 1"), "shared");
    assert.equal(status, 0);
    assert.match(stderr, /later need not be/);
  });
});

describe("devices as volumes (POD-56)", () => {
  // The kernel's log, by a node of our own: no device of every pod, and there on every machine.
  const node = (name: string, mode: number): string => {
    const path = work.path(name);
    const { status } = work.command(["mknod", path, "c", "1", "11"]);
    assert.equal(status, 0);
    chmodSync(path, mode);
    return path;
  };
  before(() => {
    node("open-node", 0o666);
    node("closed-node", 0o600);
  });

  for (const mode of modes) {
    it(`can be opened as the volume says, below /dev or elsewhere, and not be made anew; --private-users=${mode}`, () => {
      const source = `kind=host,source=${work.path("open-node")}`;
      for (const target of ["/dev/log-of-kernel", "/dev/deep/er", "/elsewhere"]) {
        const written = run(mode, source, target, ["open", target, ",", "stat", target]);
        assert.match(written.stdout, /,writable/, written.stderr);
        assert.match(tableOf(written.stdout, "path")[target] ?? "", /^020666,/);
        assert.match(run(mode, `${source},readOnly=true`, target, ["open", target]).stdout, /,EPERM$/m);
      }
    });
  }

  it("whose mode shuts them are warned of in a user namespace, where nobody of the pod owns them", () => {
    const source = `kind=host,source=${work.path("closed-node")}`;
    const shut = run("yes", source, "/dev/it", ["open", "/dev/it"]);
    assert.match(shut.stdout, /=EACCES,EACCES/);
    assert.match(shut.stderr, /warning: .*closed-node: its mode/);
    const open = run("no", source, "/dev/it", ["open", "/dev/it"]);
    assert.match(open.stdout, /,writable/);
    assert.doesNotMatch(open.stderr, /its mode/);
  });

  it("a node on a volume is none: only a volume that is the device opens it", () => {
    mkdirSync(work.path("nodes"));
    assert.equal(work.command(["mknod", "-m", "0666", work.path("nodes", "zero"), "c", "1", "5"]).status, 0);
    const { stdout } = run("no", `kind=host,source=${work.path("nodes")}`, "/nodes", ["open", "/nodes/zero"]);
    assert.match(stdout, /=EACCES,EACCES/);
    assert.equal(statSync(work.path("nodes", "zero")).mode & 0o777, 0o666);
  });

  it("nothing else comes below /dev, and no device where one of every pod is", () => {
    const cases = [
      [work.path("open-node"), "/dev/null"],
      ["/etc/passwd", "/dev/x"],
      [work.directory, "/dev/x"],
      [work.path("open-node"), "/dev/pts/9"],
    ] as const;
    for (const [source, target] of cases) {
      const { status, stderr } = run("yes", `kind=host,source=${source}`, target, ["cwd"]);
      assert.equal(status, 125);
      assert.match(stderr, /MANIFEST_INVALID/);
    }
  });
});
