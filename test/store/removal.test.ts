import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { describe, it, type TestContext } from "node:test";
import { blobPath, openStore, recordPath, type Store, trashOf, treePath } from "../../src/store/layout.ts";
import { listRecordsSync } from "../../src/store/lookup.ts";
import { openRemoval, removeImage } from "../../src/store/removal.ts";
import { emptyTrash } from "../../src/store/staging.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, importImage } from "../helpers/images.ts";
import { assertSound, contentOf, isThere, partsOf } from "../helpers/store-check.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));
const nobody = new Map<string, readonly string[]>();
const withoutShelves = (paths: readonly string[]) => paths.filter((path) => !/^blobs\/sha512\/..$/.test(path));

describe("removeImage", () => {
  it("leaves nothing of the image (I6), and the others whole", async (t) => {
    const store = await newStore(t);
    await importImage(store, { name: "example.com/kept", signature: Buffer.from("s") });
    const before = await contentOf(store);
    const gone = await importImage(store, { name: "example.com/gone", signature: Buffer.from("s") });
    await removeImage(store, gone.id, nobody);
    assert.deepEqual(
      listRecordsSync(store).map((record) => record.name),
      ["example.com/kept"],
    );
    await emptyTrash(store);
    assert.deepEqual(withoutShelves(await contentOf(store)), withoutShelves(before));
    await assertSound(store);
  });

  it("keeps an archive that another image has too", async (t) => {
    const store = await newStore(t);
    const archive = Buffer.from("one archive");
    const one = await importImage(store, { name: "example.com/one", archive });
    const two = await importImage(store, { name: "example.com/two", archive });
    await removeImage(store, one.id, nobody);
    assert.equal(await isThere(partsOf(store, two).blob), true);
    await removeImage(store, two.id, nobody);
    assert.equal(await isThere(partsOf(store, two).blob), false);
  });

  it("refuses while a pod uses its tree, names the pods and changes nothing", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    const before = await contentOf(store);
    const users = new Map([[id as string, ["6f3a0000-aaaa", "7b1c0000-bbbb"]]]);
    await assert.rejects(
      removeImage(store, id, users),
      fails("LOCKED", /example\.com\/web.*pods 6f3a0000-aaaa 7b1c0000-bbbb/, { hint: /perigee rm/ }),
    );
    assert.deepEqual(await contentOf(store), before);
  });

  it("refuses while a pod uses a tree that is made of it and its dependencies", async (t) => {
    const store = await newStore(t);
    await importImage(store, { name: "example.com/base" });
    const above = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: "example.com/base" }],
    });
    const { treeIdOf } = await import("../../src/store/trees.ts");
    const users = new Map([[await treeIdOf(store, above.id), ["6f3a0000-aaaa"]]]);
    await assert.rejects(removeImage(store, above.id, users), fails("LOCKED", /pod 6f3a0000-aaaa/));
  });

  it("removes an image whose dependencies are gone, and one whose record is broken", async (t) => {
    const store = await newStore(t);
    const above = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: "example.com/none" }],
    });
    await removeImage(store, above.id, nobody);
    const broken = await importImage(store, { name: "example.com/broken" });
    await writeFile(recordPath(store, broken.id), "torn");
    await removeImage(store, broken.id, nobody);
    assert.deepEqual(await readdir(treePath(store, "")), []);
    assert.equal(await isThere(recordPath(store, broken.id)), false);
    assert.ok((await readdir(trashOf(store))).length > 0);
  });

  it("is NOT_FOUND for an image that is not stored", async (t) => {
    await assert.rejects(removeImage(await newStore(t), fakeId("none"), nobody), fails("NOT_FOUND"));
  });

  it("several with one archive: it goes with the last, and what depended on a removed one can still be removed", async (t) => {
    const store = await newStore(t);
    const archive = Buffer.from("the same bytes");
    const one = await importImage(store, { name: "example.com/one", archive });
    const two = await importImage(store, {
      name: "example.com/two",
      archive,
      dependencies: [{ imageName: "example.com/one" }],
    });
    assert.equal(one.archive.sha512, two.archive.sha512);
    const removal = openRemoval(store, nobody);
    await removal.remove(one.id);
    assert.ok(await isThere(blobPath(store, one.archive.sha512)));
    assert.deepEqual(
      removal.records().map(({ name }) => name),
      ["example.com/two"],
    );
    await assert.rejects(removal.remove(one.id), fails("NOT_FOUND"));
    await removal.remove(two.id);
    assert.ok(!(await isThere(blobPath(store, one.archive.sha512))));
  });
});
