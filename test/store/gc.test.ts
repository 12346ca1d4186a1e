import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../../src/base/log.ts";
import { lockStore, type Swept, sweepStore } from "../../src/store/gc.ts";
import {
  blobPath,
  blobsOf,
  indexOf,
  manifestPath,
  openStore,
  recordPath,
  type Store,
  stagingOf,
  treePath,
} from "../../src/store/layout.ts";
import { readIndex } from "../../src/store/listing.ts";
import { listRecordsSync } from "../../src/store/lookup.ts";
import { treeIdOf } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, fillStore, importImage, sha512 } from "../helpers/images.ts";
import { assertSound, contentOf, isThere, partsOf } from "../helpers/store-check.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));

async function sweep(store: Store, roots: readonly string[] = []): Promise<Swept> {
  const lock = await lockStore(store, "exclusive");
  try {
    return await sweepStore(store, new Set(roots));
  } finally {
    lock.release();
  }
}

async function plantTree(store: Store, id: string): Promise<void> {
  await mkdir(join(treePath(store, id), "rootfs"), { recursive: true });
  await writeFile(join(treePath(store, id), "manifest.ok"), "");
}

describe("the trees of images with dependencies (LIST-6)", () => {
  it("LIST-6: are computed once, kept while the index is as it was, and computed anew when it changed", async (t) => {
    const store = await newStore(t);
    await fillStore(store, 40);
    await importImage(store, { name: "example.com/base" });
    const above = await importImage(store, {
      name: "example.com/above",
      dependencies: [{ imageName: "example.com/base" }],
    });
    const tree = await treeIdOf(store, above.id);
    // What changed within the last second is not taken for settled.
    await sleep(1100);
    const isKept = async (): Promise<boolean> => {
      await plantTree(store, tree);
      await plantTree(store, "deps-sha512-garbage");
      const swept = await sweep(store);
      assert.ok(swept.trees.includes("deps-sha512-garbage"));
      return !swept.trees.includes(tree);
    };
    assert.ok(await isKept());
    assert.deepEqual(readIndex(store).kept?.trees, [tree]);
    // In place, as a disk that rots does it: the sweep does not read it, `image verify` does.
    await writeFile(manifestPath(store, above.id), "rotten");
    assert.ok(await isKept());
    await importImage(store, { name: "example.com/base", version: "2" });
    await rm(manifestPath(store, above.id));
    assert.ok(!(await isKept()), "nobody knows any more what it depends on");
    assert.equal(readIndex(store).kept?.trees, undefined);
  });
});

describe("lockStore", () => {
  it("lets users in together, and whoever removes alone", async (t) => {
    const store = await newStore(t);
    const users = [await lockStore(store, "shared"), await lockStore(store, "shared")];
    const waiting: string[] = [];
    const log = { ...silentLog, info: (text: string) => waiting.push(text) };
    const sweeper = lockStore(store, "exclusive", { log });
    for (const user of users) user.release();
    (await sweeper).release();
    assert.deepEqual(waiting, ["waiting for other users of the store"]);
  });

  it("can be given up", async (t) => {
    const store = await newStore(t);
    const user = await lockStore(store, "shared");
    const abort = new AbortController();
    const waiting = lockStore(store, "exclusive", { signal: abort.signal });
    abort.abort();
    await assert.rejects(waiting, fails("INTERRUPTED"));
    user.release();
  });
});

describe("sweepStore", () => {
  it("changes nothing of a store whose images are whole", async (t) => {
    const store = await newStore(t);
    await importImage(store, { name: "example.com/web", signature: Buffer.from("s") });
    const before = await contentOf(store);
    assert.deepEqual(await sweep(store), { trees: [], staging: 0, blobs: [] });
    assert.deepEqual(await contentOf(store), before);
  });

  it("removes trees that neither a pod nor an image needs", async (t) => {
    const store = await newStore(t);
    const base = await importImage(store, { name: "example.com/base" });
    const above = await importImage(store, { name: "example.com/a", dependencies: [{ imageName: base.name }] });
    const given = await treeIdOf(store, above.id);
    for (const id of [given, fakeId("of a pod"), fakeId("of nobody")]) await plantTree(store, id);
    const { trees } = await sweep(store, [fakeId("of a pod")]);
    assert.deepEqual(trees, [fakeId("of nobody")]);
    assert.deepEqual((await readdir(treePath(store, ""))).sort(), [given, base.id, fakeId("of a pod")].sort());
    assert.deepEqual((await sweep(store)).trees, [fakeId("of a pod")]);
  });

  it("removes the tree of an image whose dependency is gone, since it cannot be told any more", async (t) => {
    const store = await newStore(t);
    const base = await importImage(store, { name: "example.com/base" });
    const above = await importImage(store, { name: "example.com/a", dependencies: [{ imageName: base.name }] });
    const given = await treeIdOf(store, above.id);
    await plantTree(store, given);
    await rm(recordPath(store, base.id));
    assert.deepEqual((await sweep(store)).trees.toSorted(), [base.id, given].sort());
  });

  it("removes dead staging, orphaned archives with their signatures, manifests and strangers' files in the index", async (t) => {
    const store = await newStore(t);
    const kept = await importImage(store, { name: "example.com/kept", signature: Buffer.from("s") });
    const before = await contentOf(store);
    const orphan = await importImage(store, { name: "example.com/orphan", signature: Buffer.from("s") });
    await rm(recordPath(store, orphan.id));
    await mkdir(join(stagingOf(store), "dead", "tree"), { recursive: true });
    await writeFile(join(indexOf(store), ".left.tmp"), "");
    await mkdir(dirname(blobPath(store, sha512("nothing"))), { recursive: true });
    await writeFile(`${blobPath(store, sha512("nothing"))}.asc`, "");
    await writeFile(join(blobsOf(store), "no-shelf"), "");
    const swept = await sweep(store);
    assert.deepEqual(swept, { trees: [orphan.id], staging: 1, blobs: [orphan.archive.sha512] });
    assert.equal(await isThere(partsOf(store, kept).blob), true);
    const isEmptyShelf = (path: string): boolean => /^blobs\/sha512\/..$/.test(path) && !before.includes(path);
    assert.deepEqual(
      (await contentOf(store)).filter((path) => !isEmptyShelf(path)),
      before,
    );
    await assertSound(store);
    assert.equal(listRecordsSync(store).length, 1);
  });
});
