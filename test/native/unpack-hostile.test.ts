import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, symlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { end, entry, header, pax, type RawEntry, record, tar } from "../helpers/raw-tar.ts";
import type { ShimResult } from "../helpers/shim.ts";
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
  unpack,
} from "../helpers/unpack-scene.ts";

setScene();

describe("unpack: nothing gets out of the target", () => {
  for (const [id, name] of [
    ["P01", "../x"],
    ["P03", "a/../../x"],
    ["P02", "/tmp/x"],
    ["P04", "//x"],
    ["P09", ".."],
    ["P10", ""],
    ["", "a//b"],
    ["", "a/"],
    ["D17", "x/"],
    ["", "./a"],
    ["", "a/."],
  ] as const) {
    it(`${id} "${name}" is refused, in the header and in PAX`, () => {
      refuse(tar([{ name, body: "x" }]), /^tar .*(path|component)/);
      refuse(tar([{ name: "x", pax: [["path", name]], body: "x" }]), /^tar .*(path|component)/);
    });
  }

  it("P11–P14: NUL, and one past each limit of length and depth", () => {
    const path = (text: string): Buffer => tar([{ name: "x", pax: [["path", text]] }]);
    refuse(path("a\0b"), /NUL/);
    refuse(path("f".repeat(256)), /component/);
    refuse(path(`${"e/".repeat(1024)}f`), /too many/);
    refuse(path(`${`${"d".repeat(255)}/`.repeat(16)}f`), /too long/);
  });

  it("S01, S02, S04, S05, S08, S09, S10, F12: no entry lies below a link or a file", () => {
    for (const link of [scene.at("outside"), "../outside", "/", ".", "d", "s"]) {
      refuse(tar([directory("d"), symlink("s", link), { name: "s/x", body: "evil" }]), /^tar s: .*not a directory/);
    }
    refuse(tar([{ name: "f" }, { name: "f/x" }]), /^tar f: .*not a directory/);
    refuse(tar([directory("d"), symlink("d", scene.at("outside")), { name: "d/x" }]), /^tar d: .*not a directory/);
  });

  it("a link that was there before is not followed, whoever planted it", () => {
    symlinkSync(scene.at("outside"), at("planted"));
    refuse(tar([{ name: "planted/x", body: "evil" }]), /^tar planted: .*not a directory/);
    refuse(tar([hardlink("h", "planted/canary")]), /^link h: ELOOP/);
    accept([{ name: "planted", body: "replaced" }]);
  });

  it("S14: a target that is empty or too long is refused", () => {
    refuse(tar([symlink("l", "")]), /target/);
    refuse(tar([{ name: "l", type: "2", pax: [["linkpath", "t".repeat(4096)]] }]), /target/);
  });

  it("H01, H02, H10: a hard link names a path of the archive", () => {
    for (const link of [scene.at("outside/canary"), "../outside/canary", "a/../x", ".", ""]) {
      refuse(tar([{ name: "h", type: "1", pax: [["linkpath", link]] }]), /^tar h: .*path/);
    }
  });

  it("H03, H11: nor one through a link", () => {
    refuse(tar([symlink("s", scene.at("outside")), hardlink("h", "s/canary")]), /^link h: ELOOP/);
  });

  it("H06, H07, H08, H12, H09: missing, later, a directory, itself, with content", () => {
    refuse(tar([hardlink("h", "missing")]), /^link h: ENOENT/);
    refuse(tar([hardlink("h", "later"), { name: "later" }]), /^link h: ENOENT/);
    refuse(tar([directory("d"), hardlink("h", "d")]), /^link h: EPERM/);
    refuse(tar([hardlink("h", "h")]), /itself/);
    refuse(tar([{ name: "a" }, { ...hardlink("h", "a"), body: "x" }]), /content/);
  });

  it("T-R23: the root is a directory", () => {
    refuse(tar([symlink(".", scene.at("outside"))]), /root is a directory/);
    refuse(tar([{ name: "." }]), /root is a directory/);
  });
});

describe("unpack: only canonical tar is read", () => {
  const good = entry({ name: "good", body: "x" });
  const headers: readonly (readonly [string, Buffer, RegExp])[] = [
    ["D12: type Z", entry({ type: "Z" }), /type/],
    ["D13: type 7", entry({ type: "7" }), /type/],
    ["D15: type M", entry({ type: "M" }), /type/],
    ["N22: a global header", pax([["path", "x"]], "g"), /type/],
    ["GNU long name", entry({ type: "L", body: "x" }), /type/],
    ["D18: GNU sparse", entry({ type: "S" }), /type/],
    ["P07: a prefix", entry({ prefix: "a" }), /leaves empty/],
    ["GNU magic", entry({ magic: "ustar  \0" }), /not a ustar/],
    ["a user name", entry({ owner: "root" }), /leaves empty/],
    ["N27: a wrong checksum", entry({ checksum: "000000\0 " }), /checksum/],
    ["a checksum in another form", entry({ checksum: "0000000\0" }), /checksum/],
    ["N01: a base-256 size", entry({ patches: [{ at: 124, bytes: Buffer.from([0x80]) }] }), /size/],
    ["N04: a size that is no number", entry({ patches: [{ at: 124, bytes: "zzz" }] }), /size/],
    ["a size with blanks", entry({ patches: [{ at: 124, bytes: "          1" }] }), /size/],
    ["a mode beyond 7777", entry({ mode: 0o100644 }), /mode/],
    ["bytes after the end of a name", entry({ name: "a\0b" }), /after the end/],
    ["a device number of a file", entry({ major: 1 }), /device/],
    ["a link target of a file", entry({ link: "x" }), /link/],
    ["content of a directory", entry({ type: "5", body: "x" }), /content/],
    ["N18: a PAX length that is too large", pax(Buffer.from("99 path=x\n")), /malformed/],
    ["N19: a PAX length of 0", pax(Buffer.from("0 path=x\n")), /malformed/],
    ["N20: a PAX record without its end", pax(Buffer.from("9 path=xx")), /malformed/],
    ["a PAX length with a sign", pax(Buffer.from("+10 path=x\n")), /malformed/],
    ["a PAX length with zeros", pax(Buffer.from("010 path=x\n")), /malformed/],
    ["a PAX length that overflows", pax(Buffer.from(`${"9".repeat(40)} path=x\n`)), /malformed/],
    ["PAX of a length only", pax(Buffer.from("1")), /malformed/],
    ["PAX without `=`", pax(Buffer.from("7 path\n")), /malformed/],
    ["an empty PAX header", pax(Buffer.alloc(0)), /empty/],
    ["N16: two PAX headers", Buffer.concat([pax([["path", "a"]]), pax([["path", "b"]])]), /type/],
    [
      "N17: a key twice",
      entry({
        pax: [
          ["path", "a"],
          ["path", "b"],
        ],
      }),
      /twice/,
    ],
    [
      "an attribute twice",
      entry({
        pax: [
          ["SCHILY.xattr.user.a", "1"],
          ["SCHILY.xattr.user.a", "1"],
        ],
      }),
      /twice/,
    ],
    ["an attribute without a name", entry({ pax: [["SCHILY.xattr.", "1"]] }), /name/],
    [
      "too many attributes",
      entry({ pax: Array.from({ length: 257 }, (_, n) => [`SCHILY.xattr.user.${n}`, ""] as const) }),
      /too many/,
    ],
    ["an unknown key", entry({ pax: [["atime", "1"]] }), /key/],
    ["NUL in a key", entry({ pax: [["pa\0th", "1"]] }), /NUL/],
    ["D19: PAX sparse", entry({ pax: [["GNU.sparse.major", "1"]] }), /key/],
    ["D19: a map without a size", entry({ pax: [["GNU.sparse.map", ""]] }), /map/],
    [
      "a sparse directory",
      entry({
        type: "5",
        pax: [
          ["GNU.sparse.size", "1"],
          ["GNU.sparse.map", ""],
        ],
      }),
      /map/,
    ],
    ...["0,1,0,1", "0,2", "1,1", "0,0,0,1", "0,1,", "0", ",", "0,1;", "-1,1", "0,01", "9223372036854775807,2"].map(
      (map) =>
        [
          `a sparse file of 1 byte with the map ${map}`,
          entry({
            body: "x",
            pax: [
              ["GNU.sparse.size", "1"],
              ["GNU.sparse.map", map],
            ],
          }),
          /sparse/,
        ] as const,
    ),
    ["N14: a size in PAX and another in the header", entry({ pax: [["size", "0"]], body: "x" }), /header and in PAX/],
    ["an owner in PAX and another in the header", entry({ pax: [["uid", "5"]], uid: 6 }), /header and in PAX/],
    ["N05: a negative size", entry({ pax: [["size", "-1"]] }), /size/],
    ["N06: a size past 2⁶³", entry({ pax: [["size", "9223372036854775808"]] }), /size/],
    ["N07: a size as 1e3", entry({ pax: [["size", "1e3"]] }), /size/],
    ["N08: an owner of 2³²", entry({ pax: [["uid", "4294967296"]] }), /owner/],
    ["N09: an owner of 2³²−1", entry({ pax: [["uid", "4294967295"]] }), /owner/],
    ["N10: a negative group", entry({ pax: [["gid", "-1"]] }), /group/],
    ["an empty owner", entry({ pax: [["uid", ""]] }), /owner/],
    ["N13: a time that is no number", entry({ pax: [["mtime", "NaN"]] }), /time/],
    ["N11: a time that overflows", entry({ pax: [["mtime", "1e20"]] }), /time/],
    ["a time past 2⁶³", entry({ pax: [["mtime", "9223372036854775808"]] }), /time/],
    ["a time with ten digits of fraction", entry({ pax: [["mtime", "1.0123456789"]] }), /time/],
    ["a time without its fraction", entry({ pax: [["mtime", "1."]] }), /time/],
    ["F06: one zero block, then more", Buffer.concat([Buffer.alloc(512), good]), /one zero block/],
    ["P12: random bytes", Buffer.from("not a tar".repeat(200)), /checksum|ustar|end/],
  ];
  for (const [why, bytes, expected] of headers) {
    it(why, () => {
      refuse(Buffer.concat([good, bytes, good, end]), expected);
      assert.deepEqual(readdirSync(scene.at("target")), ["good"], "what came before is there, nothing else");
    });
  }

  it("padding that is not zero", () => {
    refuse(Buffer.concat([header({ size: 1 }), Buffer.alloc(512, "x"), end]), /padding/);
  });

  it("N24–N26: a PAX header is at most 1 MiB, and is not allocated because it says so", () => {
    const value = Buffer.alloc(1024 * 1024 - record("SCHILY.xattr.user.overlay.x", "").length - 5, "v");
    assert.equal(record("SCHILY.xattr.user.overlay.x", value).length, 1024 * 1024);
    assert.deepEqual(accept([{ name: "f", pax: [["SCHILY.xattr.user.overlay.x", value]] }]).skipped, [
      "f: user.overlay.x",
    ]);
    refuse(
      tar([{ name: "f", pax: [["SCHILY.xattr.user.overlay.x", Buffer.concat([value, Buffer.from("v")])]] }]),
      /too long/,
    );
    refuse(header({ type: "x", size: 8 * 1024 ** 3 - 1 }), /too long/);
  });

  it("F01–F05, F07, F08: cut off, not ended, or followed by something", () => {
    const archive = tar([{ name: "a", body: "x".repeat(700) }]);
    for (const length of [1, 511, 512, 600, 1535, 1536, 1537, archive.length - 512, archive.length - 1]) {
      refuse(archive.subarray(0, length), /cut off/);
    }
    refuse(Buffer.alloc(0), /cut off/);
    refuse(Buffer.concat([archive, Buffer.from("x")]), /after the end/);
    refuse(Buffer.concat([archive, archive]), /after the end/);
    refuse(Buffer.concat([archive, Buffer.alloc(512)]), /after the end/);
    refuse(Buffer.concat([pax([["path", "x"]]), end]), /without an entry/);
  });

  it("N02, N03: a size that is never sent writes and allocates nothing", () => {
    for (const size of ["4611686018427387904", "9223372036854775807"]) {
      refuse(
        Buffer.concat([pax([["size", size]]), header({ name: "huge" }), Buffer.from("some")]),
        /^tar huge: .*cut off/,
      );
      assert.ok(target("huge").size <= 4n);
      assert.ok(target("huge").blocks <= 8n);
    }
  });

  it("a path in a failure is bounded and escaped", () => {
    const path = Buffer.alloc(4000, 0xff).fill("/", 200, 201).fill("/", 400, 401);
    const { failed, status } = unpack(tar([{ name: "x", pax: [["path", path]] }]));
    assert.equal(status, 1);
    assert.equal(failed?.step, "tar");
  });

  it("chance: cut and flipped archives are refused or unpacked below the target, and never crash", () => {
    const archive = tar([
      directory("d"),
      {
        name: "d/f",
        body: "content",
        pax: [
          ["mtime", "1.5"],
          ["SCHILY.xattr.user.a", "b"],
        ],
      },
      symlink("d/l", "f"),
      hardlink("h", "d/f"),
    ]);
    let state = 12345;
    const random = (below: number): number => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * below);
    };
    for (let round = 0; round < 150; round++) {
      const broken = Buffer.from(archive);
      for (let i = 0; i <= random(3); i++) broken[random(broken.length)] = random(256);
      const { status, signal, stderr } = unpack(
        broken.subarray(0, round % 5 === 0 ? random(broken.length) : broken.length),
      );
      assert.ok(signal === null && (status === 0 || status === 1), `round ${round}: ${status} ${signal} ${stderr}`);
    }
  });

  it("usage", () => assert.equal(unpack(end, ["--nonsense"]).status, 2));
});

describe("unpack: confinement", () => {
  const ordinary = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--"];
  const tree: readonly RawEntry[] = [
    directory(".", { mode: 0o755 }),
    directory("d", { mode: 0o555, uid: 0 }),
    {
      name: "d/f",
      body: "x",
      mode: 0o4711,
      uid: 5,
      gid: 6,
      pax: [
        ["SCHILY.xattr.security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
        ["SCHILY.xattr.user.a", "b"],
      ],
    },
    symlink("d/l", "f"),
    hardlink("h", "d/f"),
    { name: "p", type: "6" },
    { name: "mem", type: "3", major: 1, minor: 1 },
  ];

  /** `user` owns the target and is the one who unpacks. */
  function asUser(user: number, through: readonly string[]): ShimResult {
    execFileSync("chown", ["-R", `${user}:${user}`, scene.path]);
    const result = unpack(tar(tree), ["--no-owner"], { through });
    execFileSync("chown", ["0:0", scene.path, scene.at("outside/canary")]);
    return result;
  }

  for (const [why, user, through] of [
    ["in a user namespace", 1000, ordinary],
    [
      "where user namespaces are forbidden, in Landlock",
      0,
      [
        "unshare",
        "-U",
        "--map-root-user",
        "sh",
        "-c",
        'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all "$@"',
        "-",
      ],
    ],
  ] as const) {
    it(`an ordinary user, ${why}: everything belongs to them`, () => {
      const { status, stdout, stderr } = asUser(user, through);
      assert.equal(status, 0, stderr);
      assert.deepEqual(JSON.parse(String(stdout)).skipped, ["d/f: security.capability", "mem: character device"]);
      for (const path of [".", "d", "d/f", "d/l", "p"]) assert.equal(target(path).uid, BigInt(user), path);
      assert.deepEqual([mode("d"), mode("d/f"), target("h").nlink], [0o555, 0o4711, 2n]);
    });
  }

  it("an ordinary user cannot give files away", () => {
    execFileSync("chown", ["-R", "1000:1000", scene.path]);
    const { status, failed } = unpack(tar(tree), [], { through: ordinary });
    execFileSync("chown", ["0:0", scene.path, scene.at("outside/canary")]);
    assert.deepEqual([status, failed?.step, failed?.errno], [1, "chown", "EPERM"]);
  });

  it("a full disk is one failure with ENOSPC", () => {
    const small = [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      'mount -t tmpfs -o size=64k t . && cd . && exec "$0" "$@"',
    ];
    const { status, failed } = unpack(tar([{ name: "big", body: Buffer.alloc(1_000_000) }]), [], { through: small });
    assert.deepEqual([status, failed?.errno, failed?.subject], [1, "ENOSPC", "big"]);
  });
});
