/** Ways to a pod's and an image's files beside `run`: what copies, looks and takes in again neither executes nor follows what it finds. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { canarySnapshot, makeCanary } from "../helpers/canary.ts";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { asUser } from "../helpers/ordinary-user.ts";
import { guest, imageManifest, program, tableOf } from "../helpers/program.ts";
import { type RawEntry, tar } from "../helpers/raw-tar.ts";

const work = guestWork((at) => endPods(at, "--expire-prepared=0s"));
const insecure = "--insecure-options=image";
const canary = work.path("canary");
let untouched: readonly string[] = [];
before(() => {
  makeCanary(canary);
  untouched = canarySnapshot(canary);
});
const assertUntouched = () => assert.deepEqual(canarySnapshot(canary), untouched);

/** Programs that a tool might look for, and libraries that one might load, each of which would leave a mark in the canary. */
const hostile = ["ps", "nsenter", "tar", "gzip", "unpigz", "xz", "zstd", "sh", "perigee", "node"];
const libraries = ["lib/libnss_files.so.2", "lib/x86_64-linux-gnu/libnss_files.so.2", "etc/ld.so.preload"];

function planted(): Readonly<Record<string, string>> {
  const script = `#!/bin/sh\ntouch ${canary}/executed /proc/1/root${canary}/executed\n`;
  const programs = ["bin", "usr/bin", "usr/local/bin", "sbin"].flatMap((place) =>
    hostile.map((name) => `${place}/${name}`),
  );
  return Object.fromEntries([...programs, ...libraries].map((path) => [path, script]));
}

/** Runs `perigee ARGS…` under strace. Every program that was executed, by the path that was given to the kernel. */
function executed(args: readonly string[]): readonly string[] {
  const trace = work.path("trace");
  const strace = [
    "strace",
    "--follow-forks",
    "-qq",
    "-e",
    "trace=execve,execveat",
    "-e",
    "status=successful",
    "-o",
    trace,
  ];
  const { status, stderr } = work.command([...strace, program, ...work.globals, ...args]);
  assert.equal(status, 0, stderr);
  const paths = [...readFileSync(trace, "utf8").matchAll(/execve(?:at)?\([^"]*"([^"]*)"/g)].map(
    (match) => match[1] ?? "",
  );
  assert.ok(paths.length > 0, "the program itself is seen");
  return paths;
}

function assertNothingOfTheImage(paths: readonly string[]): void {
  for (const path of paths) {
    assert.ok(!path.includes(work.directory), path);
    const isOurs = path === program || !hostile.slice(0, -2).includes(path.split("/").at(-1) ?? "");
    assert.ok(isOurs, path);
  }
}

describe("T-R32: copying out of pods and images", () => {
  it("executes nothing of them, and loads nothing", () => {
    const image = work.stored("example.com/planted", { exec: ["/guest"] }, planted(), (rootfs) => {
      for (const name of hostile) chmodSync(join(rootfs, "usr/bin", name), 0o755);
    });
    const uuid = work.must([insecure, "run", "--detach", image, "--", "write", "/new", "x"]).trim();
    work.must(["status", "--wait", uuid]);
    const lines: readonly (readonly string[])[] = [
      ["export", uuid, work.path("copied.aci")],
      ["export", "--overwrite", "--compression=zstd", uuid, work.path("copied.aci")],
      [insecure, "fetch", work.path("copied.aci")],
      ["image", "extract", image, work.path("extracted")],
      ["image", "render", image, work.path("rendered")],
      ["image", "export", image, work.path("exported.aci")],
    ];
    for (const line of lines) assertNothingOfTheImage(executed(line));
    assertUntouched();
  });

  it("a racer that swaps a file and a link: while it runs it is refused, afterwards links are links", async () => {
    const image = work.stored("example.com/racing", { exec: ["/guest"] }, { "race/d": "of the image" }, (rootfs) => {
      symlinkSync(join(canary, "target"), join(rootfs, "race/link"));
    });
    const racer = work.startRun(["--pod-name=racer", image, "--", "swap", "/race/d", "/race/link"]);
    await racer.until(/swapping/);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const { status, stderr } = work.perigee(["export", "racer", work.path("raced.aci")]);
      assert.equal(status, 6, stderr);
      assert.match(stderr, /WRONG_STATE/);
    }
    racer.child.kill("SIGTERM");
    await racer.ended;
    assert.match(racer.stdout, /swaps=[1-9]/);
    work.must(["export", "racer", work.path("raced.aci")]);
    const listing = work.command(["tar", "-tvzf", work.path("raced.aci")]).stdout;
    assert.match(listing, new RegExp(`^l\\S+ .* rootfs/race/(d|link) -> ${canary}/target$`, "m"));
    assert.equal(listing.match(/rootfs\/race\//g)?.length, 2, listing);
    const bytes = gunzipSync(readFileSync(work.path("raced.aci")));
    assert.deepEqual([bytes.includes("of the image"), bytes.includes("the host's")], [true, false]);
    assertUntouched();
  });
});

describe("T-R33: looking at pods", () => {
  it("list, status, cat-manifest and stop execute nothing of the image, whatever it has", () => {
    const image = work.stored("example.com/watched", { exec: ["/guest"] }, planted());
    const uuid = work.must([insecure, "run", "--detach", image, "--", "wait"]).trim();
    const looks = [
      ["list", "--full"],
      ["list", "--format=json"],
      ["status", uuid],
      ["cat-manifest", uuid],
    ];
    for (const line of [...looks, ["stop", uuid]]) assertNothingOfTheImage(executed(line));
    assertUntouched();
  });
});

describe("T-R34: exporting, and the first use of a read-only volume", () => {
  it("the volume stays as it was, and is not exported; what it hid is", () => {
    mkdirSync(work.path("given"));
    writeFileSync(work.path("given", "secret"), "of the host");
    const mountPoints = [{ name: "data", path: "/data", readOnly: true }];
    const image = work.stored("example.com/given", { exec: ["/guest"], mountPoints }, { "data/own": "of the image" });
    const before = canarySnapshot(work.path("given"));
    const line = [
      "--pod-name=given",
      "--volume",
      `data,kind=host,source=${work.path("given")}`,
      image,
      "--",
      "write",
      "/data/new",
      "x",
    ];
    assert.match(work.run(line).stdout, /=EROFS/);
    assert.deepEqual(canarySnapshot(work.path("given")), before, "nothing is copied into it, nor is its owner changed");
    work.must(["export", "given", work.path("given.aci")]);
    const bytes = gunzipSync(readFileSync(work.path("given.aci")));
    assert.ok(!bytes.includes("of the host"));
    assert.ok(bytes.includes("of the image"), "what it hid is there");
  });
});

describe("T-R36: taking an exported pod in again", () => {
  const elf = readFileSync(guest);
  const edited = (manifest: unknown, entries: readonly RawEntry[] = []): string => {
    const path = work.path("edited.aci");
    const members: readonly RawEntry[] = [
      { name: "manifest", body: JSON.stringify(manifest) },
      { name: "rootfs", type: "5", mode: 0o755 },
      { name: "rootfs/guest", mode: 0o755, body: elf },
      ...entries,
    ];
    writeFileSync(path, tar(members));
    return path;
  };
  const mine = imageManifest("example.com/mine", { exec: ["/guest"] });

  it("is not trusted for having been ours: without a signature it is refused", () => {
    work.must([insecure, "run", "--detach", "--pod-name=ours", guestImage]);
    work.must(["status", "--wait", "ours"]);
    work.must(["export", "ours", work.path("ours.aci")]);
    assert.equal(work.perigee(["fetch", work.path("ours.aci")]).status, 4);
  });

  it("links in place of its parts, and members that lead out, are refused by the same reader, and the store stays as it is", () => {
    const stored = work.must(["image", "list", "--format=json"]);
    const hostileMembers: readonly (readonly RawEntry[])[] = [
      [{ name: "rootfs/../../escaped", body: "x" }],
      [
        { name: "rootfs/link", type: "2", link: canary },
        { name: "rootfs/link/target", body: "x" },
      ],
      [{ name: "/etc/cron.d/x", body: "x" }],
      [{ name: "rootfs", type: "2", link: canary }],
      [{ name: "manifest", type: "2", link: "/etc/shadow" }],
      [{ name: "rootfs/hard", type: "1", link: `${canary}/target` }],
    ];
    for (const entries of hostileMembers) {
      const { status, stdout, stderr } = work.perigee([insecure, "fetch", edited(mine, entries)]);
      assert.notEqual(status, 0, JSON.stringify(entries));
      assert.match(stderr, /^error\[[A-Z_]+\]/m);
      assert.equal(stdout, "");
    }
    assert.equal(work.must(["image", "list", "--format=json"]), stored);
    assertUntouched();
  });

  it("its name is not the caller's: asked for by another name or ID it is refused", () => {
    const { id } = (
      JSON.parse(work.must(["image", "list", "--format=json"])) as readonly { id: string; name: string }[]
    ).find(({ name }) => name === guestImage) ?? { id: "" };
    work.must([insecure, "fetch", edited({ ...mine, name: "example.com/other" })]);
    const document = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "x", image: { id, name: "example.com/other" } }],
    };
    writeFileSync(work.path("pod.json"), JSON.stringify(document));
    const { status, stderr } = work.perigee([insecure, "run", "--pod-manifest", work.path("pod.json")]);
    assert.equal(status, 125);
    assert.match(stderr, /example\.com\/guest/);
  });

  it("what it says of devices, privileges and namespaces gives it nothing that another image would not get", () => {
    const privileges = (image: string) => {
      const { status, stdout, stderr } = work.perigee([insecure, "run", image, "--", "privileges", ",", "try"]);
      assert.equal(status, 0, stderr);
      return {
        ...tableOf(stdout, "cap"),
        ...tableOf(stdout, "try"),
        lines: stdout.match(/^(?:Cap|NoNew|Seccomp)\S*.*$/gm),
      };
    };
    const names = [
      "io.kubernetes.cri-o.Devices",
      "run.oci.keep_original_groups",
      "coreos.com/rkt/stage1/capabilities",
      "perigee/devices",
    ];
    const annotations = names.map((name) => ({
      name: name.toLowerCase().replace(/[^a-z0-9./-]/g, "-"),
      value: "/dev/mem,all,unconfined",
    }));
    const app = { exec: ["/guest"], userAnnotations: { privileged: "true" }, userLabels: { devices: "all" } };
    work.must([insecure, "fetch", edited({ ...imageManifest("example.com/annotated", app), annotations })]);
    work.must([insecure, "fetch", edited(imageManifest("example.com/plain", { exec: ["/guest"] }))]);
    assert.deepEqual(privileges("example.com/annotated"), privileges("example.com/plain"));
  });

  it("the manifest of a prepared pod that somebody edited is refused", () => {
    const uuid = work.must([insecure, "prepare", "--quiet", guestImage, "--", "echo", "ran"]).trim();
    const path = join(work.data, "pods", "prepared", uuid, "manifest");
    writeFileSync(path, readFileSync(path, "utf8").replace('"readOnlyRootFS":false', '"readOnlyRootFS":true '));
    const { status, stdout, stderr } = work.perigee([insecure, "run-prepared", uuid]);
    assert.deepEqual([status, stdout], [125, ""], stderr);
  });
});

describe("other users of the machine", () => {
  let home = "";
  before(() => {
    home = mkdtempSync(join(tmpdir(), `perigee-others-${process.pid}-`));
    chmodSync(home, 0o755);
    mkdirSync(join(home, "checkout"));
    mkdirSync(join(home, "own"));
    chownSync(join(home, "own"), 1000, 1000);
    mkdirSync(join(home, "closed"), { mode: 0o700 });
    mkdirSync(join(home, "closed", "there"));
    writeFileSync(join(home, "closed", "file"), "x");
  });
  after(() => rmSync(home, { recursive: true, force: true }));
  const as = (uid: number, line: readonly string[]) =>
    work.command(asUser(uid, join(home, "checkout"), line), {
      env: { HOME: join(home, "own"), XDG_CONFIG_HOME: join(home, "own"), XDG_DATA_HOME: join(home, "own") },
      cwd: "/",
    });

  it("T-R52: who is told nothing of a directory by the kernel is told nothing by us: there or not, the same words and status", () => {
    const shapes: readonly ((path: string) => readonly string[])[] = [
      (path) => ["--dir", path, "image", "list"],
      (path) => ["--dir", path, "list"],
      (path) => ["--local-config", path, "--dir", join(home, "own", "data"), "config"],
      (path) => ["--system-config", path, "--dir", join(home, "own", "data"), "config"],
      (path) => ["--dir", join(home, "own", "data"), insecure, "fetch", path],
      (path) => ["image", "validate", path],
      (path) => ["verify", path],
      (path) => ["build", path, join(home, "own", "out.aci")],
    ];
    for (const shape of shapes) {
      const [there, missing] = ["there", "gone"].map((name) => {
        const path = join(home, "closed", name);
        const { status, stdout, stderr } = as(1000, [program, ...shape(path)]);
        return { status, said: `${stdout}${stderr}`.replaceAll(path, "PATH") };
      });
      assert.deepEqual(there, missing, shape("PATH").join(" "));
    }
  });

  it("T-R52: a lock that is a link is not followed: what it leads to is neither made nor opened", () => {
    const [lock] = readdirSync(work.data, { recursive: true })
      .map(String)
      .filter((path) => /^[^/]*\/?lock$/.test(path));
    assert.ok(lock !== undefined, "the store has a lock");
    const own = join(work.data, lock);
    const victim = work.path("victim");
    renameSync(own, `${own}.aside`);
    symlinkSync(victim, own);
    const { status, stderr } = work.perigee([insecure, "run", guestImage, "--", "echo", "ran"]);
    renameSync(`${own}.aside`, own);
    assert.ok(!existsSync(victim), "nothing was made there");
    assert.deepEqual([status, /^error\[/m.test(stderr)], [125, true], stderr);
  });

  it("T-R57: a user's own store is his: nobody else lists it, whatever his umask", () => {
    const data = join(home, "own", "store");
    writeFileSync(join(home, "guest.aci"), readFileSync(work.path("example.com-guest.aci")));
    const line = [
      "sh",
      "-c",
      'umask 0; exec "$@"',
      "sh",
      program,
      "--dir",
      data,
      insecure,
      "fetch",
      join(home, "guest.aci"),
    ];
    const { status, stderr } = as(1000, line);
    assert.equal(status, 0, stderr);
    assert.equal(statSync(data).uid, 1000);
    assert.equal(statSync(data).mode & 0o077, 0);
    for (const path of [data, ...readdirSync(data).map((name) => join(data, name))]) {
      const looked = as(1001, ["ls", path]);
      assert.notEqual(looked.status, 0, path);
      assert.match(looked.stderr, /Permission denied/);
    }
    const setuid = as(1000, ["find", data, "-perm", "/6000"]);
    assert.equal(setuid.stdout, "");
    const shared = as(1000, ["find", data, "!", "-type", "l", "-perm", "/022"]);
    assert.equal(shared.stdout, "", "nothing in it is anybody else's to write");
  });
});
