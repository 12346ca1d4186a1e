import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beginImport } from "../../src/store/blobs.ts";
import { lockStore, sweepStore } from "../../src/store/gc.ts";
import { readArchiveBlob, readSignature } from "../../src/store/images.ts";
import { blobPath, openStore, type Store, stagingOf, treePath } from "../../src/store/layout.ts";
import { listRecordsSync, readManifestSync, readRecordSync } from "../../src/store/lookup.ts";
import { findTree } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { describeImage, importImage, sha512 } from "../helpers/images.ts";
import { assertSound, contentOf } from "../helpers/store-check.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const victim = join(dirname(fileURLToPath(import.meta.url)), "..", "helpers", "import-victim.js");
const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));

async function sweep(store: Store): Promise<void> {
  const lock = await lockStore(store, "exclusive");
  try {
    await sweepStore(store, new Set());
  } finally {
    lock.release();
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("an import", () => {
  it("keeps archive, signature, manifest bytes and tree, and nothing else", async (t) => {
    const store = await newStore(t);
    const image = { name: "example.com/web", version: "1.0", signature: Buffer.from("-----BEGIN…") };
    const { manifest, archive } = describeImage(image);
    const record = await importImage(store, image);
    assert.deepEqual(await collect(readArchiveBlob(store, record)), archive);
    assert.deepEqual(await readSignature(store, record), image.signature);
    assert.deepEqual(readManifestSync(store, record.id), manifest);
    assert.deepEqual(await readdir(treePath(store, record.id)), ["manifest.ok", "rootfs"]);
    assert.ok(Math.abs(Date.parse(record.importedAt) - Date.now()) < 60_000);
    await assertSound(store);
    assert.deepEqual(
      (await contentOf(store)).filter((path) => /^(staging|trash)\//.test(path)),
      [],
    );
  });

  it("T-R50: keeps everything for the owner alone", async (t) => {
    const store = await newStore(t);
    const before = process.umask(0);
    try {
      const record = await importImage(store, { name: "example.com/web", signature: Buffer.from("s") });
      const blob = blobPath(store, record.archive.sha512);
      for (const path of [blob, `${blob}.asc`, treePath(store, record.id), dirname(blob)]) {
        assert.equal((await stat(path)).mode & 0o077, 0, path);
      }
    } finally {
      process.umask(before);
    }
  });

  it("makes no tree of an image that is more than its own files", async (t) => {
    const store = await newStore(t);
    const above = await importImage(store, { name: "example.com/a", dependencies: [{ imageName: "example.com/b" }] });
    const filtered = await importImage(store, { name: "example.com/f", whitelist: ["/hello"] });
    assert.equal(findTree(store, above.id), undefined);
    assert.equal(findTree(store, filtered.id), undefined);
    assert.deepEqual(await readdir(stagingOf(store)), []);
  });

  it("leaves nothing when it is abandoned", async (t) => {
    const store = await newStore(t);
    const before = await contentOf(store);
    const staging = await beginImport(store);
    await staging.archive.writeFile("half");
    await writeFile(join(staging.rootfs, "file"), "x");
    await staging.abandon();
    await staging.abandon();
    assert.deepEqual(await contentOf(store), before);
  });

  it("refuses an archive that is not as long as it was when it was verified", async (t) => {
    const store = await newStore(t);
    const { record, manifest, archive } = describeImage({ name: "example.com/web" });
    const staging = await beginImport(store);
    await staging.archive.writeFile(Buffer.concat([archive, Buffer.from("more")]));
    await assert.rejects(staging.commit(record, { manifest }), fails("DIGEST_MISMATCH", /bytes/));
    await staging.abandon();
    assert.deepEqual(listRecordsSync(store), []);
  });

  it("replaces a blob that has another length than its name promises", async (t) => {
    const store = await newStore(t);
    const { record, archive } = describeImage({ name: "example.com/web" });
    await mkdir(dirname(blobPath(store, record.archive.sha512)));
    await writeFile(blobPath(store, record.archive.sha512), "rotten");
    const stored = await importImage(store, { name: "example.com/web" });
    assert.deepEqual(await collect(readArchiveBlob(store, stored)), archive);
  });
});

describe("a second import (A15)", () => {
  it("is success, keeps the first one's blob and tree, and leaves nothing behind", async (t) => {
    const store = await newStore(t);
    const first = await importImage(store, { name: "example.com/web" });
    const inodeOf = async (path: string): Promise<number> => (await stat(path)).ino;
    const blob = await inodeOf(blobPath(store, first.archive.sha512));
    const tree = await inodeOf(treePath(store, first.id));
    const content = await contentOf(store);
    await importImage(store, { name: "example.com/web" });
    assert.equal(await inodeOf(blobPath(store, first.archive.sha512)), blob);
    assert.equal(await inodeOf(treePath(store, first.id)), tree);
    assert.deepEqual(await contentOf(store), content);
  });

  it("without a signature takes nothing from a signed image", async (t) => {
    const store = await newStore(t);
    const signers = [{ fingerprint: "aa", keyDigest: sha512("key"), signedAt: "2026-01-01T00:00:00Z" }];
    const signed = await importImage(store, { name: "example.com/web", signers, signature: Buffer.from("good") });
    const packed = Buffer.from("the same tar, packed in another way");
    await importImage(store, { name: "example.com/web", archive: packed });
    assert.deepEqual(readRecordSync(store, signed.id)?.signers, signers);
    assert.equal(readRecordSync(store, signed.id)?.archive.sha512, signed.archive.sha512);
    assert.equal((await readSignature(store, signed))?.toString(), "good");
    assert.equal(existsSync(blobPath(store, sha512(packed))), false);
    await assertSound(store);
  });

  it("T-C01: many at once all succeed, with one blob and one tree", async (t) => {
    const store = await newStore(t);
    const image = { name: "example.com/web", signature: Buffer.from("s") };
    const stored = await Promise.all(Array.from({ length: 20 }, () => importImage(store, image)));
    assert.equal(new Set(stored.map((record) => record.id)).size, 1);
    const alone = await newStore(t);
    await importImage(alone, image);
    assert.deepEqual(await contentOf(store), await contentOf(alone));
    await assertSound(store);
  });

  it("A15: processes at once all succeed", async (t) => {
    const data = await temporaryDirectory(t);
    const run = promisify(execFile);
    await Promise.all(Array.from({ length: 3 }, () => run(process.execPath, [victim, data, "example.com/web", "0"])));
    const store = await openStore(data);
    assert.equal(listRecordsSync(store).length, 1);
    assert.deepEqual(await readdir(stagingOf(store)), []);
    await assertSound(store);
  });
});

describe("an import that is killed", () => {
  it("T-K01: at any step leaves a sound store, and can be repeated (I1, I2, I3, I6, I8)", async (t) => {
    const reference = await temporaryDirectory(t);
    const steps = Number(
      execFileSync(process.execPath, [victim, reference, "example.com/web", "0"], { encoding: "utf8" }),
    );
    assert.ok(steps >= 12, `only ${steps} steps`);
    const expected = await contentOf(await openStore(reference));
    for (let step = 1; step <= steps; step += 1) {
      const data = await temporaryDirectory(t);
      const killed = spawnSync(process.execPath, [victim, data, "example.com/web", String(step)]);
      assert.equal(killed.signal, "SIGKILL", `step ${step}`);
      const store = await openStore(data);
      await assertSound(store);
      await sweep(store);
      await assertSound(store);
      const [listed] = listRecordsSync(store);
      if (listed === undefined) {
        // I6: nothing of it takes space any more.
        assert.deepEqual(
          (await contentOf(store)).filter(
            (path) =>
              !/^(blobs|blobs\/sha512(\/..)?|index|lock|manifests|staging|trash|trees|turns|version)$/.test(path),
          ),
          [],
          `step ${step}`,
        );
      }
      await importImage(store, { name: "example.com/web", signature: Buffer.from("signature") });
      assert.deepEqual(await contentOf(store), expected, `step ${step}`);
      assert.equal(
        await readFile(join(treePath(store, listRecordsSync(store)[0]?.id ?? ""), "rootfs", "hello"), "utf8"),
        "hello from example.com/web\n",
      );
    }
  });

  it("T-K01: at any step of a second import leaves the first one whole", async (t) => {
    const data = await temporaryDirectory(t);
    const store = await openStore(data);
    await importImage(store, { name: "example.com/web", signature: Buffer.from("signature") });
    const expected = await contentOf(store);
    const steps = Number(execFileSync(process.execPath, [victim, data, "example.com/web", "0"], { encoding: "utf8" }));
    for (let step = 1; step <= steps; step += 1) {
      const killed = spawnSync(process.execPath, [victim, data, "example.com/web", String(step)]);
      assert.equal(killed.signal, "SIGKILL", `step ${step}`);
      assert.equal(listRecordsSync(store).length, 1);
      await assertSound(store);
      await sweep(store);
      assert.deepEqual(await contentOf(store), expected, `step ${step}`);
    }
  });
});
