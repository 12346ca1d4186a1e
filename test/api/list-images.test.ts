import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listImages } from "../../src/api/list-images.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { openStore } from "../../src/store/layout.ts";
import { importReal, makeImage, sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("listImages", () => {
  it("tells of every image what it is, how large and by whom it is vouched for", async (t) => {
    const data = await temporaryDirectory(t);
    const [store, settings] = [await openStore(data), await loadSettings({ dir: data })];
    const signers = [{ fingerprint: "3c1a0dfd", keyDigest: sha512("key"), signedAt: "2026-01-01T00:00:00Z" }];
    const image = await makeImage({ name: "example.com/web", version: "1.0", signers }, [
      { path: "file", content: "web" },
    ]);
    const record = await importReal(store, image);
    await importReal(store, await makeImage({ name: "example.com/later" }, []));
    const [first, second, ...rest] = await listImages(settings);
    assert.deepEqual(rest, []);
    assert.equal(second?.signed, false);
    assert.deepEqual(
      { ...first, lastUsedAt: undefined, treeSize: undefined },
      {
        id: record.id,
        name: "example.com/web",
        labels: [{ name: "version", value: "1.0" }],
        size: (image.archive?.length ?? 0) + (first?.treeSize ?? 0),
        archiveSize: image.archive?.length,
        treeSize: undefined,
        importedAt: new Date(record.importedAt),
        lastUsedAt: undefined,
        signers: ["3c1a0dfd"],
        signed: true,
      },
    );
    assert.ok(Math.abs((first?.lastUsedAt.getTime() ?? 0) - Date.parse(record.importedAt)) < 60_000);
  });
});
