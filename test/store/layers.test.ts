import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { openPlanner, planTree, treeIdOfSync } from "../../src/store/layers.ts";
import { indexOf, manifestPath, openStore, type Store } from "../../src/store/layout.ts";
import { findImageSync, listRecordsSync } from "../../src/store/lookup.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, importImage, sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));
const label = (name: string, value: string) => ({ name, value });

describe("the tree of an image", () => {
  it("has the image's own ID without dependencies, also under a whitelist", async (t) => {
    const store = await newStore(t);
    const plain = await importImage(store, { name: "example.com/plain" });
    const filtered = await importImage(store, { name: "example.com/filtered", whitelist: ["/x"] });
    assert.equal(treeIdOfSync(store, plain.id), plain.id);
    assert.equal(treeIdOfSync(store, filtered.id), filtered.id);
    assert.equal(planTree(store, filtered.id).treeId, filtered.id);
  });

  it("ACE-6, ACE-7: has layers in order, each under the lists of its ancestors", async (t) => {
    const store = await newStore(t);
    const d = await importImage(store, { name: "example.com/d", whitelist: ["/d"] });
    const b = await importImage(store, { name: "example.com/b", dependencies: [{ imageName: d.name }] });
    const c = await importImage(store, {
      name: "example.com/c",
      dependencies: [{ imageName: d.name }],
      whitelist: ["/c"],
    });
    const a = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: b.name }, { imageName: c.name }],
      whitelist: ["/a"],
    });
    const { treeId, layers } = planTree(store, a.id);
    assert.deepEqual(
      layers.map((layer) => layer.id),
      [d.id, b.id, d.id, c.id, a.id],
    );
    assert.deepEqual(
      layers.map((layer) => layer.whitelists),
      [[["/d"], ["/a"]], [["/a"]], [["/d"], ["/c"], ["/a"]], [["/c"], ["/a"]], [["/a"]]],
    );
    assert.match(treeId, /^deps-sha512-[0-9a-f]{128}$/);
    assert.equal(treeIdOfSync(store, a.id), treeId);
  });

  it("is the same from an index that was read, of which nothing is read again, nor a manifest twice", async (t) => {
    const store = await newStore(t);
    const base = await importImage(store, { name: "example.com/base" });
    const dependencies = [{ imageName: base.name }];
    const one = await importImage(store, { name: "example.com/one", dependencies });
    const other = await importImage(store, { name: "example.com/other", dependencies });
    const expected = [one, other].map(({ id }) => planTree(store, id));
    const planner = openPlanner(store, listRecordsSync(store));
    rmSync(indexOf(store), { recursive: true });
    const first = planner.plan(one.id);
    rmSync(manifestPath(store, base.id));
    assert.deepEqual([first, planner.plan(other.id)], expected);
    assert.equal(planner.treeId(base.id), base.id);
    assert.throws(() => planner.plan(fakeId("missing")), fails("NOT_FOUND"));
  });

  it("changes when a dependency means a newer image", async (t) => {
    const store = await newStore(t);
    await importImage(store, { name: "example.com/base", version: "1" });
    const above = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: "example.com/base" }],
    });
    const before = treeIdOfSync(store, above.id);
    await importImage(store, { name: "example.com/base", version: "2", latest: true });
    assert.notEqual(treeIdOfSync(store, above.id), before);
  });

  it("A10: a cycle by names is refused", async (t) => {
    const store = await newStore(t);
    const a = await importImage(store, { name: "example.com/a", dependencies: [{ imageName: "example.com/b" }] });
    await importImage(store, { name: "example.com/b", dependencies: [{ imageName: "example.com/a" }] });
    assert.throws(() => treeIdOfSync(store, a.id), fails("DEPENDENCY_CYCLE", /→/));
  });
});

describe("what a dependency means (ACI-46, ACI-52)", () => {
  it("is the image with its name, its labels and its ID", async (t) => {
    const store = await newStore(t);
    const one = await importImage(store, { name: "example.com/base", version: "1" });
    const two = await importImage(store, { name: "example.com/base", version: "2" });
    const layersBelow = async (name: string, dependency: object) => {
      const above = await importImage(store, { name, dependencies: [dependency] });
      return planTree(store, above.id).layers[0]?.id;
    };
    const imageName = "example.com/base";
    assert.equal(await layersBelow("example.com/a1", { imageName, labels: [label("version", "1")] }), one.id);
    assert.equal(await layersBelow("example.com/a2", { imageName, imageID: one.id }), one.id);
    assert.equal(await layersBelow("example.com/a3", { imageName, imageID: one.id.slice(0, 71) }), one.id);
    assert.equal(await layersBelow("example.com/a4", { imageName }), two.id);
  });

  it("is never an image of another platform", async (t) => {
    const store = await newStore(t);
    const platform = (arch: string) => [label("os", "linux"), label("arch", arch)];
    const same = await importImage(store, { name: "example.com/base", labels: platform("amd64") });
    await importImage(store, { name: "example.com/base", labels: platform("aarch64"), latest: true });
    const above = await importImage(store, {
      name: "example.com/a",
      labels: platform("amd64"),
      dependencies: [{ imageName: "example.com/base" }],
    });
    assert.equal(planTree(store, above.id).layers[0]?.id, same.id);
  });

  it("of a signed image is a signed one, whatever unsigned image came later", async (t) => {
    const store = await newStore(t);
    const signers = [{ fingerprint: "aa", keyDigest: sha512("key"), signedAt: "2026-01-01T00:00:00Z" }];
    const dependencies = [{ imageName: "example.com/base" }];
    const signed = await importImage(store, { name: "example.com/base", version: "1", signers });
    const unsigned = await importImage(store, { name: "example.com/base", version: "2", latest: true });
    const vouched = await importImage(store, { name: "example.com/vouched", signers, dependencies });
    const free = await importImage(store, { name: "example.com/free", dependencies });
    assert.equal(planTree(store, vouched.id).layers[0]?.id, signed.id);
    assert.equal(planTree(store, free.id).layers[0]?.id, unsigned.id);
  });

  it("is NOT_FOUND when it is not stored, with the command that fetches it", async (t) => {
    const store = await newStore(t);
    const above = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: "example.com/base", labels: [label("version", "3")] }],
    });
    assert.throws(
      () => treeIdOfSync(store, above.id),
      fails("NOT_FOUND", /example\.com\/a depends on example\.com\/base/, {
        hint: /^perigee fetch example\.com\/base:3$/,
      }),
    );
    assert.throws(() => treeIdOfSync(store, fakeId("none")), fails("NOT_FOUND"));
  });

  it("is NAME_MISMATCH when its ID is another image", async (t) => {
    const store = await newStore(t);
    const other = await importImage(store, { name: "example.com/other" });
    const above = await importImage(store, {
      name: "example.com/a",
      dependencies: [{ imageName: "example.com/base", imageID: other.id }],
    });
    assert.throws(() => planTree(store, above.id), fails("NAME_MISMATCH", /base is example\.com\/other/));
  });

  it("ACI-47: is the one with the size that is asked for, of its archive or of its tar; else refused", async (t) => {
    const store = await newStore(t);
    const imageName = "example.com/base";
    const archive = Buffer.alloc(2000, "x");
    const one = await importImage(store, { name: imageName, version: "1", archive });
    const two = await importImage(store, { name: imageName, version: "2" });
    const below = async (name: string, size: number) => {
      const above = await importImage(store, { name, dependencies: [{ imageName, size }] });
      return planTree(store, above.id).layers[0]?.id;
    };
    assert.equal(await below("example.com/archive", 2000), one.id);
    assert.equal(await below("example.com/tar", 10_240), two.id, "both have it: the newest");
    await assert.rejects(
      below("example.com/neither", 1999),
      fails("DIGEST_MISMATCH", /example\.com\/base has the size/, { cause: /expected 1999 bytes, found/ }),
    );
  });

  it("A10: ten thousand dependencies end at the limit, whatever they mean, and no later one is looked up", async (t) => {
    const store = await newStore(t);
    await importImage(store, { name: "example.com/base" });
    const dependencies = [
      ...Array.from({ length: 10_000 }, () => ({ imageName: "example.com/base" })),
      { imageName: "example.com/not-stored" },
    ];
    const wide = await importImage(store, { name: "example.com/wide", dependencies });
    assert.throws(() => planTree(store, wide.id), fails("LIMIT_EXCEEDED", /4096/));
  });

  it("A10: a chain of stored images is followed to 64 levels", async (t) => {
    const store = await newStore(t);
    for (let level = 70; level >= 0; level -= 1) {
      const dependencies = level === 70 ? [] : [{ imageName: `example.com/level${level + 1}` }];
      await importImage(store, { name: `example.com/level${level}`, dependencies });
    }
    const top = findImageSync(store, "example.com/level0", []);
    assert.ok(top !== undefined);
    assert.throws(() => planTree(store, top.id), fails("DEPENDENCY_DEPTH", /64/));
  });
});
