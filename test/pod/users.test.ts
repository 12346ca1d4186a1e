import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { resolveUser } from "../../src/pod/users.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

type Context = Parameters<typeof temporaryDirectory>[0];

async function makeRoot(context: Context, passwd?: string, group?: string): Promise<string> {
  const root = await temporaryDirectory(context);
  mkdirSync(join(root, "etc"));
  if (passwd !== undefined) writeFileSync(join(root, "etc", "passwd"), passwd);
  if (group !== undefined) writeFileSync(join(root, "etc", "group"), group);
  return root;
}

const passwd =
  "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/usr/bin/ash\nbad line\nhuge:x:4294967295:1::/:/\n";
const group = "root:x:0:\nwww:x:44:web\n";
const as = (user: string, groupWord = user, supplementaryGIDs: readonly number[] = []) => ({
  user,
  group: groupWord,
  supplementaryGIDs,
});

describe("resolveUser (ACI-33)", () => {
  it("a name is looked up in the image", async (context) => {
    const root = await makeRoot(context, passwd, group);
    assert.deepEqual(resolveUser(root, as("web", "www")), {
      uid: 33,
      gid: 44,
      groups: [44],
      name: "web",
      home: "/var/www",
      shell: "/usr/bin/ash",
    });
  });

  it("digits are the number, with the name of the line that has it", async (context) => {
    const root = await makeRoot(context, passwd, group);
    assert.deepEqual(resolveUser(root, as("33", "7")).name, "web");
    const unknown = resolveUser(root, as("1000", "1001"));
    assert.deepEqual([unknown.uid, unknown.gid, unknown.name, unknown.home], [1000, 1001, undefined, undefined]);
  });

  it("an image without passwd and group has numbers only", async (context) => {
    const root = await makeRoot(context);
    assert.equal(resolveUser(root, as("0")).uid, 0);
    assert.throws(() => resolveUser(root, as("web", "0")), fails("NOT_FOUND", /no user web/, { hint: /--user/ }));
    assert.throws(() => resolveUser(root, as("0", "www")), fails("NOT_FOUND", /no group www/));
  });

  it("a path is its owner, resolved in the image", async (context) => {
    const root = await makeRoot(context, passwd, group);
    writeFileSync(join(root, "owned"), "");
    chownSync(join(root, "owned"), 123, 456);
    symlinkSync("/owned", join(root, "etc", "link"));
    assert.deepEqual([resolveUser(root, as("/owned")).uid, resolveUser(root, as("/etc/link")).gid], [123, 456]);
    assert.throws(() => resolveUser(root, as("/nothing")), fails("NOT_FOUND", /no such path/));
    assert.throws(() => resolveUser(root, as("/../../../etc/passwd/x")), fails("NOT_FOUND"));
  });

  it("T-R41: the supplementary groups are the gid and the declared ones, and no others", async (context) => {
    const root = await makeRoot(context, passwd, group);
    assert.deepEqual(resolveUser(root, as("web", "0", [27, 0, 27])).groups, [0, 27]);
  });
});

describe("resolveUser against numbers that are none (T-R40)", () => {
  const words = ["2147483648", "4294967294", "0"];
  const wrong = ["4294967295", "4294967296", "18446744073709551616", "00", "007", "99999999999999999999"];
  const neither = ["-1", "+0", "0x0", " 0", "0 ", "1e3", "", "0.0", "٠", "a:b", "a\nb"];

  it("a number is itself, whatever passwd says it is called", async (context) => {
    const root = await makeRoot(context, words.map((word) => `${word}:x:${word}:0::/:/`).join("\n"));
    for (const word of words) assert.equal(resolveUser(root, as(word, "1")).uid, Number(word));
  });

  it("a line that maps a number to another refuses both meanings", async (context) => {
    const lines = ["1000:x:0:0::/:/", "2147483648:x:0:0::/:/"].join("\n");
    const root = await makeRoot(context, lines, lines);
    assert.throws(() => resolveUser(root, as("1000", "1")), fails("MANIFEST_INVALID", /name of number 0/));
    assert.throws(() => resolveUser(root, as("1", "2147483648")), fails("MANIFEST_INVALID"));
  });

  for (const word of [...wrong, ...neither]) {
    it(`${JSON.stringify(word)} is never root, though passwd maps it there`, async (context) => {
      const line = `${word}:x:0:0::/:/bin/sh\n`;
      const root = await makeRoot(context, line, line);
      assert.throws(() => resolveUser(root, as(word, "1")), fails("MANIFEST_INVALID"));
      assert.throws(() => resolveUser(root, as("1", word)), fails("MANIFEST_INVALID"));
    });
  }

  it("a line with an id out of range names nobody", async (context) => {
    const root = await makeRoot(context, "huge:x:4294967295:1::/:/\nwrap:x:4294967296:1::/:/\nminus:x:-1:1::/:/\n");
    for (const name of ["huge", "wrap", "minus"])
      assert.throws(() => resolveUser(root, as(name, "0")), fails("NOT_FOUND"));
  });
});

describe("resolveUser against hostile passwd files (T-R18)", () => {
  const cases: readonly (readonly [string, (path: string) => void])[] = [
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    ["a directory", (path) => mkdirSync(path)],
    [
      "4 GiB of nothing",
      (path) => {
        writeFileSync(path, "");
        truncateSync(path, 4 * 1024 ** 3);
      },
    ],
    ["one line of a MiB and a byte", (path) => writeFileSync(path, "x".repeat(1024 * 1024 + 1))],
    ["too many lines", (path) => writeFileSync(path, "\n".repeat(70_000))],
    ["a loop", (path) => symlinkSync("passwd", path)],
  ];
  for (const [what, make] of cases) {
    it(`${what} is refused`, async (context) => {
      const root = await makeRoot(context);
      make(join(root, "etc", "passwd"));
      assert.throws(() => resolveUser(root, as("web", "0")), fails("IMAGE_INVALID"));
    });
  }

  it("links to files of the host are not followed out", async (context) => {
    const outside = await temporaryDirectory(context);
    execFileSync("mkfifo", [join(outside, "fifo")]);
    writeFileSync(join(outside, "passwd"), "web:x:0:0::/:/bin/sh\n");
    for (const target of [join(outside, "fifo"), join(outside, "passwd"), "/dev/zero", "../../../../../../etc/group"]) {
      const root = await makeRoot(context);
      symlinkSync(target, join(root, "etc", "passwd"));
      assert.throws(() => resolveUser(root, as("web", "0")), fails("NOT_FOUND"), target);
    }
  });

  it("home and shell with control characters, or relative, are not taken", async (context) => {
    const root = await makeRoot(context, "web:x:5:5::/a\u001b[2J:bin/sh\n");
    const user = resolveUser(root, as("web", "5"));
    assert.deepEqual([user.home, user.shell], [undefined, undefined]);
  });
});
