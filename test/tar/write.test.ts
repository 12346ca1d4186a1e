import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { extract } from "tar-stream";
import { pathKey, type TarEntry, type TarMember } from "../../src/tar/entry.ts";
import { readTar } from "../../src/tar/read.ts";
import { encodeHeader, endOfArchive, padding, writeTar } from "../../src/tar/write.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";
import { tarEntry as entry } from "../helpers/tar-entry.ts";

const none = Buffer.alloc(0);
async function* members(...entries: readonly (Partial<TarEntry> & { text?: string })[]): AsyncGenerator<TarMember> {
  for (const { text = "", ...fields } of entries) {
    yield { ...entry({ size: text.length, ...fields }), body: chunks(Buffer.from(text), 1000) };
  }
}

/** A bigint has no JSON. */
const text = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

/** One entry written and read back, without its body and its place. */
async function roundTrip(fields: Partial<TarEntry>): Promise<TarEntry> {
  const bytes = Buffer.concat([encodeHeader(entry(fields)), endOfArchive]);
  for await (const { body: _, span: __, ...read } of readTar(chunks(bytes))) return read;
  throw new Error("no entry came back");
}

describe("encodeHeader: what goes in comes out", () => {
  const cases: Readonly<Record<string, Partial<TarEntry>>> = {
    "the largest numbers of the header": { uid: 0o7777777, gid: 0o7777777, mode: 0o7777 },
    "larger owners": { uid: 0o10000000, gid: 4294967294 },
    "a name of 100 bytes": { path: Buffer.from("n".repeat(100)) },
    "a name of 101 bytes": { path: Buffer.from("n".repeat(101)) },
    "P16: a long name that is no UTF-8": { path: Buffer.alloc(150, 0xff) },
    "a target of 100 bytes": { type: "symlink", link: Buffer.from("t".repeat(100)) },
    "a long target that is no UTF-8": { type: "symlink", link: Buffer.alloc(4000, 0xfe) },
    "a hard link to a long name": { type: "hardlink", link: Buffer.from("t".repeat(101)) },
    "a device": { type: "block", device: { major: 4095, minor: 1048575 } },
    nanoseconds: { mtime: { seconds: 1350244992n, nanoseconds: 23960108 } },
    "a time before 1970": { mtime: { seconds: -1n, nanoseconds: 0 } },
    "just before 1970": { mtime: { seconds: -1n, nanoseconds: 750_000_000 } },
    "long before 1970, with a fraction": { mtime: { seconds: -62135596800n, nanoseconds: 1 } },
    "a time that octal cannot hold": { mtime: { seconds: 8n ** 11n, nanoseconds: 0 } },
    "X03: a capability": { xattrs: [{ name: "security.capability", value: Buffer.from([1, 0, 0, 2, 0, 10, 61]) }] },
  };
  for (const [why, fields] of Object.entries(cases)) {
    it(why, async () => {
      const { device, dropped: _, ...read } = await roundTrip(fields);
      const { device: wanted, ...rest } = entry(fields);
      assert.deepEqual(read, rest);
      assert.deepEqual(device, wanted);
    });
  }

  it("a size beyond the header's field is in PAX, and no other size beside it", () => {
    const bytes = encodeHeader(entry({ size: 8 ** 11 }));
    assert.match(String(bytes), /19 size=8589934592\n/);
    assert.equal(bytes.toString("latin1", 1024 + 124, 1024 + 136), "00000000000\0");
  });
});

describe("encodeHeader: one form", () => {
  it("is one block when everything fits", () => assert.equal(encodeHeader(entry()).length, 512));
  it("a directory has no slash at its end", () => {
    assert.equal(encodeHeader(entry({ type: "directory" })).toString("latin1", 0, 2), "f\0");
  });
  it("attributes are sorted, so that their order does not matter", () => {
    const a = { name: "user.a", value: Buffer.from("1") };
    const b = { name: "user.b", value: Buffer.from("2") };
    assert.deepEqual(encodeHeader(entry({ xattrs: [b, a] })), encodeHeader(entry({ xattrs: [a, b] })));
  });
  it("an attribute that PAX cannot name is refused", () => {
    const xattrs = [{ name: "user.a=b", value: none }];
    assert.throws(() => encodeHeader(entry({ xattrs })), fails("UNSUPPORTED", /^f: /, { hint: /setfattr/ }));
  });
});

describe("padding", () => {
  for (const [size, length] of [
    [0, 0],
    [1, 511],
    [511, 1],
    [512, 0],
    [513, 511],
  ] as const) {
    it(`${size} bytes need ${length}`, () => assert.equal(padding(size).length, length));
  }
});

describe("writeTar", () => {
  it("writes the header that encodeHeader gives, whatever of it PAX must hold", async () => {
    const nanoseconds = [0, 1, 10, 999_999_999, 500_000_000, 123_456_780];
    const times = [-62135596800n, -2n, -1n, 0n, 1n, 1350244992n, 8n ** 11n - 1n, 8n ** 11n].flatMap((seconds) =>
      nanoseconds.map((fraction): Partial<TarEntry> => ({ mtime: { seconds, nanoseconds: fraction } })),
    );
    const edges: readonly Partial<TarEntry>[] = [
      ...[100, 101].flatMap((length) => {
        const name = Buffer.from("n".repeat(length));
        return [{ path: name }, { type: "symlink" as const, link: name }];
      }),
      ...[0o7777777, 0o10000000].flatMap((id) => [{ uid: id }, { gid: id }]),
      { xattrs: [{ name: "user.a", value: Buffer.from("b") }] },
    ];
    for (const fields of [...times, ...edges, ...edges.map((edge) => ({ ...times[1], ...edge }))]) {
      const written = await collect(writeTar(members(fields)));
      assert.ok(
        written.equals(Buffer.concat([encodeHeader(entry(fields)), endOfArchive])),
        JSON.stringify(fields, text),
      );
      const { mtime } = await roundTrip(fields);
      if (fields.mtime !== undefined) assert.deepEqual(mtime, fields.mtime);
    }
  });
  it("does not depend on how bodies arrive", async () => {
    const text = "x".repeat(700_000);
    async function* other(): AsyncGenerator<TarMember> {
      yield { ...entry({ size: text.length }), body: chunks(Buffer.from(text), 77_777) };
    }
    assert.ok((await collect(writeTar(members({ text })))).equals(await collect(writeTar(other()))));
  });
  it("refuses a body that is not of its size", async () => {
    for (const size of [2, 4]) {
      await assert.rejects(collect(writeTar(members({ text: "abc", size }))), fails("INTERNAL", /announced/));
    }
  });
  it("an archive of nothing is its end", async () => {
    assert.deepEqual(await collect(writeTar(members())), endOfArchive);
  });

  const sample = [
    { path: Buffer.from("d"), type: "directory", mode: 0o750 } as const,
    {
      path: Buffer.from(`d/${"n".repeat(200)}`),
      text: "content",
      uid: 3_000_000,
      mtime: { seconds: 5n, nanoseconds: 5 },
    },
    { path: Buffer.from("l"), type: "symlink", link: Buffer.from("t".repeat(200)) } as const,
  ];
  it("GNU tar lists it", async () => {
    const { stdout, stderr, status } = spawnSync("tar", ["-tvf", "-", "--numeric-owner", "--utc"], {
      input: await collect(writeTar(members(...sample))),
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(/ +/g, " ")),
      [
        "drwxr-x--- 0/0 0 1970-01-01 00:00 d",
        `-rw-r--r-- 3000000/0 7 1970-01-01 00:00 d/${"n".repeat(200)}`,
        `lrw-r--r-- 0/0 0 1970-01-01 00:00 l -> ${"t".repeat(200)}`,
      ],
    );
  });
  it("tar-stream reads it", async () => {
    const reader = extract();
    reader.end(await collect(writeTar(members(...sample))));
    const names: string[] = [];
    for await (const item of reader) {
      names.push(item.header.name);
      item.resume();
    }
    assert.deepEqual(
      names,
      sample.map(({ path }) => pathKey(path)),
    );
  });
});
