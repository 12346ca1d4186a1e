import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type Scratch, scratch } from "../helpers/shim.ts";

let build: Scratch;
let scene: Scratch;
let program: string;

function call(fn: string, path: string, through: readonly string[] = []): string {
  const [command = "", ...args] = [...through, program, fn, scene.at("root"), path];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout.trim().replaceAll(scene.at("root"), "ROOT");
}

before(() => {
  build = scratch();
  program = build.at("paths");
  const sources = ["test/native/paths.c", "native/paths.c", "native/die.c", "native/events.c"];
  execFileSync("cc", ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Werror", "-O1", "-Inative", "-o", program, ...sources]);
});
after(() => build.remove());

beforeEach(() => {
  scene = scratch();
  mkdirSync(scene.at("root", "etc"), { recursive: true });
  mkdirSync(scene.at("outside"));
  writeFileSync(scene.at("outside", "secret"), "canary");
  writeFileSync(scene.at("root", "etc", "passwd"), "root");
  symlinkSync(scene.at("outside"), scene.at("root", "absolute"));
  symlinkSync("../../outside", scene.at("root", "relative"));
  symlinkSync("/etc", scene.at("root", "inside"));
  symlinkSync("/run", scene.at("root", "dangling"));
  symlinkSync("b", scene.at("root", "a"));
  symlinkSync("a", scene.at("root", "b"));
});
afterEach(() => scene.remove());

describe("open_in_root (T-R24)", () => {
  for (const [path, expected] of [
    ["etc/passwd", "other ROOT/etc/passwd"],
    ["/etc/passwd", "other ROOT/etc/passwd"],
    ["", "directory ROOT"],
    ["/", "directory ROOT"],
    ["../../../etc", "directory ROOT/etc"],
    ["inside/passwd", "other ROOT/etc/passwd"],
    ["inside/", "directory ROOT/etc"],
    ["inside//passwd", "other ROOT/etc/passwd"],
    ["inside/.", "directory ROOT/etc"],
    ["absolute/secret", "ENOENT"],
    ["relative/secret", "ENOENT"],
    ["a", "ELOOP"],
  ] as const) {
    it(`"${path}" is ${expected}`, () => assert.equal(call("open_in_root", path), expected));
  }

  it("40 links are followed, 41 are not", () => {
    symlinkSync("etc", scene.at("root", "link1"));
    for (let n = 2; n <= 41; n++) symlinkSync(`link${n - 1}`, scene.at("root", `link${n}`));
    assert.equal(call("open_in_root", "link40"), "directory ROOT/etc");
    assert.equal(call("open_in_root", "link41"), "ELOOP");
  });

  it("a magic link is refused", () => {
    symlinkSync("/proc/self/root", scene.at("root", "magic"));
    mkdirSync(scene.at("root", "proc"));
    const mounted = [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      'mount -t proc p "$2/proc" && exec "$0" "$@"',
    ];
    assert.equal(call("open_in_root", "magic/etc", mounted), "ELOOP");
  });
});

describe("open_beneath", () => {
  for (const [path, expected] of [
    ["etc/passwd", "other ROOT/etc/passwd"],
    ["/etc/passwd", "other ROOT/etc/passwd"],
    ["etc/../etc", "directory ROOT/etc"],
    ["", "directory ROOT"],
    ["inside/passwd", "ELOOP"],
    ["inside", "ELOOP"],
    ["../outside", "EXDEV"],
  ] as const) {
    it(`"${path}" is ${expected}`, () => assert.equal(call("open_beneath", path), expected));
  }
});

describe("open_same_mount", () => {
  const bind = [
    "unshare",
    "-m",
    "--propagation",
    "private",
    "sh",
    "-c",
    'mount --bind "$2/../outside" "$2/etc" && exec "$0" "$@"',
  ];
  it("another mount is refused, on the way and at the end", () => {
    assert.equal(call("open_same_mount", "etc", bind), "EXDEV");
    assert.equal(call("open_same_mount", "etc/secret", bind), "EXDEV");
    assert.equal(call("open_beneath", "etc/secret", bind), "other ROOT/etc/secret");
  });
});

describe("make_directories (T-R16)", () => {
  it("makes what is missing with the mode for all, whatever the umask", () => {
    const umask = process.umask(0o077);
    assert.equal(call("make_directories", "/x//y/z/"), "directory ROOT/x/y/z");
    process.umask(umask);
    for (const path of ["x", "x/y", "x/y/z"]) {
      const { mode, uid, gid } = statSync(scene.at("root", path));
      assert.deepEqual([mode & 0o7777, uid, gid], [0o750, process.getuid?.(), process.getgid?.()], path);
    }
  });

  it("takes what is there", () => assert.equal(call("make_directories", "etc"), "directory ROOT/etc"));

  it("follows a link that dangles inside of the root, not on the host", () => {
    assert.equal(call("make_directories", "dangling/lock/x"), "directory ROOT/run/lock/x");
  });

  it("makes below the root what a link names on the host", () => {
    assert.equal(call("make_directories", "absolute/new"), `directory ROOT${scene.at("outside")}/new`);
    assert.equal(call("make_directories", "relative/new"), "directory ROOT/outside/new");
    assert.deepEqual(readdirSync(scene.at("outside")), ["secret"]);
  });

  it("refuses a loop of links and a file on the way", () => {
    assert.equal(call("make_directories", "a/x"), "ELOOP");
    assert.equal(call("make_directories", "etc/passwd/x"), "ENOTDIR");
    assert.equal(call("make_directories", "etc/passwd"), "ENOTDIR");
  });

  it("as deep as a path can be, and not deeper", () => {
    assert.match(call("make_directories", "d/".repeat(1500)), /^directory ROOT(\/d){1500}$/);
    assert.equal(call("make_directories", "d/".repeat(2100)), "ENAMETOOLONG");
  });
});

describe("make_file", () => {
  it("makes an empty file and its parents, 0755", () => {
    assert.equal(call("make_file", "run/x/resolv.conf"), "other ROOT/run/x/resolv.conf");
    assert.equal(statSync(scene.at("root/run/x")).mode & 0o7777, 0o755);
    assert.equal(statSync(scene.at("root/run/x/resolv.conf")).mode & 0o7777, 0o640);
  });

  it("leaves what is there as it is", () => {
    assert.equal(call("make_file", "etc/passwd"), "other ROOT/etc/passwd");
    assert.equal(readFileSync(scene.at("root/etc/passwd"), "utf8"), "root");
  });

  it("a link to a missing file is followed below the root", () => {
    symlinkSync("/run/resolv.conf", scene.at("root/etc/resolv.conf"));
    assert.equal(call("make_file", "etc/resolv.conf"), "other ROOT/run/resolv.conf");
    assert.ok(lstatSync(scene.at("root/etc/resolv.conf")).isSymbolicLink());
  });
});
