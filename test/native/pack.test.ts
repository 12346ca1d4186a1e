import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { runShim, type Scratch, type ShimResult, scratch } from "../helpers/shim.ts";

let scene: Scratch;

beforeEach(() => {
  scene = scratch();
  chmodSync(scene.path, 0o755);
});
afterEach(() => scene.remove());

const pack = (through: readonly string[] = []): ShimResult => runShim(["pack"], scene.path, { through });

interface Record {
  /** `path type mode uid gid mtime size link major minor` */
  readonly fields: readonly string[];
  readonly xattrs: readonly (readonly [string, string])[];
  readonly content: Buffer;
}

/** The stream as spec/shim.md describes it, read by hand. */
function records(stream: Buffer): readonly Record[] {
  const found: Record[] = [];
  let at = 0;
  for (;;) {
    const length = stream.readUInt32LE(at);
    at += 4;
    if (length === 0) break;
    const end = at + length;
    const field = (): string => {
      const stop = stream.indexOf(0, at);
      const text = stream.toString("latin1", at, stop);
      at = stop + 1;
      return text;
    };
    const fields = Array.from({ length: 10 }, field);
    const xattrs: [string, string][] = [];
    while (at < end) {
      const name = field();
      const size = stream.readUInt32LE(at);
      xattrs.push([name, stream.toString("latin1", at + 4, at + 4 + size)]);
      at += 4 + size;
    }
    assert.equal(at, end);
    const size = fields[1] === "0" ? Number(fields[6]) : 0;
    found.push({ fields, xattrs, content: stream.subarray(at, at + size) });
    at += size;
  }
  assert.equal(at, stream.length, "nothing follows the end");
  return found;
}

function packed(): readonly Record[] {
  const { status, stdout, stderr } = pack();
  assert.equal(status, 0, stderr);
  return records(stdout);
}

const byPath = (path: string): Record | undefined => packed().find(({ fields }) => fields[0] === path);

describe("pack", () => {
  it("names of a directory in byte order, a directory right before its content, whatever the disk's order", () => {
    for (const path of ["b", "a-b", "a/z", "a/b/c", "B", "ä", "a.b"]) {
      mkdirSync(scene.at(path, ".."), { recursive: true });
      writeFileSync(scene.at(path), path);
    }
    const paths = packed().map(({ fields }) => Buffer.from(fields[0] ?? "", "latin1").toString());
    assert.deepEqual(paths, [".", "B", "a", "a/b", "a/b/c", "a/z", "a-b", "a.b", "b", "ä"]);
  });

  it("every property of every type (ACI-4)", () => {
    writeFileSync(scene.at("file"), "hello");
    symlinkSync("no/where", scene.at("link"));
    execFileSync("mkfifo", ["-m", "600", scene.at("fifo")]);
    execFileSync("mknod", ["-m", "640", scene.at("block"), "b", "254", "70000"]);
    execFileSync("mknod", ["-m", "666", scene.at("char"), "c", "1", "3"]);
    for (const name of ["file", "link", "fifo", "block", "char"]) lchownSync(scene.at(name), 12, 4_000_000_000);
    chmodSync(scene.at("file"), 0o4751);
    for (const name of ["file", "link", "fifo", "block", "char"]) {
      lutimesSync(scene.at(name), 1_000_000_000, 1_000_000_000);
    }
    utimesSync(scene.path, 7, 7);
    const rest = (kind: string, mode: string, size: string, link: string, major: string, minor: string) => [
      kind,
      mode,
      "12",
      "4000000000",
      "1000000000",
      size,
      link,
      major,
      minor,
    ];
    assert.deepEqual(Object.fromEntries(packed().map(({ fields: [path = "", ...fields] }) => [path, fields])), {
      ".": ["5", "755", "0", "0", "7", "0", "", "0", "0"],
      block: rest("4", "640", "0", "", "254", "70000"),
      char: rest("3", "666", "0", "", "1", "3"),
      fifo: rest("6", "600", "0", "", "0", "0"),
      file: rest("0", "4751", "5", "", "0", "0"),
      link: rest("2", "777", "0", "no/where", "0", "0"),
    });
  });

  it("content of all sizes around the buffers", () => {
    const sizes = [0, 1, 511, 65_535, 65_536, 65_537, 262_143, 262_144, 1_048_576, 3_000_001];
    const content = (size: number): Buffer => Buffer.alloc(size, `${size} bytes `);
    for (const size of sizes) writeFileSync(scene.at(String(size)), content(size));
    for (let n = 0; n < 300; n++) writeFileSync(scene.at(`many${n}`), content(n * 7));
    for (const {
      fields: [path = "", , , , , , size],
      content: found,
    } of packed().slice(1)) {
      assert.ok(found.equals(content(path.startsWith("many") ? Number(path.slice(4)) * 7 : Number(path))), path);
      assert.equal(Number(size), found.length);
    }
  });

  it("hard links name the first path of the file, links of any type", () => {
    mkdirSync(scene.at("d"));
    writeFileSync(scene.at("z"), "content");
    linkSync(scene.at("z"), scene.at("d/a"));
    linkSync(scene.at("z"), scene.at("zz"));
    symlinkSync("t", scene.at("s1"));
    linkSync(scene.at("s1"), scene.at("s2"));
    const links = packed().map(({ fields: [path, kind, , , , , size, link] }) => [path, kind, size, link]);
    assert.deepEqual(links, [
      [".", "5", "0", ""],
      ["d", "5", "0", ""],
      ["d/a", "0", "7", ""],
      ["s1", "2", "0", "t"],
      ["s2", "1", "0", "s1"],
      ["z", "1", "0", "d/a"],
      ["zz", "1", "0", "d/a"],
    ]);
  });

  it("times before 1970 and with fractions", () => {
    for (const [name, date] of [
      ["a", "@-1.5"],
      ["b", "@-0.25"],
      ["c", "@-3"],
      ["d", "@1.000000001"],
    ] as const) {
      execFileSync("touch", ["-d", date, scene.at(name)]);
    }
    assert.deepEqual(
      packed()
        .slice(1)
        .map(({ fields }) => fields[5]),
      ["-1.500000000", "-0.250000000", "-3", "1.000000001"],
    );
  });

  it("extended attributes in byte order; labels and those of overlays are left out", () => {
    writeFileSync(scene.at("f"), "");
    for (const name of ["user.z", "user.a", "user.overlay.x", "trusted.overlay.opaque", "security.selinux"]) {
      execFileSync("setfattr", ["-n", name, "-v", `0x00${Buffer.from(name).toString("hex")}`, scene.at("f")]);
    }
    execFileSync("setcap", ["cap_net_bind_service+ep", scene.at("f")]);
    execFileSync("setfattr", ["-n", "user.dir", scene.path]);
    const xattrs = byPath("f")?.xattrs;
    assert.deepEqual(
      xattrs?.map(([name]) => name),
      ["security.capability", "user.a", "user.z"],
    );
    assert.equal(xattrs?.[1]?.[1], "\0user.a");
    assert.deepEqual(byPath(".")?.xattrs, [["user.dir", ""]]);
  });

  it("reads what only root can, without keeping the right to write", () => {
    writeFileSync(scene.at("secret"), "x", { mode: 0 });
    lchownSync(scene.at("secret"), 1000, 1000);
    mkdirSync(scene.at("shut/deeper"), { recursive: true });
    chmodSync(scene.at("shut"), 0);
    assert.deepEqual(
      packed().map(({ fields }) => fields[0]),
      [".", "secret", "shut", "shut/deeper"],
    );
  });

  it("an ordinary user sees owners as they are", () => {
    writeFileSync(scene.at("theirs"), "x");
    const { status, stdout, stderr } = pack(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--"]);
    assert.equal(status, 0, stderr);
    assert.equal(records(stdout)[1]?.fields[3], "0");
  });
});

describe("pack refuses by name", () => {
  const refuse = (result: ShimResult, expected: readonly (string | undefined)[]): void => {
    assert.deepEqual([result.status, result.failed?.subject, result.failed?.errno], [1, ...expected], result.stderr);
  };
  const privately = (setup: string): readonly string[] => [
    ...["unshare", "-m", "--propagation", "private", "sh", "-c"],
    `${setup} && exec "$0" "$@"`,
  ];

  it("a socket", async () => {
    mkdirSync(scene.at("run"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(scene.at("run/socket"), resolve));
    const result = pack();
    await new Promise((resolve) => server.close(resolve));
    refuse(result, ["run/socket", ""]);
  });

  it("a mount on a directory, on a file, on a fifo", () => {
    mkdirSync(scene.at("a/mount"), { recursive: true });
    refuse(pack(privately("mount -t tmpfs t a/mount")), ["a/mount", "EXDEV"]);
    writeFileSync(scene.at("a/file"), "");
    refuse(pack(privately("mount --bind /etc/passwd a/file")), ["a/file", "EXDEV"]);
    execFileSync("mkfifo", [scene.at("a/fifo")]);
    refuse(pack(privately("mount --bind /dev/null a/fifo")), ["a/fifo", "EXDEV"]);
  });

  it("a file that the user cannot read", () => {
    writeFileSync(scene.at("secret"), "x", { mode: 0o600 });
    refuse(pack(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--"]), ["secret", "EACCES"]);
  });

  it("more than 1024 levels", () => {
    execFileSync("mkdir", ["-p", "d/".repeat(1025)], { cwd: scene.path });
    refuse(pack(), [`${"d/".repeat(1024)}d`, "ENAMETOOLONG"]);
  });

  it("a file that is shorter than it says", () => {
    // The kernel gives files of /sys a size that reading them does not yield: what a file that shrinks looks like.
    const result = runShim(["pack"], "/sys/kernel/mm");
    assert.deepEqual([result.status, result.failed?.message], [1, "the file changed while it was read"]);
  });

  it("arguments", () => assert.equal(runShim(["pack", "x"], scene.path).status, 2));
});
