import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { publishImages } from "../../src/api/publish.ts";
import { publishSources } from "../../src/api/publish-sources.ts";
import type { Settings } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";
import { readArchiveBlob } from "../../src/store/images.ts";
import { blobPath, openStore, type Store, signaturePath } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import type { StoredRecord } from "../../src/store/records.ts";
import { importReal, makeImage } from "../helpers/images.ts";
import { craft, failure, type MadeKey, makeKey, now, settingsIn, temporary, trust } from "../helpers/trust.ts";

const path = temporary();
let key: MadeKey;
let settings: Settings;
let store: Store;
let record: StoredRecord;
const heard: string[] = [];

before(async () => {
  key = await makeKey();
  settings = settingsIn(path(), { log: { ...silentLog, warn: (message) => void heard.push(message) } });
  store = await openStore(path("data"));
  const labels = [
    { name: "os", value: "linux" },
    { name: "arch", value: "amd64" },
  ];
  const image = await makeImage({ name: "example.com/web", version: "1.0.0", labels }, [
    { path: "hello", content: "hello" },
  ]);
  const archive = Buffer.from(image.archive ?? "");
  const signature = await craft(key, archive);
  const { fingerprint, digest: keyDigest } = await trust(settings.directories.userConfig, key);
  const signers = [{ fingerprint, keyDigest, signedAt: now.toISOString() }];
  const { id } = await importReal(store, { ...image, signature, signers });
  record = readRecordSync(store, id) ?? assert.fail();
});

const publish = (images: readonly string[], out = "site") =>
  publishImages(settings, { images, out: path(out), url: "https://example.com", now });
const file = "example.com/web-1.0.0-linux-amd64.aci";

describe("publishing what is stored (SITE-8)", () => {
  it("by name, by labels and by ID: the archive and its signature as they were fetched, and the key that vouched", async () => {
    const references = ["example.com/web", "example.com/web:1.0.0,arch=amd64", record.id.slice(0, 20)];
    for (const [index, reference] of references.entries()) {
      heard.length = 0;
      const site = await publish([reference], `site${index}`);
      assert.deepEqual(
        site.images.map(({ name, isSigned }) => [name, isSigned]),
        [["example.com/web", true]],
      );
      const { sha512 } = record.archive;
      assert.ok(readFileSync(path(`site${index}`, file)).equals(readFileSync(blobPath(store, sha512))));
      assert.ok(readFileSync(path(`site${index}`, `${file}.asc`)).equals(readFileSync(signaturePath(store, sha512))));
      assert.ok(readFileSync(path(`site${index}`, "keys", `${key.fingerprint}.asc`)).length > 0);
      assert.deepEqual(heard, [], "the key is at hand: it is trusted");
      assert.equal((await publish([reference], `site${index}`)).images[0]?.change, "unchanged");
    }
  });

  it("a file or directory that is there comes first; what is neither there nor stored is not found", async () => {
    mkdirSync(path("images"));
    writeFileSync(path("images", "a.aci"), await bytesOf(readArchiveBlob(store, record)));
    const sources = await publishSources(settings, path("images"));
    assert.deepEqual(
      sources.map((source) => source.path),
      [path("images", "a.aci")],
    );
    await assert.rejects(publish(["example.com/none"]), failure("NOT_FOUND", /no stored image/));
    await assert.rejects(publish([path("none.aci")]), failure("NOT_FOUND", /not there/));
    await assert.rejects(publish([path("none/")]), failure("NOT_FOUND", /not there/));
    await assert.rejects(
      publish(["https://example.com/web.aci"]),
      failure("USAGE", /not what a stored image is called/),
    );
    await assert.rejects(publish(["sha512-00000000"]), failure("NOT_FOUND", /no stored image/));
  });

  it("T-D14: a stored archive that has rotted is not published, and nothing is written", async () => {
    const blob = blobPath(store, record.archive.sha512);
    const whole = readFileSync(blob);
    const rotten = Buffer.from(whole);
    rotten.write("j", rotten.lastIndexOf("hello"));
    writeFileSync(blob, rotten);
    // Without the signature nothing but the store's own digest tells.
    const signature = readFileSync(`${blob}.asc`);
    rmSync(`${blob}.asc`);
    await assert.rejects(publish(["example.com/web"], "rotten"), failure("DIGEST_MISMATCH", /./));
    assert.throws(() => readFileSync(path("rotten", "site.json")), /ENOENT/);
    writeFileSync(blob, whole);
    writeFileSync(`${blob}.asc`, signature);
  });
});

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
