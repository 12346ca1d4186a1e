import assert from "node:assert/strict";
import { readFile, rm, utimes, writeFile } from "node:fs/promises";
import { describe, it, type TestContext } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import {
  findImage,
  lastUsed,
  listRecords,
  readArchiveBlob,
  readManifest,
  readRecord,
  readSignature,
  resolveImageId,
  touchImage,
} from "../../src/store/images.ts";
import { blobPath, openStore, recordPath, type Store } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, importImage } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));

async function drain(source: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of source) size += chunk.length;
  return size;
}

describe("the index", () => {
  it("answers by ID, by prefix and by name", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web", version: "1.0" });
    assert.equal((await readRecord(store, id))?.name, "example.com/web");
    assert.equal(await readRecord(store, fakeId("none")), undefined);
    assert.equal(await resolveImageId(store, id.slice(0, 15)), id);
    assert.equal((await findImage(store, "example.com/web", [{ name: "version", value: "1.0" }]))?.id, id);
    assert.equal(JSON.parse((await readManifest(store, id)).toString()).name, "example.com/web");
    assert.deepEqual(
      (await listRecords(store)).map((record) => record.id),
      [id],
    );
  });

  it("says which record it leaves out", async (t) => {
    const store = await newStore(t);
    await writeFile(recordPath(store, fakeId("torn")), "{");
    const warnings: string[] = [];
    await listRecords(store, { ...silentLog, warn: (text) => warnings.push(text) });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", new RegExp(fakeId("torn")));
  });
});

describe("the stored archive", () => {
  it("T-D14: is hashed while it is read; one flipped bit is DIGEST_MISMATCH", async (t) => {
    const store = await newStore(t);
    const record = await importImage(store, { name: "example.com/web" });
    assert.equal(await drain(readArchiveBlob(store, record)), record.archive.size);
    const path = blobPath(store, record.archive.sha512);
    const bytes = await readFile(path);
    bytes[3] = (bytes[3] ?? 0) ^ 0x10;
    await writeFile(path, bytes);
    await assert.rejects(drain(readArchiveBlob(store, record)), fails("DIGEST_MISMATCH", /example\.com\/web/));
    await writeFile(path, Buffer.concat([bytes, Buffer.from("x")]));
    await assert.rejects(drain(readArchiveBlob(store, record)), fails("DIGEST_MISMATCH", /longer/));
  });

  it("is NOT_FOUND when it is gone", async (t) => {
    const store = await newStore(t);
    const record = await importImage(store, { name: "example.com/web" });
    await rm(blobPath(store, record.archive.sha512));
    await assert.rejects(drain(readArchiveBlob(store, record)), fails("NOT_FOUND", /archive of example\.com\/web/));
  });

  it("has a signature only when it was signed", async (t) => {
    const store = await newStore(t);
    const signed = await importImage(store, { name: "example.com/signed", signature: Buffer.from("s") });
    const unsigned = await importImage(store, { name: "example.com/unsigned" });
    assert.equal((await readSignature(store, signed))?.toString(), "s");
    assert.equal(await readSignature(store, unsigned), undefined);
  });
});

describe("the time of the last use", () => {
  it("begins with the import and moves on with every use", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    const old = new Date("2020-01-01T00:00:00Z");
    await utimes(recordPath(store, id), old, old);
    assert.deepEqual(await lastUsed(store, id), old);
    touchImage(store, id);
    assert.ok(Date.now() - ((await lastUsed(store, id))?.getTime() ?? 0) < 60_000);
    assert.ok((await readRecord(store, id)) !== undefined);
  });

  it("is none for an image that is gone, and noting its use is no error", async (t) => {
    const store = await newStore(t);
    touchImage(store, fakeId("none"));
    assert.equal(await lastUsed(store, fakeId("none")), undefined);
  });
});
