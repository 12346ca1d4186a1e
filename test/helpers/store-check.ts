/** What must hold of a store at any time (security-and-reliability 5.2), looked at from outside. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { digestBlobPath, digestBlobsOf } from "../../src/store/digest-blobs.ts";
import { blobPath, blobsOf, manifestPath, rootfsOf, type Store, treePath } from "../../src/store/layout.ts";
import { listIdsSync, listRecordsSync, readManifestSync } from "../../src/store/lookup.ts";
import { findTree, treeIdOf } from "../../src/store/trees.ts";
import { sha512 } from "./images.ts";

/**
 * I1: every listed image has its archive, whose digest fits, its manifest and its tree. I2: no archive under its final name is
 * partial. I3: the index has nothing that cannot be read.
 */
export async function assertSound(store: Store): Promise<void> {
  const records = listRecordsSync(store);
  assert.deepEqual(
    listIdsSync(store),
    records.map((record) => record.id),
    "I3: a record cannot be read",
  );
  for (const record of records) {
    const archive = await readFile(blobPath(store, record.archive.sha512));
    assert.equal(sha512(archive), record.archive.sha512, "I1: the archive of a listed image");
    assert.ok(readManifestSync(store, record.id).length > 0);
    if (!record.hasDependencies) {
      const tree = findTree(store, await treeIdOf(store, record.id));
      assert.ok(tree !== undefined, "I1: the tree of a listed image");
      const [rootfs = ""] = (tree.layers ?? [tree])
        .map((one) => one.rootfs)
        .filter((one) => existsSync(join(one, "hello")));
      assert.equal(await readFile(join(rootfs, "hello"), "utf8"), `hello from ${record.name}\n`);
    }
    const blobs = record.oci === undefined ? [] : [record.oci.config, ...record.oci.layers];
    for (const { digest } of blobs)
      assert.ok(existsSync(digestBlobPath(store, digest)), "I1: a blob of a listed image");
  }
  for (const path of await filesOf(blobsOf(store))) {
    if (path.endsWith(".asc")) continue;
    assert.equal(sha512(await readFile(path)), basename(path), "I2: an archive under its final name");
  }
  for (const path of existsSync(digestBlobsOf(store)) ? await filesOf(digestBlobsOf(store)) : []) {
    const [algorithm = "", hex] = basename(path).split("-");
    assert.equal(
      createHash(algorithm)
        .update(await readFile(path))
        .digest("hex"),
      hex,
      "I2: a blob under its final name",
    );
  }
  for (const name of await readdir(treePath(store, ""))) {
    assert.ok(findTree(store, name) !== undefined, "a tree under its final name is whole");
  }
}

/** Every file and directory of the store, relative, sorted: two stores with the same images have the same. */
export async function contentOf(store: Store): Promise<readonly string[]> {
  const entries = await readdir(store.root, { recursive: true, withFileTypes: true });
  return entries.map((entry) => relative(store.root, join(entry.parentPath, entry.name))).sort();
}

async function filesOf(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Whether anything of the image is left. */
export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export const partsOf = (
  store: Store,
  record: { readonly id: string; readonly archive: { readonly sha512: string } },
) => ({
  blob: blobPath(store, record.archive.sha512),
  manifest: manifestPath(store, record.id as Parameters<typeof manifestPath>[1]),
  rootfs: rootfsOf(treePath(store, record.id)),
});
