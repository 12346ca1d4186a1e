import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { silentLog } from "../../src/base/log.ts";
import { lockStore, sweepStore } from "../../src/store/gc.ts";
import { blobPath, manifestPath, openStore, recordPath, type Store } from "../../src/store/layout.ts";
import { listIdsSync, listRecordsSync, readManifestSync, readRecordSync } from "../../src/store/lookup.ts";
import { mendManifests } from "../../src/store/mend.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { importReal, makeImage, sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));
const files = [{ path: "hello", content: "hello" }];

async function sweep(store: Store): Promise<readonly string[]> {
  const warnings: string[] = [];
  const lock = await lockStore(store, "exclusive");
  try {
    await sweepStore(store, new Set(), { log: { ...silentLog, warn: (text) => warnings.push(text) } });
  } finally {
    lock.release();
  }
  return warnings;
}

describe("a broken index", () => {
  it("is mended from the archives; nobody vouches for the image until it is fetched again", async (t) => {
    const store = await newStore(t);
    const signers = [{ fingerprint: "aa", keyDigest: sha512("key"), signedAt: "2026-01-01T00:00:00Z" }];
    const image = await makeImage({ name: "example.com/web", version: "1.0", signers, latest: true }, files);
    const record = await importReal(store, image);
    const manifest = readManifestSync(store, record.id);
    await importReal(store, await makeImage({ name: "example.com/whole" }, files));
    await writeFile(recordPath(store, record.id), "torn");
    const warnings = await sweep(store);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /mended.*unsigned/);
    const mended = readRecordSync(store, record.id);
    assert.deepEqual(
      { ...mended, importedAt: "", source: "" },
      {
        ...record,
        importedAt: "",
        source: "",
        signers: [],
        latest: false,
      },
    );
    assert.deepEqual(readManifestSync(store, record.id), manifest);
    assert.equal(listRecordsSync(store).length, 2);
    assert.deepEqual(await sweep(store), []);
  });

  it("loses what has no archive any more, and says so", async (t) => {
    const store = await newStore(t);
    const record = await importReal(store, await makeImage({ name: "example.com/web" }, files));
    await writeFile(recordPath(store, record.id), "torn");
    await rm(blobPath(store, record.archive.sha512));
    assert.match((await sweep(store)).join(), /not there/);
    assert.deepEqual(listIdsSync(store), []);
  });

  it("does not bring back an image that was removed", async (t) => {
    const store = await newStore(t);
    const gone = await importReal(store, await makeImage({ name: "example.com/gone" }, files));
    const kept = await importReal(store, await makeImage({ name: "example.com/kept" }, files));
    await rm(recordPath(store, gone.id));
    await writeFile(recordPath(store, kept.id), "torn");
    await sweep(store);
    assert.deepEqual(listIdsSync(store), [kept.id]);
  });

  it("has its manifests made anew, and keeps what was vouched for", async (t) => {
    const store = await newStore(t);
    const signers = [{ fingerprint: "aa", keyDigest: sha512("key"), signedAt: "2026-01-01T00:00:00Z" }];
    const record = await importReal(store, await makeImage({ name: "example.com/web", signers }, files));
    const manifest = readManifestSync(store, record.id);
    for (const spoil of [rm, (path: string) => writeFile(path, "{}")]) {
      await spoil(manifestPath(store, record.id));
      assert.match((await sweep(store)).join(), /manifest of example\.com\/web was broken and is mended/);
      assert.deepEqual(readManifestSync(store, record.id), manifest);
      assert.deepEqual(readRecordSync(store, record.id)?.signers, signers);
    }
  });

  it("CHECK-3: has its manifest made anew also when its archive is above today's limits", async (t) => {
    const store = await newStore(t);
    const image = await makeImage({ name: "example.com/web" }, [{ path: "zeros", content: "0".repeat(65 * 2 ** 20) }]);
    const plain = await importReal(store, image);
    // As it would have come with a higher limit of `ratio`.
    const packed = gzipSync(readFileSync(blobPath(store, plain.archive.sha512)));
    const archive = { sha512: sha512(packed), size: packed.length };
    mkdirSync(dirname(blobPath(store, archive.sha512)), { recursive: true });
    await writeFile(blobPath(store, archive.sha512), packed);
    const { id } = plain;
    const record = readRecordSync(store, id);
    await writeFile(recordPath(store, id), encodeSelfChecking({ ...record, archive }));
    const manifest = readManifestSync(store, id);
    await rm(manifestPath(store, id));
    assert.equal(await mendManifests(store, listRecordsSync(store), silentLog, undefined), 1);
    assert.deepEqual(readManifestSync(store, id), manifest);
  });

  it("passes over an archive that is broken too", async (t) => {
    const store = await newStore(t);
    const record = await importReal(store, await makeImage({ name: "example.com/web" }, files));
    await writeFile(recordPath(store, record.id), "torn");
    await writeFile(blobPath(store, record.archive.sha512), "rotten");
    assert.equal((await sweep(store)).length, 2);
    assert.deepEqual(listIdsSync(store), []);
  });
});
