import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { header, type PaxRecord, type RawEntry, tar } from "../helpers/raw-tar.ts";
import {
  accept,
  at,
  directory,
  hardlink,
  mode,
  refuse,
  scene,
  setScene,
  symlink,
  target,
} from "../helpers/unpack-scene.ts";

setScene();

describe("unpack: what canonical tar says is what there is (ACI-4)", () => {
  it("content, modes, owners, times and links", () => {
    const big = Buffer.alloc(3_000_001, "0123456789");
    const result = accept([
      directory(".", { mode: 0o711, mtime: 5 }),
      directory("d", { mode: 0o2750, uid: 3, gid: 4, mtime: 1_000_000_000 }),
      { name: "d/file", body: "hello", mode: 0o4755, uid: 1, gid: 2, mtime: 1_234_567_890 },
      { name: "d/empty", mode: 0 },
      { name: "big", body: big },
      symlink("d/link", "../nowhere"),
      hardlink("second", "d/file"),
      { name: "fifo", type: "6", mode: 0o622, uid: 7 },
    ]);
    assert.deepEqual(result, { entries: 8, bytes: 5 + big.length, skipped: [] });
    assert.equal(readFileSync(at("d/file"), "utf8"), "hello");
    assert.ok(readFileSync(at("big")).equals(big));
    assert.equal(readlinkSync(at("d/link")), "../nowhere");
    assert.equal(target("second").ino, target("d/file").ino);
    assert.ok(target("fifo").isFIFO());
    assert.deepEqual(
      [mode("."), mode("d"), mode("d/file"), mode("d/empty"), mode("fifo")],
      [0o711, 0o2750, 0o4755, 0, 0o622],
    );
    assert.deepEqual(
      [target("d").uid, target("d").gid, target("d/file").uid, target("d/file").gid, target("fifo").uid],
      [3n, 4n, 1n, 2n, 7n],
    );
    assert.deepEqual(
      [target("d").mtimeMs, target("d/file").mtimeMs, target(".").mtimeMs],
      [1_000_000_000_000n, 1_234_567_890_000n, 5000n],
    );
  });

  it("D19: a sparse file has its data, its size and its holes", () => {
    const size = 64 * 1024 * 1024;
    accept([
      {
        name: "big",
        body: "headtail",
        pax: [
          ["GNU.sparse.size", String(size)],
          ["GNU.sparse.map", `0,4,${size / 2},4`],
        ],
      },
      {
        name: "hole",
        pax: [
          ["GNU.sparse.size", "5000"],
          ["GNU.sparse.map", ""],
        ],
      },
      { name: "next", body: "x" },
    ]);
    const expected = Buffer.alloc(size);
    expected.write("head");
    expected.write("tail", size / 2);
    assert.ok(readFileSync(at("big")).equals(expected));
    assert.ok(target("big").blocks * 512n < BigInt(size / 8), "its holes take no room");
    assert.deepEqual([target("hole").size, target("next").size], [5000n, 1n]);
  });

  it("D04, D05: set-id and sticky bits are exact, with owners of their own too", () => {
    accept([
      { name: "suid", mode: 0o6777, uid: 1000, gid: 1000 },
      directory("sticky", { mode: 0o3777, gid: 50 }),
      directory("all", { mode: 0o7777, uid: 1 }),
      { name: "fifo", type: "6", mode: 0o6711, uid: 1000, gid: 1000 },
    ]);
    assert.deepEqual([mode("suid"), mode("sticky"), mode("all"), mode("fifo")], [0o6777, 0o3777, 0o7777, 0o6711]);
  });

  it("F14: modes and times of directories come last", () => {
    accept([
      directory("shut", { mode: 0, mtime: 99 }),
      { name: "shut/inside", body: "x" },
      directory("shut/deeper", { mode: 0o500, mtime: 7 }),
      { name: "shut/deeper/file" },
    ]);
    assert.deepEqual([mode("shut"), target("shut").mtimeMs, target("shut/deeper").mtimeMs], [0, 99_000n, 7000n]);
    assert.equal(readFileSync(at("shut/inside"), "utf8"), "x");
  });

  it("missing parents are made: 0755, root, no particular time", () => {
    accept([{ name: "a/b/c", body: "x" }]);
    for (const path of ["a", "a/b"])
      assert.deepEqual([mode(path), target(path).uid, target(path).mtimeMs], [0o755, 0n, 0n]);
  });

  it("P08: `.` is the root and changes nothing but it", () => {
    chmodSync(scene.path, 0o700);
    accept([directory(".", { mode: 0o777 })]);
    assert.deepEqual([mode("."), statSync(scene.path).mode & 0o7777], [0o777, 0o700]);
  });

  it("P15–P17, N21, N23: names are bytes", () => {
    const names = ["new\nline", "\u001b[31m\u0007", "..\\..\\x", "__proto__", "123", "ümläut"].map((name) =>
      Buffer.from(name),
    );
    names.push(Buffer.from([0x66, 0xff, 0xfe, 0x80]));
    accept(
      names.flatMap((name) => [
        { name, body: "short" },
        { name: "x", pax: [["path", Buffer.concat([name, Buffer.from("-pax")])] as PaxRecord], body: "pax" },
      ]),
    );
    const found = readdirSync(scene.at("target"), { encoding: "buffer" }).map(String).sort();
    assert.deepEqual(found, names.flatMap((name) => [String(name), `${name}-pax`]).sort());
  });

  it("names up to 100 bytes in the header, longer ones in PAX, up to the limits", () => {
    const whole = "n".repeat(100);
    const longest = `${"d".repeat(255)}/`.repeat(15) + "f".repeat(255);
    const deepest = `${"e/".repeat(1023)}f`;
    accept([
      { name: whole },
      { name: "x", pax: [["path", longest]], body: "long" },
      { name: "x", pax: [["path", deepest]] },
      {
        name: "x",
        type: "2",
        pax: [
          ["path", "l"],
          ["linkpath", "t".repeat(4095)],
        ],
      },
    ]);
    const found = execFileSync("find", [".", "-type", "f", "-size", "4c"], {
      cwd: scene.at("target"),
      encoding: "utf8",
    });
    assert.equal(found, `./${longest}\n`);
    assert.ok(target(deepest).isFile());
    assert.equal(readlinkSync(at("l")), "t".repeat(4095));
  });

  it("N11–N13: times before 1970 and with fractions", () => {
    const time = (text: string) => ({ name: text, pax: [["mtime", text] as PaxRecord] });
    accept(["-1.5", "-2", "1.000000001", "0.25", "4102444800.5"].map(time));
    assert.deepEqual(
      ["-1.5", "-2", "1.000000001", "0.25", "4102444800.5"].map((name) => target(name).mtimeNs),
      [-1_500_000_000n, -2_000_000_000n, 1_000_000_001n, 250_000_000n, 4_102_444_800_500_000_000n],
    );
  });

  it("N08–N10: owners up to 2³²−2", () => {
    accept([
      {
        name: "x",
        pax: [
          ["uid", "4294967294"],
          ["gid", "2097152"],
        ],
      },
    ]);
    assert.deepEqual([target("x").uid, target("x").gid], [4_294_967_294n, 2_097_152n]);
  });

  it("S13: owner and time of a link are its own", () => {
    symlinkSync(scene.at("outside/canary"), at("planted"));
    accept([{ ...symlink("link", "../outside/canary"), uid: 5, mtime: 77 }]);
    assert.deepEqual([target("link").uid, target("link").mtimeMs], [5n, 77_000n]);
    assert.equal(statSync(scene.at("outside/canary")).uid, 0);
  });

  it("S07: a link's target is kept as it is", () => {
    accept([symlink("a", "/etc/passwd"), symlink("b", "../../../../etc/passwd"), symlink("c", "//x//")]);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => readlinkSync(at(name))),
      ["/etc/passwd", "../../../../etc/passwd", "//x//"],
    );
  });

  it("H04, H05: a hard link to a link is a second name of the link", () => {
    accept([symlink("s", scene.at("outside/canary")), { ...hardlink("h", "s"), mode: 0o777, uid: 9 }]);
    assert.ok(target("h").isSymbolicLink());
    assert.equal(target("h").ino, target("s").ino);
  });

  it("F13: many empty files", () => {
    const many = Array.from({ length: 20_000 }, (_, n) => header({ name: `d${n % 100}/f${n}` }));
    assert.equal(accept(many).entries, 20_000);
  });

  it("in a set-group-ID directory the group is still what the archive says", () => {
    execFileSync("chown", ["0:50", scene.at("target")]);
    chmodSync(scene.at("target"), 0o2755);
    accept([{ name: "f" }, directory("d"), symlink("l", "x"), { name: "p", type: "6" }, { name: "d/deep" }]);
    for (const name of ["f", "d", "l", "p", "d/deep"]) assert.equal(target(name).gid, 0n, name);
    assert.equal(mode("d"), 0o755);
  });

  it("--sync is accepted", () => assert.equal(accept([{ name: "x" }], ["--sync"]).entries, 1));
});

describe("unpack: devices and extended attributes", () => {
  const devices: readonly RawEntry[] = [
    { name: "mem", type: "3", mode: 0o600, major: 1, minor: 1 },
    { name: "disk", type: "4", major: 254, minor: 70_000 },
    hardlink("same", "mem"),
  ];

  it("D01, D02: devices are left out and named, hard links to them too", () => {
    const { skipped } = accept(devices);
    assert.deepEqual(skipped, ["mem: character device", "disk: block device", "same: hard link to a device"]);
    assert.deepEqual(readdirSync(scene.at("target")), []);
  });

  it("D01, D02: --devices makes them, and never opens them", () => {
    // Opening 254:70000 would fail with ENXIO, and the archive with it.
    assert.deepEqual(accept(devices, ["--devices"]).skipped, []);
    assert.ok(target("mem").isCharacterDevice() && target("disk").isBlockDevice());
    assert.equal(mode("mem"), 0o600);
    assert.equal(execFileSync("stat", ["-c", "%t:%T", at("disk")], { encoding: "utf8" }), "fe:11170\n");
  });

  it("D06: character device 0:0 is refused, devices or not", () => {
    for (const args of [[], ["--devices"]])
      refuse(tar([{ name: "whiteout", type: "3" }]), /^tar whiteout: .*overlay/, args);
  });

  it("X01–X04, X07: attributes that are carried, and those that are not", () => {
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    const xattr = (name: string, value: string | Buffer): PaxRecord => [`SCHILY.xattr.${name}`, value];
    const { skipped } = accept([
      {
        name: "f",
        mode: 0o755,
        uid: 10,
        body: "x",
        pax: [
          xattr("user.foo", "b\0ar=\n"),
          xattr("security.capability", capability),
          xattr("trusted.overlay.opaque", "y"),
          xattr("user.overlay.redirect", "/etc"),
          xattr("security.selinux", "label"),
        ],
      },
      directory("d", { mode: 0o500, pax: [xattr("user.dir", ""), xattr("trusted.overlay.opaque", "y")] }),
    ]);
    assert.deepEqual(skipped, [
      "f: trusted.overlay.opaque",
      "f: user.overlay.redirect",
      "f: security.selinux",
      "d: trusted.overlay.opaque",
    ]);
    const dump = execFileSync("getfattr", ["-d", "-m", "-", "-e", "hex", "f", "d"], {
      cwd: scene.at("target"),
      encoding: "utf8",
    });
    const expected = `# file: f\nsecurity.capability=0x${capability.toString("hex")}\nuser.foo=0x620061723d0a\n\n# file: d\nuser.dir=0x\n\n`;
    assert.equal(dump, expected);
  });

  it("X06: ACLs are set after the mode, default ones after the content", () => {
    const version = Buffer.from("02000000", "hex");
    const ace = (tag: number, perm: number, id = 0xffffffff): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(tag, 0);
      bytes.writeUInt16LE(perm, 2);
      bytes.writeUInt32LE(id, 4);
      return bytes;
    };
    const acl = Buffer.concat([version, ace(1, 6), ace(2, 4, 77), ace(4, 4), ace(16, 4), ace(32, 0)]);
    accept([
      { name: "f", mode: 0o640, pax: [["SCHILY.xattr.system.posix_acl_access", acl]] },
      directory("d", { pax: [["SCHILY.xattr.system.posix_acl_default", acl]] }),
      { name: "d/child", mode: 0o600 },
    ]);
    const read = (name: string, path: string): string =>
      execFileSync("getfattr", ["--only-values", "-n", name, path], { cwd: scene.at("target"), encoding: "hex" });
    assert.equal(read("system.posix_acl_access", "f"), acl.toString("hex"));
    assert.equal(read("system.posix_acl_default", "d"), acl.toString("hex"));
    assert.equal(execFileSync("getfattr", ["-m", "-", "d/child"], { cwd: scene.at("target"), encoding: "utf8" }), "");
  });

  it("an attribute that an entry of its kind cannot have is left out and named", () => {
    const { skipped } = accept([
      { ...symlink("l", "x"), pax: [["SCHILY.xattr.user.a", "b"]] },
      { name: "p", type: "6", pax: [["SCHILY.xattr.user.a", "b"]] },
    ]);
    assert.deepEqual(skipped, ["l: user.a", "p: user.a"]);
  });

  it("X05: an attribute over the limit is refused", () => {
    refuse(tar([{ name: "f", pax: [["SCHILY.xattr.user.big", Buffer.alloc(70_000, "x")]] }]), /^setxattr f: E2BIG/);
  });

  it("the list of what was left out is bounded, and every byte of a name in it", () => {
    const odd = Buffer.from([0x22, 0x5c, 0x0a, 0xff]);
    const many = Array.from({ length: 1010 }, (_, n) => ({ name: `dev${n}`, type: "4", major: 1, minor: n }));
    const { skipped } = accept([{ name: odd, type: "4", major: 1 }, ...many]);
    assert.deepEqual(
      [skipped.length, skipped[0], skipped.at(-1)],
      [1001, `${odd.toString("latin1")}: block device`, "and 11 more"],
    );
    refuse(
      tar(Array.from({ length: 4097 }, (_, n) => ({ name: `dev${n}`, type: "4", major: 1, minor: n }))),
      /too many devices/,
    );
  });
});

describe("unpack: a later entry replaces an earlier one, in its own place", () => {
  it("S03, S06: a file over a link, a directory over a link", () => {
    accept([
      symlink("a", scene.at("outside/canary")),
      { name: "a", body: "new" },
      symlink("b", scene.at("outside")),
      directory("b", { mode: 0o777 }),
      { name: "b/canary", body: "mine" },
    ]);
    assert.equal(readFileSync(at("a"), "utf8"), "new");
    assert.equal(readFileSync(at("b/canary"), "utf8"), "mine");
  });

  it("D03, F09: a file over a fifo and over a file", () => {
    accept([
      { name: "p", type: "6" },
      { name: "p", body: "now" },
      { name: "p", body: "again" },
    ]);
    assert.equal(readFileSync(at("p"), "utf8"), "again");
  });

  it("F10, F11: a directory with content becomes a file, and the other way", () => {
    accept([
      directory("d", { mode: 0o711 }),
      { name: "d/x/y" },
      { name: "d", body: "file" },
      { name: "f" },
      directory("f", { mode: 0o711 }),
      { name: "f/x" },
    ]);
    assert.equal(readFileSync(at("d"), "utf8"), "file");
    assert.deepEqual([mode("d"), mode("f")], [0o644, 0o711]);
  });

  it("a directory stays, with what is in it, and gets the later attributes", () => {
    accept([directory("d", { mode: 0o700 }), { name: "d/x" }, directory("d", { mode: 0o711, mtime: 3 })]);
    assert.deepEqual([mode("d"), target("d").mtimeMs, readdirSync(at("d"))], [0o711, 3000n, ["x"]]);
  });
});
