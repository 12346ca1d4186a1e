import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { openStoreSync } from "../../src/store/layout.ts";
import {
  findSharedLayer,
  isLayerId,
  layersOf,
  publishSharedLayer,
  readStack,
  readStackNames,
  sizeOfLayers,
  writeStack,
} from "../../src/store/shared-layers.ts";
import { makeStaging } from "../../src/store/staging.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const id = `layer-sha256-${"a".repeat(64)}`;

it("LAYER-1: a layer is there when it is whole, and once", async (context) => {
  const store = openStoreSync(await temporaryDirectory(context));
  assert.equal(findSharedLayer(store, id), undefined);
  for (const content of ["first", "second"]) {
    const staging = await makeStaging(store);
    writeFileSync(join(staging.rootfs, "file"), content);
    const layer = await publishSharedLayer(store, staging, id, { hasRoot: true });
    assert.deepEqual([layer.id, layer.hasRoot], [id, true]);
    await staging.discard();
  }
  const found = findSharedLayer(store, id);
  assert.ok(found !== undefined && found.size > 0);
  rmSync(join(dirname(found.rootfs), "manifest.ok"));
  assert.equal(findSharedLayer(store, id), undefined);
  // What has the name and is no layer makes room.
  const staging = await makeStaging(store);
  await publishSharedLayer(store, staging, id, { hasRoot: false });
  assert.equal(findSharedLayer(store, id)?.hasRoot, false);
  await staging.discard();
});

it("LAYER-3: a tree lies on its layers, and is none when one is missing", async (context) => {
  const store = openStoreSync(await temporaryDirectory(context));
  const staging = await makeStaging(store);
  await publishSharedLayer(store, staging, id, { hasRoot: true });
  await staging.discard();
  const tree = join(store.root, "a-tree");
  mkdirSync(join(tree, "rootfs"), { recursive: true });
  assert.equal(readStack(store, "a-tree", tree), undefined);
  await writeStack(tree, [id]);
  assert.deepEqual(readStackNames(tree), [id]);
  const stack = readStack(store, "a-tree", tree);
  assert.ok(Array.isArray(stack));
  assert.deepEqual(
    stack.map((layer) => layer.id),
    [id, "a-tree"],
  );
  assert.ok(sizeOfLayers(store, tree) > 0);
  rmSync(join(layersOf(store), id), { recursive: true });
  assert.equal(readStack(store, "a-tree", tree), "broken");
  writeFileSync(join(tree, "layers"), '{"layers":["../../etc"]}');
  assert.equal(readStackNames(tree), "broken");
});

it("LAYER-1: names of layers are digests, and never paths", () => {
  assert.equal(isLayerId(id), true);
  assert.equal(isLayerId(`chain-sha512-${"0".repeat(128)}`), true);
  for (const text of ["", "../x", `layer-md5-${"0".repeat(32)}`, `${id}/x`, `x${id}`])
    assert.equal(isLayerId(text), false);
});
