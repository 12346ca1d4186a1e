import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { diffImages } from "../../src/api/diff-images.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("diffImages", () => {
  it("compares a stored image with a file: fields, files and why, sizes", async (t) => {
    const { settings, ids, file } = await storedImages(t);
    const after = await file("new.aci", { name: "example.com/base", version: "2" }, [
      { path: "bin", type: "directory", mode: 0o700 },
      { path: "bin/base", content: "BASE" },
      { path: "bin/shared", content: "of base", owner: 5 },
      { path: "bin/twin", content: "base" },
      { path: "bin/new\u001b", content: "new" },
    ]);
    const difference = await diffImages(settings, { before: ids.base, after });
    assert.equal(difference.before.id, ids.base);
    assert.deepEqual(difference.manifest, [{ field: "labels[version].value", before: "1", after: "2" }]);
    assert.deepEqual(
      difference.added.map(({ path }) => path),
      ["bin/new\\x1b"],
    );
    assert.deepEqual(difference.removed, []);
    assert.deepEqual(
      difference.changed.map(({ path, why }) => `${path}: ${why.join()}`),
      ["bin: mode", "bin/base: content,hard links", "bin/shared: owner", "bin/twin: hard links"],
    );
    assert.deepEqual([difference.before.fileBytes, difference.after.fileBytes], [11, 18]);
    assert.deepEqual([difference.before.entries, difference.after.entries], [5, 6]);
  });

  it("finds nothing between an image and itself", async (t) => {
    const { settings } = await storedImages(t);
    const { manifest, added, removed, changed } = await diffImages(settings, {
      before: "example.com/top",
      after: "example.com/top:2.0",
    });
    assert.deepEqual([manifest, added, removed, changed], [[], [], [], []]);
  });

  it("is NOT_FOUND for one that is not there", async (t) => {
    const { settings } = await storedImages(t);
    await assert.rejects(diffImages(settings, { before: "example.com/top", after: "./none.aci" }), fails("NOT_FOUND"));
  });
});
