import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageID } from "../../src/schema/image-id.ts";
import { storedArchives } from "../../src/store/layer-archives.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("storedArchives", () => {
  it("gives each image's own bytes, and none for one that is not stored", async (t) => {
    const { store, ids } = await storedImages(t);
    const archiveOf = storedArchives(store);
    const { id, name, open } = archiveOf(ids.middle);
    assert.deepEqual([id, name], [ids.middle, "example.com/middle"]);
    let size = 0;
    for await (const chunk of open()) size += chunk.length;
    assert.ok(size > 0);
    assert.throws(() => archiveOf(`sha512-${"0".repeat(128)}` as ImageID), fails("NOT_FOUND"));
  });
});
