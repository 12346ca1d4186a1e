import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { it } from "node:test";
import { withOutgoing } from "../../src/api/export-oci.ts";
import { fails } from "../helpers/failures.ts";
import { sha256 } from "../helpers/oci-images.ts";
import { storedImages } from "../helpers/stored-images.ts";

it("OCI-81: a layer is a file that is opened when its first byte is asked for", async (context) => {
  const { settings, home } = await storedImages(context);
  const blobs = join(home, "blobs");
  mkdirSync(blobs);
  await withOutgoing(settings, { image: "example.com/base" }, { blobs, compression: "none" }, async ({ layers }) => {
    const [layer] = layers;
    assert.ok(layer !== undefined);
    const path = join(blobs, layer.digest.replace(":", "/"));
    renameSync(path, `${path}.away`);
    // Nobody hears of one that is not read.
    const [unread, missing, there] = [layer.open(), layer.open(), layer.open()];
    assert.ok(unread !== undefined);
    await assert.rejects(buffer(missing), fails("NOT_FOUND"));
    await stat(blobs);
    renameSync(`${path}.away`, path);
    const bytes = await buffer(there);
    assert.equal(sha256(bytes), layer.digest);
    assert.deepEqual(bytes, readFileSync(path));
  });
  assert.ok(existsSync(blobs));
});
