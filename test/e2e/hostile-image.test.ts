/** Images made to lead the executor astray. Each runs with a directory of the host beside it that must stay as it is. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { canarySnapshot, makeCanary } from "../helpers/canary.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import {
  guest,
  imageManifest,
  type Outcome,
  program,
  project,
  tableOf,
  valuesOf,
  Workspace,
} from "../helpers/program.ts";
import { type RawEntry, tar } from "../helpers/raw-tar.ts";

const work = new Workspace();
const clean = leakSnapshot();
const canary = work.path("canary");
let untouched: readonly string[] = [];
const corePattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
before(() => {
  makeCanary(canary);
  untouched = canarySnapshot(canary);
});
after(async () => {
  assertUntouched();
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "utf8"), corePattern);
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

function assertUntouched(): void {
  assert.deepEqual(canarySnapshot(canary), untouched);
}

/** Runs within 20 s, or status −1. */
function run(args: readonly string[]): Outcome {
  const outcome = work.run(args, { timeoutMs: 20_000 });
  assertUntouched();
  return outcome;
}

const directory = { type: "5", mode: 0o755 };

/** An image of the guest and what else is given, written byte by byte: types and links are exactly as meant. */
function archive(app: Readonly<Record<string, unknown>>, entries: readonly RawEntry[]): string {
  const parents = new Set(entries.map(({ name = "" }) => dirname(String(name))));
  parents.delete("rootfs");
  const members: readonly RawEntry[] = [
    { name: "manifest", body: JSON.stringify(imageManifest("example.com/hostile", app)) },
    { name: "rootfs", ...directory },
    { name: "rootfs/guest", mode: 0o755, body: readFileSync(guest) },
    ...[...parents].map((name) => ({ name, ...directory })),
    ...entries,
  ];
  writeFileSync(work.path("hostile.aci"), tar(members));
  return "./hostile.aci";
}

type Thing = readonly [what: string, entry: RawEntry];

/** What an image can have at a place that belongs to the executor. */
const things: readonly Thing[] = [
  ["a link to a directory of the host", { type: "2", link: canary }],
  ["a link to a file of the host", { type: "2", link: join(canary, "target") }],
  ["a relative link out of the root", { type: "2", link: `../../../../../../..${join(canary, "target")}` }],
  ["a link to /proc/sys/kernel/core_pattern", { type: "2", link: "/proc/sys/kernel/core_pattern" }],
  ["a dangling link", { type: "2", link: "/nowhere/at/all" }],
  ["a link to .", { type: "2", link: "." }],
  ["a file", { body: "planted" }],
  ["a fifo", { type: "6" }],
];

function plant(entry: RawEntry, places: readonly string[]): readonly RawEntry[] {
  return places.map((place) => ({ ...entry, name: `rootfs/${place}` }));
}

const devices = [
  "null",
  "zero",
  "full",
  "random",
  "urandom",
  "tty",
  "console",
  "ptmx",
  "pts",
  "shm",
  "mqueue",
  "fd",
  "stdin",
];
const kernelMounts = [
  ["/proc", "proc"],
  ["/sys", "sysfs"],
  ["/dev", "tmpfs"],
  ["/dev/pts", "devpts"],
  ["/dev/shm", "tmpfs"],
  ["/dev/mqueue", "mqueue"],
] as const;
const planted: readonly (readonly [title: string, places: readonly string[]])[] = [
  ["T-R11, T-R15: /proc, /sys and /dev", ["proc", "sys", "dev"]],
  ["T-R12, T-R13, T-R15: everything below /dev", devices.map((name) => `dev/${name}`)],
];

for (const [title, places] of planted) {
  describe(title, () => {
    for (const [what, entry] of things) {
      it(`${what}: the pod has real ones, the host is as it was`, () => {
        const image = archive({}, plant(entry, places));
        for (const mode of ["yes", "no"]) {
          const verbs = ["mounts", ",", "stat", "/dev/null", "/dev/console", "/proc/interrupts"];
          const { status, stdout, stderr } = run([`--private-users=${mode}`, image, "--", ...verbs]);
          assert.equal(status, 0, stderr);
          for (const [point, type] of kernelMounts) {
            assert.match(stdout, new RegExp(`^mount\\.\\d+ \\d+ \\S+ / ${point} .* - ${type} `, "m"), point);
          }
          const paths = tableOf(stdout, "path");
          assert.match(paths["/dev/null"] ?? "", /^020666,\d+,\d+,259,$/);
          assert.match(paths["/dev/console"] ?? "", /^120777,.*,null$/);
          assert.match(paths["/proc/interrupts"] ?? "", /^100444,/);
        }
      });
    }
  });
}

describe("T-R13: a terminal for an image with a /dev of its own", () => {
  for (const [what, entry] of things) {
    it(`${what}: the console is the app's terminal`, () => {
      const image = archive({}, plant(entry, ["dev/console", "dev/ptmx", "dev/pts", "dev/tty", "dev/fd"]));
      const { status, stdout } = work.command([
        guest,
        "pty",
        "80",
        "24",
        ...work.runLine(["--interactive", image, "--", "tty"]),
      ]);
      assertUntouched();
      assert.equal(status, 0, stdout);
      assert.deepEqual([valuesOf(stdout, "tty.0"), valuesOf(stdout, "console")], [["/dev/pts/0"], ["20000:136"]]);
    });
  }
});

describe("T-R17: files the executor puts into the pod", () => {
  const names = ["hostname", "hosts", "resolv.conf"].map((name) => `etc/${name}`);
  for (const [what, entry] of [...things, ["a directory", directory] as const]) {
    it(`${what} in their place, or of /etc: all stays in the root`, () => {
      for (const places of [names, ["etc"]]) {
        const { status, stdout } = run(["--net=host", archive({}, plant(entry, places)), "--", "cat", "/etc/hostname"]);
        assert.ok(status === 0 || status === 1 || status === 125, String(status));
        assert.ok(!stdout.includes("the host's"), stdout);
      }
    });
  }
});

describe("T-R18: /etc/passwd of an image", () => {
  const kinds: readonly Thing[] = [
    ...things,
    ["a link to /dev/zero", { type: "2", link: "/dev/zero" }],
    ["a link to a fifo of the host", { type: "2", link: join(canary, "fifo") }],
    ["a directory", directory],
    ["one endless line", { body: "x".repeat(2 * 1024 * 1024) }],
    ["too many lines", { body: "x:x:1:1::/:\n".repeat(70_000) }],
  ];
  for (const [what, entry] of kinds) {
    it(`${what}: the user is not found, nothing hangs`, () => {
      const { status, stderr } = run([archive({ user: "alice" }, plant(entry, ["etc/passwd"])), "--", "ids"]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, /^error\[(NOT_FOUND|IMAGE_INVALID|LIMIT_EXCEEDED)\]: /);
    });
  }
});

describe("paths of a manifest", () => {
  for (const path of ["/../../etc", "/vol/../../..", "/..", "/proc/self", "/sys", "/dev/shm", "/proc"]) {
    it(`T-R19: a mount point at ${path} is refused`, () => {
      const image = archive({ mountPoints: [{ name: "data", path }] }, []);
      const { status, stdout, stderr } = run(["--volume", "data,kind=empty", image]);
      assert.equal(status, 125, stdout);
      assert.match(stderr, /^error\[MANIFEST_INVALID\]/);
    });
  }

  it("T-R11, ISO-7: a mount point behind a link to a place of the executor is refused, in every way to get there", () => {
    const links = [
      ...[
        "/dev",
        "/dev/shm",
        "/dev/pts",
        "/dev/mqueue",
        "/dev/new/below",
        "/proc",
        "/proc/sys",
        "/sys",
        "/sys/fs/cgroup",
      ],
      ...["dev", "../dev", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory/new", "/hop"],
    ];
    for (const link of links) {
      const entries = [
        { name: "rootfs/foo", type: "2", link },
        { name: "rootfs/hop", type: "2", link: "/dev" },
      ];
      const image = archive({ mountPoints: [{ name: "data", path: "/foo" }] }, entries);
      for (const volume of ["data,kind=empty", `data,kind=host,source=${canary}`]) {
        const { status, stdout, stderr } = run(["--volume", volume, image, "--", "mounts"]);
        assert.equal(status, 125, `${link}: ${stdout}`);
        assert.match(stderr, /^error\[SHIM_FAILED\]: .*\/foo/m);
        // Where a directory is missing and would have to be made, the limits are read-only.
        assert.match(stderr, /nothing may be mounted over a part of \/proc, \/sys or \/dev|EROFS/);
      }
    }
  });

  it("ISO-7: a mount point behind a link to an ordinary place, also on another volume, is mounted", () => {
    const entries = [
      { name: "rootfs/a", ...directory },
      { name: "rootfs/below", type: "2", link: "/a/deep" },
      { name: "rootfs/run", ...directory },
      { name: "rootfs/var", type: "2", link: "/run" },
    ];
    const mountPoints = [
      { name: "outer", path: "/a" },
      { name: "inner", path: "/below" },
      { name: "other", path: "/var" },
    ];
    const image = archive({ mountPoints }, entries);
    const volumes = mountPoints.flatMap(({ name }) => ["--volume", `${name},kind=empty`]);
    const { status, stdout, stderr } = run([...volumes, image, "--", "mounts"]);
    assert.equal(status, 0, stderr);
    for (const point of ["/a", "/a/deep", "/run"]) assert.match(stdout, new RegExp(` ${point} rw,`));
  });

  it("T-R02: a working directory behind a magic link, in the image or by name", () => {
    const descriptors = Array.from(
      { length: 12 },
      (_, index) => [`fd-${index + 3}`, `/proc/self/fd/${index + 3}`] as const,
    );
    const links = [
      ...descriptors,
      ["cwd", "/proc/1/cwd"],
      ["root", "/proc/1/root"],
      ["up", "/proc/self/root/../.."],
    ] as const;
    work.must([
      "--insecure-options=image",
      "fetch",
      archive(
        {},
        links.map(([name, link]) => ({ name: `rootfs/${name}`, type: "2", link })),
      ),
    ]);
    const named = ["/proc/self/fd/5", "/proc/1/cwd", "/proc/self/root/../.."];
    for (const place of [...links.map(([name]) => `/${name}`), ...named]) {
      const { status, stdout, stderr } = run(["example.com/hostile", "--working-dir", place, "--", "cwd"]);
      assert.equal(status, 125, `${place}: ${stdout}`);
      assert.match(stderr, /^error\[(MANIFEST_INVALID|SHIM_FAILED|USAGE)\]: /);
    }
  });
});

describe("T-R22: an archive whose manifest or rootfs is something else", () => {
  const body = JSON.stringify(imageManifest("example.com/broken"));
  const good: RawEntry = { name: "manifest", body };
  const rootfs: RawEntry = { name: "rootfs", ...directory };
  const link = (name: string, target: string): RawEntry => ({ name, type: "2", link: target });
  const hardLink = (name: string, target: string): RawEntry => ({ name, type: "1", link: target });
  const archives: readonly (readonly [why: string, entries: readonly RawEntry[]])[] = [
    ["rootfs is a link", [good, link("rootfs", "/"), { name: "rootfs/planted", body: "x" }]],
    ["rootfs is a file", [good, { name: "rootfs", body: "x" }]],
    ["rootfs is a hard link", [good, hardLink("rootfs", "manifest")]],
    ["manifest is a link", [link("manifest", "/etc/shadow"), rootfs]],
    ["manifest is a hard link", [rootfs, { name: "rootfs/m", body }, hardLink("manifest", "rootfs/m")]],
    ["manifest is a directory", [{ name: "manifest", ...directory }, rootfs]],
    ["a file goes through a link", [good, rootfs, link("rootfs/l", canary), { name: "rootfs/l/new", body: "x" }]],
    ["a name climbs out", [good, rootfs, { name: `rootfs/../../../../../../../..${canary}/new`, body: "x" }]],
  ];
  for (const [why, entries] of archives) {
    it(`${why}: refused at import, nothing of the host shown`, () => {
      writeFileSync(work.path("broken.aci"), tar(entries));
      const { status, stdout, stderr } = work.perigee(["--insecure-options=image", "fetch", "./broken.aci"]);
      assertUntouched();
      assert.equal(existsSync("/planted"), false);
      assert.equal(status, 1, stdout + stderr);
      assert.match(stderr, /^error\[(IMAGE|ARCHIVE)_INVALID\]: /);
      assert.doesNotMatch(stderr, /root:/);
      assert.doesNotMatch(work.must(["image", "list"]), /broken/);
    });
  }
});

describe("a program of the image", () => {
  it("T-R01: that makes the executor execute itself does not start, and changes nothing", () => {
    const files = [program, join(project, "dist", "perigee-shim"), process.execPath];
    const sums = () => files.map((path) => createHash("sha512").update(readFileSync(path)).digest("hex"));
    const before = sums();
    const script = { name: "rootfs/script", mode: 0o755, body: "#!/proc/self/exe\n" };
    const image = archive({ exec: ["/script"] }, [script]);
    for (const mode of ["yes", "no"]) assert.notEqual(run([`--private-users=${mode}`, image]).status, 0);
    assert.deepEqual(sums(), before);
  });

  it("T-R47: whose name steers a terminal is named escaped", () => {
    const { status, stderr } = run([archive({ exec: ["/\u001b[31m\u202e\u0007evil"] }, [])]);
    assert.equal(status, 127);
    assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f\u202e]/);
    assert.match(stderr, /evil/);
  });
});
