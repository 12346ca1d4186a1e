import assert from "node:assert/strict";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import {
  beginLayer,
  type Cache,
  commitLayer,
  findLayer,
  holdCache,
  keyOf,
  layerDirectory,
  lockKey,
  openCache,
  sweepCache,
} from "../../src/recipe/cache.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let cache: Cache;
beforeEach(async () => {
  world = await RecipeWorld.open();
  cache = openCache(world.data);
});
afterEach(() => world.remove());

const key = (name: string) => keyOf([name]);
async function commit(name: string, layer = `layer-${name}`, size = 10) {
  const staging = await beginLayer(cache);
  writeFileSync(join(staging.rootfs, "content"), name);
  const made = await commitLayer(cache, staging, key(name), { layer, size });
  await staging.discard();
  return made;
}
const sweep = (options: Partial<Parameters<typeof sweepCache>[1]> = {}) =>
  sweepCache(world.data, { maxAgeMs: 60_000, maxBytes: 1000, now: Date.now(), log: silentLog, ...options });

describe("the step cache (RECIPE-50)", () => {
  it("a key gives its layer, and nothing before", async () => {
    assert.equal(findLayer(cache, key("a")), undefined);
    const made = await commit("a");
    assert.deepEqual(findLayer(cache, key("a")), made);
    assert.deepEqual(world.cached("store/staging"), []);
  });
  it("keys differ when anything of their parts does", () => {
    const keys = [[], [1], ["1"], [[1]], [1, undefined], [1, null, 2]].map(keyOf);
    assert.equal(new Set(keys).size, keys.length);
  });
  it("a layer that lost its mark, or whose record is broken or names a path, is not there", async () => {
    const made = await commit("a");
    writeFileSync(join(cache.root, "steps", key("b")), '{"layer": "../../etc", "size": 1}');
    writeFileSync(join(cache.root, "steps", key("c")), '{"layer": "lay');
    assert.deepEqual([findLayer(cache, key("b")), findLayer(cache, key("c"))], [undefined, undefined]);
    rmSync(join(layerDirectory(cache, made.id), "manifest.ok"));
    assert.equal(findLayer(cache, key("a")), undefined);
  });
  it("two keys may give one layer", async () => {
    await commit("a", "layer-same");
    assert.deepEqual(await commit("b", "layer-same"), findLayer(cache, key("a")));
  });
  it("one builder a key", async () => {
    const first = await lockKey(cache, key("a"), undefined, silentLog);
    const ended = new AbortController();
    const second = lockKey(cache, key("a"), ended.signal, { ...silentLog, info: () => ended.abort() });
    await assert.rejects(second);
    first.release();
    (await lockKey(cache, key("a"), undefined, silentLog)).release();
  });
});

describe("its sweep (RECIPE-51)", () => {
  it("keeps what was used, removes what is old, and what nothing names", async () => {
    await commit("old");
    await commit("new");
    const staging = await beginLayer(cache);
    const unnamed = await commitLayer(cache, staging, key("unnamed"), { layer: "layer-unnamed", size: 1 });
    await staging.discard();
    rmSync(join(cache.root, "steps", key("unnamed")));
    writeFileSync(join(cache.root, "logs", "old.log"), "");
    for (const path of [join("steps", key("old")), "logs/old.log"]) utimesSync(join(cache.root, path), 1, 1);
    assert.deepEqual([...(await sweep())].sort(), ["layer-old", unnamed.id].sort());
    assert.deepEqual(world.cached("steps"), [key("new")]);
    for (const name of ["logs", "store/trash", "store/staging", "locks"] as const)
      assert.deepEqual(world.cached(name), [], name);
  });
  it("is bounded: the least recently used goes first", async () => {
    for (const [index, name] of ["a", "b", "c"].entries()) {
      await commit(name, `layer-${name}`, 400);
      utimesSync(join(cache.root, "steps", key(name)), Date.now() / 1000 - 10 + index, Date.now() / 1000 - 10 + index);
    }
    assert.deepEqual(await sweep(), ["layer-a"]);
    assert.notEqual(findLayer(cache, key("c")), undefined);
  });
  it("leaves all as it is while a build is under way", async () => {
    await commit("a");
    const held = await holdCache(cache, { log: silentLog });
    assert.deepEqual(await sweep({ maxAgeMs: 0 }), []);
    held.release();
    assert.deepEqual(await sweep({ maxAgeMs: 0 }), ["layer-a"]);
  });
  it("without a cache there is nothing to do, and none is made", async () => {
    assert.deepEqual(
      await sweepCache(world.path("elsewhere"), { maxAgeMs: 0, maxBytes: 0, now: 0, log: silentLog }),
      [],
    );
  });
});
