import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyListing } from "../../src/image/listing.ts";
import type { EntryType } from "../../src/tar/entry.ts";

function laid(entries: readonly (readonly [layer: number, path: string, type: EntryType, link?: string])[]) {
  const listing = emptyListing();
  for (const [layer, path, type, link = ""] of entries) {
    const size = type === "file" ? 10 : 0;
    listing.lay({ path: Buffer.from(path), type, size, link: Buffer.from(link) }, layer);
  }
  return [...listing.paths()];
}

describe("emptyListing (ACE-5)", () => {
  it("tells of every path which layer it comes from, in the order of names", () => {
    const paths = laid([
      [0, ".", "directory"],
      [0, "b", "directory"],
      [0, "b/old", "file"],
      [0, "lib", "symlink", "b"],
      [1, "b", "directory"],
      [1, "b/new", "file"],
      [1, "lib/x", "file"],
      [1, "null", "character"],
    ]);
    assert.deepEqual(
      paths.map(({ path, file }) => `${path} ${file.type} ${file.layer}`),
      ["b directory 1", "b/new file 1", "b/old file 0", "lib directory 1", "lib/x file 1"],
    );
  });

  it("forgets what lay below a directory that gave way", () => {
    const paths = laid([
      [0, "a/b/c", "file"],
      [1, "a", "file"],
      [2, "a/d", "file"],
    ]);
    assert.deepEqual(
      paths.map(({ path, file }) => `${path} ${file.layer}`),
      ["a 2", "a/d 2"],
    );
  });

  it("gives the names of one file one object, also when the first is replaced", () => {
    const paths = laid([
      [0, "a", "file"],
      [0, "b", "hardlink", "a"],
      [1, "a", "file"],
    ]);
    assert.deepEqual(
      paths.map(({ path, file }) => `${path} ${file.layer} ${file.size}`),
      ["a 1 10", "b 0 10"],
    );
    assert.notEqual(paths[0]?.file, paths[1]?.file);
  });
});
