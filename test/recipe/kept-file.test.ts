import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { type Cache, keyOf, openCache, sweepCache } from "../../src/recipe/cache.ts";
import { findFile, keepFile } from "../../src/recipe/kept-file.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let cache: Cache;
beforeEach(async () => {
  world = await RecipeWorld.open();
  cache = openCache(world.data);
});
afterEach(() => world.remove());

const [key, bytes] = [keyOf(["bill"]), Buffer.from("a bill\n")];
const stored = () => world.path("data/build/store/trees", world.cached("store/trees")[0] ?? "", "file");

describe("a kept file (RECIPE-54)", () => {
  it("is there for its key and no other, also when two keep it", async () => {
    assert.equal(await findFile(cache, key), undefined);
    await Promise.all([keepFile(cache, key, bytes), keepFile(cache, key, bytes)]);
    assert.deepEqual(await findFile(cache, key), bytes);
    assert.equal(await findFile(cache, keyOf(["other"])), undefined);
    await keepFile(cache, keyOf(["other"]), bytes);
    assert.equal(world.cached("store/trees").length, 1);
    assert.deepEqual(world.cached("store/staging"), []);
  });
  it("counts as not there when a disk changed it or took it away", async () => {
    await keepFile(cache, key, bytes);
    writeFileSync(stored(), "another\n");
    assert.equal(await findFile(cache, key), undefined);
    unlinkSync(stored());
    assert.equal(await findFile(cache, key), undefined);
  });
  it("goes with the rest of the cache (RECIPE-51)", async () => {
    await keepFile(cache, key, bytes);
    const options = { maxAgeMs: 0, maxBytes: 1000, now: Date.now() + 1000, log: silentLog };
    assert.equal((await sweepCache(world.data, options)).length, 1);
    assert.equal(await findFile(cache, key), undefined);
    assert.deepEqual(world.cached("steps"), []);
  });
});
