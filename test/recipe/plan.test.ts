import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Recipe, type RecipeInput } from "../../src/recipe/document.ts";
import { baseOf, mostLayers, mostWithBase, planRecipe, titleOf } from "../../src/recipe/plan.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());

const plan = (input: Partial<RecipeInput>, insecure: readonly string[] = [], isRoot = true, baseLayers?: number) =>
  planRecipe(
    {
      recipe: Recipe.parse({ name: "example.com/made", ...input }),
      file: "r.yaml",
      locate: (path) => ({ line: Number(path[1] ?? 0) + 10, column: 1 }),
    },
    { context: world.path("context"), insecure: new Set(insecure), isRoot, baseLayers },
  );

describe("planRecipe", () => {
  it("steps that make files know their number, their line and the environment so far", () => {
    const { layers, titles } = plan({
      steps: [{ environment: { A: "1" } }, { run: "make" }, { environment: { A: "2" } }, { mkdir: { path: "/srv" } }],
    });
    assert.deepEqual(titles, ['environment: {"A":"1"}', "run: make", 'environment: {"A":"2"}', "mkdir: /srv"]);
    assert.deepEqual(
      layers.map(({ number, place, environment }) => [number, place, environment]),
      [
        [2, "r.yaml:11:1", [["A", "1"]]],
        [4, "r.yaml:13:1", [["A", "2"]]],
      ],
    );
  });
  it("RECIPE-41: a dependency counts for the steps behind it; as base, for all", () => {
    const steps = [
      { mkdir: { path: "/a" } },
      { dependency: { imageName: "example.com/b" } },
      { mkdir: { path: "/c" } },
    ];
    const { layers } = plan({ base: { dependency: "example.com/a", labels: { version: "1" } }, steps });
    assert.deepEqual(
      layers.map(({ dependencies }) => dependencies.map(({ imageName }) => imageName)),
      [["example.com/a"], ["example.com/a", "example.com/b"]],
    );
  });
  it("RECIPE-33: what a step wants to leave away, the caller has to allow", () => {
    const steps = [{ run: "make", insecure: ["seccomp" as const] }];
    assert.throws(
      () => plan({ steps }),
      fails("RECIPE_INVALID", /^r\.yaml:10:1: .*seccomp/, { hint: /--insecure-options=seccomp/ }),
    );
    assert.equal(plan({ steps }, ["seccomp"]).layers.length, 1);
  });
  it("RECIPE-60: what needs root is refused with its place before any step is done, and anybody may do the rest", () => {
    const first = { mkdir: { path: "/a" } };
    const refused = (step: NonNullable<RecipeInput["steps"]>[number], message: RegExp, hint: RegExp) =>
      assert.throws(() => plan({ steps: [first, step] }, [], false), fails("NOT_ROOT", message, { hint }));
    refused(
      { run: "make" },
      /^step 2 \(r\.yaml:11:1\): commands .* need root/,
      /sudo perigee build .*copy what it makes/,
    );
    for (const owner of ["33", "www", "0:33", "keep:33"]) {
      refused(
        { mkdir: { path: "/b", owner } },
        /^step 2 \(r\.yaml:11:1\): only root gives files to/,
        /leave the owner out/,
      );
      refused({ copy: { from: "a", to: "/b", owner } }, /only root/, /sudo/);
    }
    const free = ["0", "0:0", "root", "root:root", "keep"].map((owner) => ({ mkdir: { path: "/b", owner } }));
    assert.equal(plan({ steps: [first, ...free] }, [], false).layers.length, 6);
  });
  it("RECIPE-2: no more layers than an overlay takes", () => {
    const steps = (length: number) => Array.from({ length }, () => ({ mkdir: { path: "/a" } }));
    assert.equal(plan({ steps: steps(mostLayers) }).layers.length, mostLayers);
    assert.throws(() => plan({ steps: steps(mostLayers + 1) }), fails("LIMIT_EXCEEDED", /RECIPE-2/));
    assert.equal(plan({ steps: steps(150) }, [], true, mostWithBase - 150).layers.length, 150);
    const tooMany = () => plan({ steps: steps(151) }, [], true, mostWithBase - 150);
    assert.throws(tooMany, fails("LIMIT_EXCEEDED", /151 steps .* the 300 layers of the base/, { hint: /--as aci/ }));
  });
  it("replaceManifest reads a file of the context, and none outside", () => {
    const manifest = JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/other" });
    world.context({ "m.json": manifest, "bad.json": "{}" });
    world.files("outside", { "m.json": manifest });
    symlinkSync("../outside/m.json", world.path("context/out.json"));
    assert.equal(plan({ steps: [{ replaceManifest: "m.json" }] }).name, "example.com/other");
    assert.throws(() => plan({ steps: [{ replaceManifest: "bad.json" }] }), fails("MANIFEST_INVALID"));
    for (const path of ["absent.json", "out.json"]) {
      assert.throws(() => plan({ steps: [{ replaceManifest: path }] }), fails("NOT_FOUND", /^r\.yaml:10/), path);
    }
  });
});

it("RECIPE-4: a reference is an image", () => {
  assert.deepEqual(
    ["empty", "example.com/a:1"].map((base) => baseOf({ base })),
    ["empty", { image: "example.com/a:1" }],
  );
});

it("a title is one short line", () => {
  const titles = Recipe.parse({
    name: "example.com/a",
    steps: [
      { run: "make\n  install\n" },
      { run: ["a", "b c"] },
      { copy: { from: ["a", "b"], to: "/c" } },
      { remove: ["/a", "/b"] },
      { run: "x".repeat(100) },
    ],
  }).steps.map(titleOf);
  assert.deepEqual(titles.slice(0, 4), ["run: make; install", "run: a b c", "copy: a b → /c", "remove: /a /b"]);
  assert.equal([...(titles[4] ?? "")].length, 72);
});
