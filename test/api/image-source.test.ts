import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { findImageSource, findStoredImage } from "../../src/api/image-source.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { blobPath, openStore } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { importReal, makeImage } from "../helpers/images.ts";
import { collect } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function setUp(t: TestContext) {
  const home = await temporaryDirectory(t);
  const data = join(home, "data");
  const store = await openStore(data);
  const image = await makeImage({ name: "example.com/web", version: "1" }, []);
  const { id, archive } = await importReal(store, image);
  const file = join(home, "web.aci");
  await writeFile(file, image.archive ?? "");
  return { settings: await loadSettings({ dir: data }), store, id, archive, file, bytes: image.archive };
}

describe("findImageSource", () => {
  it("finds one image by ID, prefix, name, version and file, with its bytes", async (t) => {
    const { settings, store, id, archive, file, bytes } = await setUp(t);
    for (const text of [
      id,
      id.slice(0, 15),
      "example.com/web",
      "example.com/web:1",
      "example.com/web,version=1",
      file,
    ]) {
      const source = await findImageSource(settings, text);
      assert.equal(source.kind, text === file ? "file" : "stored");
      assert.equal(source.path, text === file ? file : blobPath(store, archive.sha512));
      assert.deepEqual(await collect(source.open()), bytes);
    }
  });

  it("is NOT_FOUND or USAGE for everything else, also when it is read late", async (t) => {
    const { settings, store, archive } = await setUp(t);
    await assert.rejects(findImageSource(settings, "example.com/none"), fails("NOT_FOUND"));
    await assert.rejects(findImageSource(settings, "example.com/web:2"), fails("NOT_FOUND"));
    await assert.rejects(findImageSource(settings, "https://example.com/web.aci"), fails("USAGE"));
    await assert.rejects(collect((await findImageSource(settings, "./none.aci")).open()), fails("NOT_FOUND"));
    const source = await findImageSource(settings, "example.com/web");
    await writeFile(blobPath(store, archive.sha512), "other bytes");
    await assert.rejects(collect(source.open()), fails("DIGEST_MISMATCH", /example\.com\/web/));
  });
});

describe("findStoredImage", () => {
  it("takes no file", async (t) => {
    const { settings, id, file } = await setUp(t);
    assert.equal((await findStoredImage(settings, "example.com/web", String)).record.id, id);
    const instead = (path: string) => `cp ${path} there`;
    await assert.rejects(
      findStoredImage(settings, file, instead),
      fails("USAGE", /is a file/, {
        hint: /^cp \/.*web\.aci there; or perigee fetch \/.*web\.aci, and name the image$/,
      }),
    );
  });
});
