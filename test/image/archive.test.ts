/** The verdicts on archives are vectors (spec/vectors/tar); here is the pass itself. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { peekManifest, readArchive } from "../../src/image/archive.ts";
import { showPath } from "../../src/tar/entry.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect, minimalManifest, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";

const files: readonly RawMember[] = [
  { name: "rootfs/a", body: "abc" },
  { name: "rootfs/b", body: { repeat: "b", count: 5000 } },
];
const tar = tarBytes({ members: files });
const id = `sha512-${createHash("sha512").update(tar).digest("hex")}`;

describe("readArchive", () => {
  it("gives the facts of the image", async () => {
    const summary = await readArchive(chunks(tar));
    assert.equal(summary.id, id);
    assert.equal(summary.manifest.name, "example.com/a");
    assert.equal(String(summary.manifestBytes), minimalManifest);
    assert.equal(summary.compression, "none");
    assert.deepEqual([summary.tarSize, summary.entries, summary.fileBytes], [tar.length, 3, 5003]);
  });
  it("ACI-11, A12: one ID, however it is compressed", async () => {
    const half = tar.length >> 1;
    const archives = [
      tar,
      gzipSync(tar, { level: 1 }),
      gzipSync(tar, { level: 9 }),
      Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
    ];
    for (const archive of archives) assert.equal((await readArchive(chunks(archive))).id, id);
  });
  it("ACI-11: bytes after the end marker count", async () => {
    assert.notEqual((await readArchive(chunks(tarBytes({ members: files, end: 3 })))).id, id);
  });
  it("hands the members below rootfs to the visitor, in order", async () => {
    const seen: string[] = [];
    await readArchive(chunks(tar), async (members) => {
      for await (const { path, body } of members) seen.push(`${showPath(path)} ${(await collect(body)).length}`);
    });
    assert.deepEqual(seen, [". 0", "a 3", "b 5000"]);
  });
  it("reads on to the end when the visitor stops early", async () => {
    const summary = await readArchive(chunks(tar), async (members) => {
      for await (const _ of members) break;
    });
    assert.deepEqual([summary.id, summary.entries], [id, 3]);
  });
  it("a damage behind what the visitor saw is found", async () => {
    const damaged = tarBytes({ members: files, after: "hidden" });
    await assert.rejects(readArchive(chunks(damaged)), fails("ARCHIVE_INVALID"));
  });
  it("a damaged archive is reported as that, whatever the visitor made of it", async () => {
    const visit = async (members: AsyncIterable<unknown>) => {
      try {
        for await (const _ of members);
      } catch {
        throw new Error("my input broke");
      }
    };
    const damaged = tarBytes({ members: files, end: 0 });
    await assert.rejects(readArchive(chunks(damaged), visit), fails("ARCHIVE_INVALID", /end marker/));
  });
  it("a failure of the visitor is its own, and closes the source", async () => {
    let isClosed = false;
    async function* source() {
      try {
        yield* chunks(tar, 512);
      } finally {
        isClosed = true;
      }
    }
    const visit = () => Promise.reject(new Error("no room"));
    await assert.rejects(readArchive(source(), visit), /no room/);
    assert.ok(isClosed);
  });
  it("is interrupted by its signal", async () => {
    const controller = new AbortController();
    async function* source() {
      yield tar.subarray(0, 1024);
      controller.abort();
      yield tar.subarray(1024);
    }
    await assert.rejects(readArchive(source(), undefined, { signal: controller.signal }), fails("INTERRUPTED"));
  });
  it("ACI-20, A06: the manifest's schema is part of the image", async () => {
    const wrong = (body: string) =>
      tarBytes({
        members: [
          { name: "manifest", body },
          { name: "rootfs", type: "5" },
        ],
        bare: true,
      });
    await assert.rejects(readArchive(chunks(wrong("{}"))), fails("MANIFEST_INVALID", /^manifest /));
    await assert.rejects(readArchive(chunks(wrong("\ufeff{}"))), fails("JSON_INVALID"));
    await assert.rejects(readArchive(chunks(wrong('{"a":1,"a":2}'))), fails("JSON_INVALID", /twice/));
  });
  it("ACI-6: an encrypted image is no archive, as bytes and as text", async () => {
    const encrypted = Buffer.from("8c0d040903020102030405060708ffd2ff01", "hex");
    const text = Buffer.from("-----BEGIN PGP MESSAGE-----\n\njA0ECQMC\n-----END PGP MESSAGE-----\n");
    for (const bytes of [Buffer.concat([encrypted, Buffer.alloc(2000, 0x5a)]), encrypted, text]) {
      await assert.rejects(readArchive(chunks(bytes, 512)), fails("ARCHIVE_INVALID"));
    }
  });
  it("A13: gzip inside of gzip is no image", async () => {
    await assert.rejects(readArchive(chunks(gzipSync(gzipSync(tar)))), fails("ARCHIVE_INVALID"));
  });
});

describe("peekManifest", () => {
  it("stops at the manifest", async () => {
    async function* source() {
      yield tar.subarray(0, 1024);
      throw new Error("read too far");
    }
    const { manifest, manifestBytes } = await peekManifest(source());
    assert.equal(manifest.name, "example.com/a");
    assert.equal(String(manifestBytes), minimalManifest);
  });
  it("A02: finds a manifest at the end, as actool puts it", async () => {
    const members: readonly RawMember[] = [
      { name: "rootfs", type: "5" },
      ...files,
      { name: "manifest", body: minimalManifest },
    ];
    assert.equal(
      (await peekManifest(chunks(gzipSync(tarBytes({ members, bare: true }))))).manifest.name,
      "example.com/a",
    );
  });
  it("A01, A04: refuses what readArchive would", async () => {
    const archive = (...members: readonly RawMember[]) => chunks(tarBytes({ members, bare: true }));
    await assert.rejects(peekManifest(archive({ name: "rootfs", type: "5" })), fails("IMAGE_INVALID", /no manifest/));
    await assert.rejects(
      peekManifest(archive({ name: "manifest", type: "2", link: "/etc/shadow" })),
      fails("IMAGE_INVALID"),
    );
  });
});
