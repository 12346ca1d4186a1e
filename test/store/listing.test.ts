import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, it, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { silentLog } from "../../src/base/log.ts";
import { touchImage } from "../../src/store/images.ts";
import { listingOf, manifestPath, openStore, recordPath, type Store } from "../../src/store/layout.ts";
import { compareManifests, type Index, keepIndex, readIndex } from "../../src/store/listing.ts";
import { listRecordsSync, readRecordSync } from "../../src/store/lookup.ts";
import { encodeSelfChecking, type StoredRecord } from "../../src/store/records.ts";
import { fakeId, fillStore, importImage, putRecord as put, sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const count = 40;

async function fill(t: TestContext): Promise<{ readonly store: Store; readonly records: readonly StoredRecord[] }> {
  const store = await openStore(await temporaryDirectory(t));
  await fillStore(store, count);
  return { store, records: listRecordsSync(store) };
}

/** Reads as if the index had not been changed for long. */
async function keep(store: Store, read: Index = readIndex(store)): Promise<void> {
  await keepIndex(store, { ...read, readAt: read.readAt + 60_000 });
}

const recordsOf = ({ images }: Index): readonly StoredRecord[] => images.map(({ record }) => record);

/** Changes an entry in place, which no program of ours does: whoever reads it then sees a broken one. */
function spoil(store: Store, id: StoredRecord["id"]): void {
  writeFileSync(recordPath(store, id), "rotten");
}

describe("readIndex", () => {
  it("LIST-1: with and without a listing the records are those of the entries", async (t) => {
    const { store, records } = await fill(t);
    assert.deepEqual(recordsOf(readIndex(store)), records);
    await keep(store);
    const index = readIndex(store);
    assert.ok(index.kept !== undefined);
    assert.deepEqual(recordsOf(index), records);
  });

  it("LIST-1, LIST-4: while index/ is as it was no entry is looked at; the entry itself still tells that it is broken", async (t) => {
    const { store, records } = await fill(t);
    await keep(store);
    const [first] = records;
    assert.ok(first !== undefined);
    spoil(store, first.id);
    assert.deepEqual(recordsOf(readIndex(store)), records);
    assert.equal(readRecordSync(store, first.id), undefined);
    put(store, { ...first, name: "example.com/anew" });
    assert.equal(recordsOf(readIndex(store))[0]?.name, "example.com/anew");
  });

  it("LIST-1: an entry that is replaced, added or removed is seen at once", async (t) => {
    const { store, records } = await fill(t);
    await keep(store);
    const [first, second, ...others] = records;
    assert.ok(first !== undefined && second !== undefined);
    put(store, { ...first, name: "example.com/replaced" });
    rmSync(recordPath(store, second.id));
    const added = { ...first, id: fakeId("added") };
    put(store, added);
    const found = new Map(recordsOf(readIndex(store)).map((record) => [record.id, record]));
    assert.deepEqual([...found.keys()], [first.id, ...others.map(({ id }) => id), added.id].sort());
    assert.equal(found.get(first.id)?.name, "example.com/replaced");
  });

  it("LIST-1: a use is seen at once", async (t) => {
    const { store, records } = await fill(t);
    const long = new Date("2020-01-01T00:00:00Z");
    for (const { id } of records) utimesSync(recordPath(store, id), long, long);
    await keep(store);
    // Longer than a tick of the kernel's clock.
    await setTimeout(20);
    const before = Date.now() - 1000;
    assert.ok(records[3] !== undefined);
    touchImage(store, records[3].id);
    const used = readIndex(store).images.filter(({ usedAt }) => usedAt > before);
    assert.deepEqual(
      used.map(({ record }) => record.id),
      [records[3].id],
    );
  });

  it("LIST-1: after a change only what changed is read again, and a broken entry is told", async (t) => {
    const { store, records } = await fill(t);
    await keep(store);
    await setTimeout(20);
    assert.ok(records[0] !== undefined && records[1] !== undefined);
    spoil(store, records[1].id);
    put(store, records[0]);
    const warnings: string[] = [];
    const index = readIndex(store, { ...silentLog, warn: (text) => warnings.push(text) });
    assert.deepEqual(index.broken, [records[1].id]);
    assert.match(warnings.join(), /broken and left out; perigee store check --repair mends it/);
    assert.equal(index.images.length, count - 1);
  });
});

describe("the file listing", () => {
  it("LIST-2: is not written for few images, beside a broken entry, or while index/ may change within the same tick", async (t) => {
    const small = await openStore(await temporaryDirectory(t));
    await importImage(small, { name: "example.com/web" });
    await keep(small);
    const { store, records } = await fill(t);
    const index = readIndex(store);
    assert.ok(index.stamp !== undefined);
    await keepIndex(store, { ...index, readAt: index.stamp.changedAt + 999 });
    assert.ok(records[0] !== undefined);
    spoil(store, records[0].id);
    await keep(store);
    for (const { root } of [small, store]) assert.ok(!(await readdir(root)).includes("listing"));
  });

  it("LIST-2: a store that cannot be written to is listed all the same", async (t) => {
    const { store, records } = await fill(t);
    mkdirSync(listingOf(store));
    const told: string[] = [];
    const read = readIndex(store);
    await keepIndex(
      store,
      { ...read, readAt: read.readAt + 60_000 },
      { ...silentLog, debug: (text) => told.push(text) },
    );
    assert.match(told.join(), /not kept/);
    assert.deepEqual(recordsOf(readIndex(store)), records);
    assert.deepEqual(
      (await readdir(store.root)).filter((name) => name.endsWith(".tmp")),
      [],
    );
  });

  it("LIST-2: of many writers at once one wins, and what is there is whole", async (t) => {
    const { store, records } = await fill(t);
    await Promise.all(Array.from({ length: 16 }, () => keep(store)));
    const index = readIndex(store);
    assert.ok(index.kept !== undefined);
    assert.deepEqual(recordsOf(index), records);
    assert.deepEqual(
      (await readdir(store.root)).filter((name) => name.endsWith(".tmp")),
      [],
    );
  });

  it("LIST-4: one that is damaged, of another form or no JSON counts for nothing", async (t) => {
    const { store, records } = await fill(t);
    await keep(store);
    const bytes = readFileSync(listingOf(store));
    const text = bytes.toString("utf8");
    const body = JSON.parse(text).record;
    const torn = "not JSON";
    for (const other of [
      "",
      text.slice(0, text.length / 2),
      text.replace("example.com/copy-1", "example.com/evil-1"),
      bytes.fill(0, 2000, 3000),
      encodeSelfChecking({ ...body, form: 2 }),
      encodeSelfChecking([]),
      encodeSelfChecking({ ...body, images: 5 }),
      `{"sha512":"${sha512(torn)}","record":${torn}}\n`,
    ]) {
      writeFileSync(listingOf(store), other);
      const index = readIndex(store);
      assert.equal(index.kept, undefined);
      assert.deepEqual(recordsOf(index), records);
    }
  });
});

describe("compareManifests", () => {
  it("LIST-3: reads all of them once, and again when manifests/ changed", async (t) => {
    const { store, records } = await fill(t);
    const compare = () => {
      const index = readIndex(store);
      return compareManifests(store, { ...index, readAt: index.readAt + 60_000 });
    };
    assert.deepEqual(await compare(), []);
    assert.ok(readIndex(store).kept?.manifests !== undefined);
    assert.ok(records[5] !== undefined && records[6] !== undefined);
    writeFileSync(manifestPath(store, records[5].id), "changed in place");
    assert.deepEqual(await compare(), []);
    await setTimeout(20);
    rmSync(manifestPath(store, records[6].id));
    assert.deepEqual(
      (await compare()).map(({ id }) => id),
      [records[5].id, records[6].id],
    );
  });

  it("LIST-3: what is broken is not taken for compared", async (t) => {
    const { store, records } = await fill(t);
    assert.ok(records[0] !== undefined);
    writeFileSync(manifestPath(store, records[0].id), "other");
    for (let turn = 0; turn < 2; turn += 1) {
      const index = readIndex(store);
      const unsaid = await compareManifests(store, { ...index, readAt: index.readAt + 60_000 });
      assert.deepEqual(
        unsaid.map(({ id }) => id),
        [records[0].id],
      );
    }
  });
});
