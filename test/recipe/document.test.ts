import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Recipe, recipeSchemas, stepNames } from "../../src/recipe/document.ts";
import { matches } from "../helpers/json-schema.ts";

const base = { name: "example.com/web" };
const published: unknown = JSON.parse([...recipeSchemas().values()][0] ?? "");
/** By our schema, and by the one that editors use, which says the same unless the rule has no form in JSON Schema. */
function isValid(document: unknown, beyondJsonSchema = false): boolean {
  const { success } = Recipe.safeParse(document);
  assert.equal(matches(published, document), success || beyondJsonSchema, JSON.stringify(document).slice(0, 200));
  return success;
}
const isStep = (step: unknown, beyondJsonSchema = false) => isValid({ ...base, steps: [step] }, beyondJsonSchema);

describe("the recipe document", () => {
  it("spec/schema/recipe.schema.json is what the schema says (else: node scripts/schemas.mjs)", () => {
    for (const [name, text] of recipeSchemas()) {
      assert.equal(readFileSync(new URL(`../../../spec/schema/${name}`, import.meta.url), "utf8"), text);
    }
  });
  it("RECIPE-1: a name is enough; what is left out has its default", () => {
    const recipe = Recipe.parse(base);
    assert.equal(recipe.base, "empty");
    assert.deepEqual(recipe.steps, []);
    assert.deepEqual(recipe.environment, {});
  });
  it("RECIPE-1: an unknown field is refused", () => assert.ok(!isValid({ ...base, step: [] })));
  it("RECIPE-2: a step has exactly one of the known keys", () => {
    assert.ok(isStep({ mkdir: { path: "/srv" } }));
    assert.ok(!isStep({ mkdirs: { path: "/srv" } }));
    assert.ok(!isStep({ mkdir: { path: "/srv" }, remove: "/tmp" }));
    assert.ok(!isStep({}));
  });
  it("RECIPE-2: at most 1000 steps", () => {
    const steps = (count: number) => Array.from({ length: count }, () => ({ remove: "/tmp" }));
    assert.ok(isValid({ ...base, steps: steps(1000) }));
    assert.ok(!isValid({ ...base, steps: steps(1001) }));
  });
  it("RECIPE-1: a field of a list's entry that is misspelt is refused, and the checks of the entry stay", () => {
    assert.ok(!isStep({ mountPoint: { name: "data", path: "/data", readonly: true } }));
    assert.ok(!isValid({ ...base, ports: [{ name: "http", protocol: "tcp", port: 80, socketactivated: true }] }));
    assert.ok(!isStep({ port: { name: "many", protocol: "tcp", port: 65535, count: 2 } }, true));
    assert.ok(!isStep({ isolator: { name: "resource/memory", value: { limit: "much" } } }, true));
  });
  it("RECIPE-4: every form of a base", () => {
    for (const form of [
      "empty",
      "example.com/base:1.0",
      "./base.aci",
      { image: "example.com/base" },
      { file: "base.aci" },
      { directory: "rootfs" },
      { dependency: "example.com/base", labels: { version: "1.0" } },
    ]) {
      assert.ok(isValid({ ...base, base: form }), JSON.stringify(form));
    }
    assert.ok(!isValid({ ...base, base: { docker: "debian" } }));
  });
  it("RECIPE-5: a mode is text, never a number", () => {
    const copy = (mode: unknown) => ({ copy: { from: "a", to: "/a", mode } });
    assert.ok(isStep(copy("0755")));
    for (const mode of [755, 493, "0888", "075555", ""]) assert.ok(!isStep(copy(mode)), String(mode));
  });
  it("RECIPE-6: an owner is a user, or a user and a group", () => {
    const copy = (owner: unknown) => ({ copy: { from: "a", to: "/a", owner } });
    for (const owner of ["0:0", "www-data", "33", "www-data:33", "keep"]) assert.ok(isStep(copy(owner)), owner);
    for (const owner of ["", ":", "a:b:c", "a b", 0]) assert.ok(!isStep(copy(owner)), String(owner));
  });
  it("RECIPE-11: what is copied is named inside of the context", () => {
    const copy = (from: unknown) => ({ copy: { from, to: "/a" } });
    for (const from of ["a", "./a", "a/**/*.js", ["a", "b"]]) assert.ok(isStep(copy(from)), String(from));
    for (const from of ["", [], "a\u0000"]) assert.ok(!isStep(copy(from)), String(from));
    for (const from of ["/etc", "../a", "a/../../b"]) assert.ok(!isStep(copy(from), true), from);
  });
  it("RECIPE-7: lists by name take additions and removals", () => {
    assert.ok(isStep({ environment: { A: "1", B: null } }));
    assert.ok(isStep({ port: { name: "http", protocol: "tcp", port: 80 } }));
    assert.ok(isStep({ port: { name: "http", remove: true } }));
    assert.ok(isStep({ dependency: { imageName: "example.com/a", remove: true } }));
    assert.ok(!isStep({ port: { name: "http", remove: false } }));
  });
  it("every step is described", () => assert.equal(stepNames.length, 22));
});
