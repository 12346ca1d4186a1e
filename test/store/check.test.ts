import assert from "node:assert/strict";
import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { keptBy, scanLayout, scanStore, shownPath } from "../../src/store/check.ts";
import { openStore, treeMarkOf, treePath, treesOf, turnsOf } from "../../src/store/layout.ts";
import { noteDownload } from "../../src/store/partial.ts";
import { makeLayout } from "../../src/store/repair.ts";
import { storedImages } from "../helpers/stored-images.ts";

const none = new Map<string, readonly string[]>();

describe("scanStore", () => {
  it("CHECK-1: a directory that a later version added is not missed", async (t) => {
    const { store } = await storedImages(t);
    rmSync(turnsOf(store), { recursive: true });
    assert.deepEqual(scanLayout(store), []);
    assert.deepEqual(scanStore(store, new Set(), none), []);
    rmSync(treesOf(store), { recursive: true });
    assert.deepEqual(
      scanLayout(store).map(({ path }) => path),
      [treesOf(store)],
    );
  });

  for (const name of ["blobs", "turns", "newest", "answers", "trash"]) {
    for (const what of ["a file", "a link to nothing"]) {
      it(`CHECK-1, CHECK-3: ${what} where ${name}/ belongs is found and makes room for the directory`, async (t) => {
        const { data, store } = await storedImages(t);
        const path = join(store.root, name);
        rmSync(path, { recursive: true, force: true });
        if (what === "a file") writeFileSync(path, "");
        else symlinkSync("missing", path);
        assert.deepEqual(await openStore(data), store);
        const found = scanLayout(store);
        assert.equal(found[0]?.path, path);
        await makeLayout(store, found);
        assert.deepEqual(scanLayout(store), []);
        assert.ok(lstatSync(path).isDirectory());
      });
    }
  }

  it("CHECK-2: what a pod uses is left, and the pod is named", async (t) => {
    const { store, ids } = await storedImages(t);
    rmSync(treeMarkOf(treePath(store, ids.base)));
    mkdirSync(treePath(store, "of-a-removed-image"));
    const users = new Map([[ids.base as string, ["uuid-1"]]]);
    const found = scanStore(store, new Set(), users).filter(({ kind }) => kind === "tree");
    assert.deepEqual(found.map(({ remedy, pods }) => [remedy, pods]).sort(), [
      ["none", ["uuid-1"]],
      ["remove", undefined],
    ]);
  });

  it("a part of a download that can be gone on with is left for it", async (t) => {
    const { store } = await storedImages(t);
    const part = join(store.root, "staging", "part");
    mkdirSync(part);
    writeFileSync(join(part, "archive"), "12345");
    await noteDownload(part, "https://example.com/a.aci", '"1"');
    assert.deepEqual(scanStore(store, new Set(), none), []);
  });

  it("shows paths below the store, harmless for a terminal", async (t) => {
    const { store } = await storedImages(t);
    assert.equal(shownPath(store, join(store.root, "index", "\u001b[2J")), "index/\\x1b[2J");
    assert.deepEqual(keptBy(["a", "a"]).pods, ["a"]);
  });
});
