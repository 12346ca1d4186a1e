import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { silentLog } from "../../src/base/log.ts";
import { touchImage } from "../../src/store/images.ts";
import { indexOf, listedOf, openStore, recordPath, type Store, treePath, treesOf } from "../../src/store/layout.ts";
import { readListed } from "../../src/store/listed.ts";
import { listRecordsSync } from "../../src/store/lookup.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { fakeId, fillStore, importImage, putRecord } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function fill(t: TestContext): Promise<Store> {
  const store = await openStore(await temporaryDirectory(t));
  await fillStore(store, 40);
  return store;
}

/** As if neither directory had been changed for long. */
const later = (store: Store) => readListed(store, silentLog, Date.now() + 60_000);
const namesOf = (images: Awaited<ReturnType<typeof readListed>>) => images.map(({ name }) => name).sort();

describe("readListed", () => {
  it("LIST-5: with and without the file the images are those of the entries", async (t) => {
    const store = await fill(t);
    const read = await later(store);
    assert.ok(existsSync(listedOf(store)));
    assert.deepEqual(await readListed(store), read);
    assert.deepEqual(
      namesOf(read),
      listRecordsSync(store)
        .map(({ name }) => name)
        .sort(),
    );
  });

  it("LIST-5: while index/ and trees/ are as they were nothing else is looked at", async (t) => {
    const store = await fill(t);
    const read = await later(store);
    for (const { id } of read) writeFileSync(recordPath(store, id), "rotten");
    assert.deepEqual(await readListed(store), read);
  });

  it("LIST-5: an import, a removal, a replacement and a use are seen at once", async (t) => {
    const store = await fill(t);
    const long = new Date("2020-01-01T00:00:00Z");
    for (const { id } of listRecordsSync(store)) utimesSync(recordPath(store, id), long, long);
    await later(store);
    await setTimeout(20);
    const [first, second, third] = listRecordsSync(store);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    putRecord(store, { ...first, name: "example.com/replaced" });
    rmSync(recordPath(store, second.id));
    await importImage(store, { name: "example.com/added" });
    touchImage(store, third.id);
    const found = await readListed(store);
    const names = namesOf(found);
    assert.ok(names.includes("example.com/replaced") && names.includes("example.com/added"));
    assert.ok(!names.includes(first.name) && !names.includes(second.name));
    assert.ok((found.find(({ id }) => id === third.id)?.usedAt ?? 0) > long.getTime());
  });

  it("LIST-5: a tree that comes or goes is seen at once", async (t) => {
    const store = await fill(t);
    const [image] = await later(store);
    assert.ok(image !== undefined);
    await setTimeout(20);
    const beside = join(store.root, "tree");
    mkdirSync(beside);
    const tree = `deps-${fakeId("tree")}`;
    writeFileSync(join(beside, "manifest.ok"), encodeSelfChecking({ tree, images: [image.id], size: 4321 }));
    const sizeOf = async (at?: number) =>
      (await readListed(store, silentLog, at)).find(({ id }) => id === image.id)?.treeSize;
    const before = (await sizeOf()) ?? 0;
    renameSync(beside, treePath(store, tree));
    assert.equal(await sizeOf(Date.now() + 60_000), before + 4321);
    assert.equal(await sizeOf(), before + 4321);
    await setTimeout(20);
    renameSync(treePath(store, tree), beside);
    assert.equal(await sizeOf(), before);
  });

  it("LIST-2, LIST-5: is not written beside a broken entry, nor while either directory may change within the same tick", async (t) => {
    const store = await fill(t);
    const changes = [indexOf(store), treesOf(store)].map((path) => statSync(path).ctimeMs);
    await readListed(store, silentLog, Math.max(...changes) + 999);
    assert.ok(!existsSync(listedOf(store)));
    const [first] = listRecordsSync(store);
    assert.ok(first !== undefined);
    writeFileSync(recordPath(store, first.id), "rotten");
    await later(store);
    assert.ok(!existsSync(listedOf(store)));
  });

  it("LIST-4, LIST-5: one that is damaged or of another form counts for nothing", async (t) => {
    const store = await fill(t);
    const read = await later(store);
    const text = readFileSync(listedOf(store), "utf8");
    const { record } = JSON.parse(text);
    for (const other of [
      text.replace("copy-1", "evil-1"),
      encodeSelfChecking({ ...record, form: 2, images: [] }),
      encodeSelfChecking({ ...record, trees: undefined, images: [] }),
      encodeSelfChecking({ ...record, images: 5 }),
    ]) {
      writeFileSync(listedOf(store), other);
      assert.deepEqual(await readListed(store), read);
    }
  });
});
