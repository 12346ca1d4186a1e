import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Recipe, type RecipeInput, type Step } from "../../src/recipe/document.ts";
import { applyStep, beginDraft, draftOf, fieldsAsSteps, finishManifest } from "../../src/recipe/manifest.ts";
import { ImageManifest } from "../../src/schema/image-manifest.ts";
import { fails } from "../helpers/failures.ts";

const recipe = (input: Partial<RecipeInput>) => Recipe.parse({ name: "example.com/made", ...input });
const steps = (list: RecipeInput["steps"]) => recipe({ steps: list }).steps;
const made = (list: readonly Step[], base?: ImageManifest) =>
  JSON.parse(finishManifest(list.reduce(applyStep, beginDraft("example.com/made", base)), "test").toString());
const base = ImageManifest.parse({
  acKind: "ImageManifest",
  acVersion: "0.8.11",
  name: "example.com/base",
  labels: [
    { name: "version", value: "9" },
    { name: "os", value: "linux" },
    { name: "arch", value: "amd64" },
  ],
  annotations: [{ name: "authors", value: "somebody" }],
  pathWhitelist: ["/a"],
  app: {
    exec: ["/base"],
    user: "7",
    group: "8",
    environment: [{ name: "A", value: "1" }],
    ports: [{ name: "http", protocol: "tcp", port: 80 }],
  },
});

describe("the manifest of a recipe", () => {
  it("RECIPE-1: a name alone makes an image without an app", () => {
    assert.deepEqual(made([]), { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/made" });
  });
  it("RECIPE-21: of a base the app stays, and what machine it is for", () => {
    const manifest = made([], base);
    assert.deepEqual(manifest.labels, [
      { name: "os", value: "linux" },
      { name: "arch", value: "amd64" },
    ]);
    assert.deepEqual([manifest.app.exec, manifest.app.user], [["/base"], "7"]);
    assert.deepEqual([manifest.annotations, manifest.pathWhitelist], [undefined, undefined]);
  });
  it("RECIPE-7: entries of one name are replaced in their place, and taken away", () => {
    const manifest = made(
      steps([
        { environment: { B: "2" } },
        { environment: { A: "changed", C: "3", B: null } },
        { port: { name: "http", protocol: "tcp", port: 8080 } },
        { mountPoint: { name: "data", path: "/data" } },
        { mountPoint: { name: "data", remove: true } },
        { label: { arch: null } },
        { annotation: { authors: "me" } },
        { isolator: { name: "resource/memory", value: { limit: "1Gi" } } },
        { eventHandler: { name: "pre-start", exec: ["/x"] } },
        { dependency: { imageName: "example.com/a" } },
        { dependency: { imageName: "example.com/b", labels: [{ name: "version", value: "1" }] } },
        { dependency: { imageName: "example.com/a", remove: true } },
      ]),
      base,
    );
    assert.deepEqual(manifest.app.environment, [
      { name: "A", value: "changed" },
      { name: "C", value: "3" },
    ]);
    assert.deepEqual(
      manifest.app.ports.map(({ port }: { port: number }) => port),
      [8080],
    );
    assert.equal(manifest.app.mountPoints, undefined);
    assert.deepEqual(manifest.labels, [{ name: "os", value: "linux" }]);
    assert.deepEqual(manifest.annotations, [{ name: "authors", value: "me" }]);
    assert.deepEqual(manifest.dependencies, [
      { imageName: "example.com/b", labels: [{ name: "version", value: "1" }] },
    ]);
    assert.equal(manifest.app.eventHandlers.length, 1);
    assert.equal(manifest.app.isolators.length, 1);
  });
  it("every field of an app can be set by a step", () => {
    const { app, name, pathWhitelist } = made(
      steps([
        { name: "example.com/renamed" },
        { exec: ["/a"] },
        { user: "1" },
        { group: "2" },
        { supplementaryGIDs: [3] },
        { workingDirectory: "/srv" },
        { pathWhitelist: ["/a"] },
      ]),
    );
    const expected = { exec: ["/a"], user: "1", group: "2", supplementaryGIDs: [3], workingDirectory: "/srv" };
    assert.deepEqual([app, name, pathWhitelist], [expected, "example.com/renamed", ["/a"]]);
  });
  it("RECIPE-20: the recipe's own fields come after its steps", () => {
    const document = recipe({
      labels: { version: "1" },
      environment: { A: "last" },
      exec: ["/last"],
      user: "www",
      annotations: { authors: "me" },
      ports: [{ name: "http", protocol: "tcp", port: 80 }],
      steps: [{ environment: { A: "first" } }, { exec: ["/first"] }],
    });
    const { app, labels } = made([...document.steps, ...fieldsAsSteps(document)]);
    assert.deepEqual(
      [app.exec, app.user, app.group, app.environment, labels],
      [["/last"], "www", "0", [{ name: "A", value: "last" }], [{ name: "version", value: "1" }]],
    );
  });
  it("RECIPE-31: a command's environment is not the image's", () => {
    assert.equal(made(steps([{ run: "true", environment: { A: "1" }, user: "7" }])).app, undefined);
  });
  it("what no step alone could see is refused with the rule", () => {
    assert.throws(
      () => made(steps([{ label: { arch: "amd64" } }])),
      fails("MANIFEST_INVALID", /that test makes/, { cause: /ACI-28/ }),
    );
  });
  it("a manifest that replaces all is what it was", () => {
    const bytes = finishManifest(draftOf(base), "test");
    assert.deepEqual(ImageManifest.parse(JSON.parse(bytes.toString())), base);
  });
});
