import assert from "node:assert/strict";
import { createReadStream, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { buildFromRecipe, enterRecipe } from "../../src/api/build-recipe.ts";
import { fetchImages } from "../../src/api/fetch.ts";
import { readArchive } from "../../src/image/archive.ts";
import { fails } from "../helpers/failures.ts";
import { isRoot } from "../helpers/image-tree.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
beforeEach(async () => {
  world = await RecipeWorld.open();
  world.context({ file: "1" });
});
afterEach(() => world.remove());

const paths = async (path: string) => {
  const found: string[] = [];
  const { manifest } = await readArchive(createReadStream(path), async (members) => {
    for await (const member of members) found.push(`/${member.path.toString().replace(/^\.$/, "")}`);
  });
  return { manifest, found };
};
/** An image with `/base/low` and `/base/other` in the store. */
async function storeBase(): Promise<string> {
  const { path } = await world.build({
    name: "example.com/base",
    labels: { version: "1.0", os: "linux", arch: "amd64" },
    exec: ["/run-me"],
    steps: [{ write: { to: "/base/low", content: "low" } }, { write: { to: "/base/other", content: "other" } }],
  });
  const base = join(world.directory, "base.aci");
  writeFileSync(base, readFileSync(path));
  await fetchImages(world.settings, { images: [{ reference: base }] });
  return base;
}

describe("the base (RECIPE-4, RECIPE-21)", () => {
  it("an image is flattened into the result, by name or as a file", async () => {
    const file = await storeBase();
    const steps = [{ remove: "/base/other" }, { copy: { from: "file", to: "/base/new" } }];
    for (const base of [
      "example.com/base:1.0",
      { image: "example.com/base" },
      { file: join("..", basename(file)) },
      file,
      "../base.aci",
    ]) {
      const { path } = await world.build({ base, steps });
      const { manifest, found } = await paths(path);
      assert.deepEqual(found, ["/", "/base", "/base/low", "/base/new"], JSON.stringify(base));
      assert.deepEqual([manifest.dependencies, manifest.app?.exec], [[], ["/run-me"]]);
    }
  });
  it("a dependency stays one, and the result holds the difference", async () => {
    await storeBase();
    const base = { dependency: "example.com/base", labels: { version: "1.0" } };
    const { path } = await world.build({ base, steps: [{ copy: { from: "file", to: "/base/new" } }] });
    const { manifest, found } = await paths(path);
    assert.deepEqual(found, ["/", "/base", "/base/new"]);
    assert.deepEqual(manifest.dependencies[0]?.imageName, "example.com/base");
    await fetchImages(world.settings, { images: [{ reference: path }] });
  });
  it("RECIPE-42: a dependency's file cannot be removed; one that a step of its own brought can", async () => {
    await storeBase();
    const base = { dependency: "example.com/base" };
    await assert.rejects(world.build({ base, steps: [{ remove: "/base/low" }] }), fails("UNSUPPORTED", /\/base\/low/));
    const { path } = await world.build({
      base,
      steps: [{ copy: { from: "file", to: "/base/new" } }, { remove: "/base/new" }],
    });
    assert.deepEqual((await paths(path)).found, ["/", "/base"]);
  });
  it("RECIPE-41: a dependency must be the image whose ID the recipe says", async () => {
    await storeBase();
    const base = { dependency: "example.com/base", imageID: `sha512-${"0".repeat(128)}` };
    await assert.rejects(
      world.build({ base, steps: [{ mkdir: { path: "/a" } }] }),
      fails("DIGEST_MISMATCH", /another image/),
    );
  });
  it("a directory becomes /", async () => {
    world.files("rootfs", { "etc/passwd": "root:x:0:0::/:/bin/sh\n" });
    const { path } = await world.build({
      base: { directory: "../rootfs" },
      steps: [{ copy: { from: "file", to: "/file" } }],
    });
    assert.deepEqual((await paths(path)).found, ["/", "/etc", "/etc/passwd", "/file"]);
  });
  it("one that nobody trusts is refused, as for run", async () => {
    await storeBase();
    await assert.rejects(
      world.build({ base: "example.com/base" }, {}, { insecure: new Set() }),
      fails("SIGNATURE_MISSING"),
    );
  });
  it("one that is not there", async () => {
    await assert.rejects(world.build({ base: { file: "absent.aci" } }), fails("NOT_FOUND"));
    for (const directory of ["absent", "file"]) {
      const hint = /counts from the context directory/;
      await assert.rejects(world.build({ base: { directory } }), fails("NOT_FOUND", /no directory \//, { hint }));
    }
    assert.deepEqual(world.cached("store/staging"), []);
  });
  it("a directory that is named like an image: what to write instead", async () => {
    world.files("rootfs", { "etc/passwd": "" });
    for (const base of ["../rootfs", "./", world.path("rootfs")]) {
      const hint = new RegExp(`^base: \\{directory: ${base.replaceAll(".", "\\.")}\\}$`);
      await assert.rejects(world.build({ base }), fails("RECIPE_INVALID", /is a directory/, { hint }));
    }
  });
});

describe("buildFromRecipe", () => {
  it("the context is the recipe's directory, or the one that is named", async () => {
    world.files("elsewhere", { file: "2", other: "3" });
    const steps = [{ copy: { from: "other", to: "/other" } }];
    await assert.rejects(world.build({ steps }), fails("NOT_FOUND", /other/));
    const { path } = await world.build({ steps }, { context: world.path("elsewhere") });
    assert.deepEqual((await paths(path)).found, ["/", "/other"]);
  });
  it("without a name of its own the output is called after the image", async () => {
    const before = process.cwd();
    process.chdir(world.directory);
    try {
      const { path } = await world.build(
        { name: "example.com/a/web", labels: { version: "1.2+x y" } },
        { output: undefined },
      );
      assert.equal(path, "web-1.2+x-y.aci");
    } finally {
      process.chdir(before);
    }
  });
  it("every step is told with its number, those of the manifest too", async () => {
    const steps = [{ label: { a: "b" } }, { mkdir: { path: "/a" } }, { user: "1" }, { environment: { A: "b" } }];
    await world.build({ steps });
    assert.deepEqual(
      world.heard.map((line) => line.split(":")[0]),
      ["[1/4] label", "[2/4] mkdir", "[3/4] user", "[4/4] environment"],
    );
  });
  it("what is wrong with the manifest is said before any step", async () => {
    const wrong = world.build({ labels: { arch: "amd64" }, steps: [{ mkdir: { path: "/a" } }] });
    await assert.rejects(wrong, fails("MANIFEST_INVALID", /recipe\.json/, { cause: /ACI-28/ }));
    assert.deepEqual(world.heard, []);
  });
  it("RECIPE-60: who is not root builds from nothing or upon dependencies, and everything is root's", async () => {
    mkdirSync(world.path("context/directory"));
    symlinkSync("file", world.path("context/directory/link"));
    const caller = { uid: 1000, gid: 1000, isRoot: false };
    const steps = [{ copy: { from: ".", to: "/srv" } }, { remove: "/srv/recipe.json" }];
    const { path } = await world.build({ steps }, {}, { caller });
    const owners = new Set<number>();
    await readArchive(createReadStream(path), async (members) => {
      for await (const { uid, gid } of members) owners.add(uid).add(gid);
    });
    assert.deepEqual(owners, new Set([0]));
    await assert.rejects(
      world.build({ base: "example.com/base" }, {}, { caller }),
      fails("NOT_ROOT", /recipe\.json:1:\d+: .*owners/),
    );
    world.heard.length = 0;
    const command = world.build({ steps: [...steps, { run: "true" }] }, {}, { caller });
    await assert.rejects(command, fails("NOT_ROOT", /^step 3 \(\S+recipe\.json:1:\d+\): /));
    assert.deepEqual(world.heard, [], "before any work");
  });
});

describe("enterRecipe", () => {
  it("is for root, and for a step that is there", async () => {
    await world.build({ steps: [{ mkdir: { path: "/a" } }] });
    const options = { file: world.path("context/recipe.json") } as const;
    for (const step of [0, 3, 1.5]) {
      await assert.rejects(
        enterRecipe(world.settings, { ...options, step }),
        fails(isRoot ? "USAGE" : "NOT_ROOT", /1 to 2|root/),
      );
    }
    const caller = { uid: 1000, gid: 1000, isRoot: false };
    await assert.rejects(enterRecipe({ ...world.settings, caller }, { ...options, step: 1 }), fails("NOT_ROOT"));
  });
  it("a recipe that is not there", async () => {
    await assert.rejects(buildFromRecipe(world.settings, { file: "/nonexistent.yaml" }), fails("NOT_FOUND"));
  });
});
