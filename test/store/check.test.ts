import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { keptBy, scanLayout, scanStore, shownPath } from "../../src/store/check.ts";
import { treeMarkOf, treePath, treesOf, turnsOf } from "../../src/store/layout.ts";
import { noteDownload } from "../../src/store/partial.ts";
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
