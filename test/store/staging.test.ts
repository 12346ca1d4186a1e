import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { openStore, stagingOf, trashOf } from "../../src/store/layout.ts";
import { emptyTrash, makeStaging, sweepStaging, throwAway } from "../../src/store/staging.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("staging directories", () => {
  it("are told live from dead by their lock", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const living = await makeStaging(store);
    await mkdir(join(stagingOf(store), "dead", "tree", "rootfs"), { recursive: true });
    await writeFile(join(stagingOf(store), "dead", "archive"), "half");
    assert.equal(await sweepStaging(store), 1);
    assert.deepEqual(await readdir(stagingOf(store)), [basename(living.path)]);
    assert.deepEqual(await readdir(trashOf(store)), []);
    await living.discard();
    assert.equal(await sweepStaging(store), 0);
    assert.deepEqual(await readdir(stagingOf(store)), []);
  });

  it("survive sweeps that run while they are made", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const [sweeps, made] = await Promise.all([
      Promise.all(Array.from({ length: 10 }, () => sweepStaging(store))),
      Promise.all(Array.from({ length: 10 }, () => makeStaging(store))),
    ]);
    assert.deepEqual(new Set(sweeps), new Set([0]));
    for (const staging of made) assert.deepEqual(await readdir(staging.tree), ["rootfs"]);
    await Promise.all(made.map((staging) => staging.discard()));
    assert.deepEqual(await readdir(stagingOf(store)), []);
  });
});

describe("the trash", () => {
  it("takes what is there, and what is not is no error", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const file = join(store.root, "manifests", "x");
    await writeFile(file, "x");
    assert.equal(await throwAway(store, [file, join(store.root, "manifests", "y")]), 1);
    assert.equal((await readdir(trashOf(store))).length, 1);
    await Promise.all([emptyTrash(store), emptyTrash(store)]);
    assert.deepEqual(await readdir(trashOf(store)), []);
  });
});
