/** The verdicts on hostile archives are vectors (spec/vectors/tar); here is what a consumer may rely on, and other writers as oracles. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { link, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { pack } from "tar-stream";
import type { TarMember } from "../../src/tar/entry.ts";
import { readTar } from "../../src/tar/read.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";
import { makeTemporary } from "../helpers/temporary.ts";

const bare = (...members: readonly RawMember[]): Buffer => tarBytes({ members, bare: true });

async function paths(archive: Uint8Array): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path } of readTar(chunks(archive))) found.push(String(path));
  return found;
}

describe("readTar: where an entry stands", () => {
  it("spans all its headers, content and filling, behind global headers", async () => {
    const members: readonly RawMember[] = [
      { name: "a", body: "x" },
      {
        name: "b",
        global: [["mtime", "1"]],
        pax: [["comment", "c"]],
        longName: "n".repeat(200),
        body: { repeat: "y", count: 600 },
      },
      { name: "c", global: [["mtime", "2"]], pax: [["comment", "c"]], lead: ["pax", "global"] },
    ];
    const spans: unknown[] = [];
    for await (const { span } of readTar(chunks(bare(...members), 700))) spans.push([span?.start, span?.end]);
    const [a, b] = [1024, 1024 + 1024 + 1024 + 1024 + 512 + 1024];
    assert.deepEqual(spans, [
      [0, a],
      [a + 1024, b],
      [undefined, b + 1024 + 1024 + 512],
    ]);
  });
});

describe("readTar: bodies", () => {
  const archive = bare({ name: "a", body: { repeat: "a", count: 1000 } }, { name: "b", body: "bb" });

  for (const size of [1, 100, 512, 100_000]) {
    it(`arrive whole, in chunks of ${size}`, async () => {
      const bodies: string[] = [];
      for await (const { body } of readTar(chunks(archive, size))) bodies.push(String(await collect(body)));
      assert.deepEqual(bodies, ["a".repeat(1000), "bb"]);
    });
  }
  it("are skipped when nobody reads them", async () => assert.deepEqual(await paths(archive), ["a", "b"]));
  it("are skipped when somebody stops in the middle", async () => {
    const found: string[] = [];
    for await (const { path, body } of readTar(chunks(archive, 100))) {
      found.push(String(path));
      for await (const _ of body) break;
    }
    assert.deepEqual(found, ["a", "b"]);
  });
  it("are empty once the next entry was asked for", async () => {
    const members: TarMember[] = [];
    for await (const member of readTar(chunks(archive))) members.push(member);
    assert.equal((await collect(members[0]?.body ?? chunks(Buffer.from("x")))).length, 0);
  });
  it("leaving the loop closes the source", async () => {
    let isClosed = false;
    async function* source() {
      try {
        yield archive;
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of readTar(source())) break;
    assert.ok(isClosed);
  });
  it("a failure of the source is the reader's", async () => {
    async function* source() {
      yield archive.subarray(0, 700);
      throw new Error("the line is dead");
    }
    await assert.rejects(async () => {
      for await (const _ of readTar(source()));
    }, /the line is dead/);
  });
});

describe("readTar: many entries", () => {
  it("F13: 100 000 empty files", async () => {
    async function* source() {
      const piece = Array.from({ length: 1000 }, (_, index) => ({ name: `directory/file-${index}` }));
      const block = bare(...piece).subarray(0, -1024);
      for (let i = 0; i < 100; i++) yield block;
      yield Buffer.alloc(1024);
    }
    let count = 0;
    for await (const _ of readTar(source())) count++;
    assert.equal(count, 100_000);
  });
  it("N26: 10 000 stacked headers", async () => {
    const stacked = Array.from({ length: 10_000 }, () => ({ name: "meta", type: "x", body: "13 comment=x\n" }));
    await assert.rejects(paths(bare(...stacked, { name: "a" })), fails("ARCHIVE_INVALID"));
  });
});

describe("readTar: Z05, what is no archive is named so", () => {
  for (const [what, bytes] of [
    ["text", Buffer.from("#!/bin/sh\n".repeat(100))],
    ["random-looking bytes", Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251))],
    ["a few bytes", Buffer.from("tar")],
  ] as const) {
    it(what, () => assert.rejects(paths(bytes), fails("ARCHIVE_INVALID")));
  }
});

describe("readTar: what other programs write", () => {
  const longName = `${"n".repeat(120)}/${"m".repeat(130)}`;
  let tree: Awaited<ReturnType<typeof makeTemporary>>;

  before(async () => {
    tree = await makeTemporary();
    await mkdir(join(tree.path, "n".repeat(120)));
    await writeFile(join(tree.path, longName), "long");
    await writeFile(join(tree.path, "a"), "a".repeat(700));
    await link(join(tree.path, "a"), join(tree.path, "b"));
    await symlink("t".repeat(150), join(tree.path, "s"));
  });
  after(() => tree.remove());

  for (const format of ["gnu", "posix", "ustar"]) {
    it(`GNU tar, format ${format}`, async () => {
      const names = format === "ustar" ? ["a", "b"] : ["."];
      const { stdout, status } = spawnSync("tar", ["-cf", "-", `--format=${format}`, "--sort=name", ...names], {
        cwd: tree.path,
        maxBuffer: 1 << 24,
      });
      assert.equal(status, 0);
      const found: string[] = [];
      for await (const member of readTar(chunks(stdout))) {
        found.push(
          [member.type, String(member.path), String(member.link), (await collect(member.body)).length].join(" "),
        );
      }
      const links = ["file a  700", "hardlink b a 0"];
      const all = ["directory .  0", ...links, `directory ${"n".repeat(120)}  0`, `file ${longName}  4`];
      assert.deepEqual(found, format === "ustar" ? links : [...all, `symlink s ${"t".repeat(150)} 0`]);
    });
  }

  it("tar-stream, with PAX for what is long", async () => {
    const writer = pack();
    writer.entry({ name: longName, mtime: new Date(5000) }, "body");
    writer.entry({ name: "dir", type: "directory", mode: 0o750 });
    writer.finalize();
    assert.deepEqual(await paths(await buffer(writer)), [longName, "dir"]);
  });
});
