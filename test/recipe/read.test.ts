import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseRecipeValue, placeOfStep, readRecipe, stepName } from "../../src/recipe/read.ts";
import { parseLocatedYaml } from "../../src/recipe/yaml.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const parse = (text: string) => parseRecipeValue(parseLocatedYaml(Buffer.from(text), "r.yaml"), "r.yaml");
const refused = (text: string, cause: RegExp) =>
  assert.throws(() => parse(text), fails("RECIPE_INVALID", /r\.yaml breaks/, { cause }));

describe("readRecipe", () => {
  it("YAML and JSON of one document are one recipe", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "r.yaml"), "name: example.com/a\nsteps:\n  - run: [ls]\n");
    writeFileSync(join(directory, "r.json"), '{"name": "example.com/a", "steps": [{"run": ["ls"]}]}');
    const [yaml, json] = [await readRecipe(join(directory, "r.yaml")), await readRecipe(join(directory, "r.json"))];
    assert.deepEqual(yaml.recipe, json.recipe);
    assert.equal(placeOfStep(yaml, 0), `${join(directory, "r.yaml")}:3`);
  });
  it("a recipe that is not there", async () => {
    await assert.rejects(readRecipe("/nonexistent/r.yaml"), fails("NOT_FOUND", /recipe/));
  });
  it("a JSON recipe is read strictly", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "r.json"), '{"name": "example.com/a", "name": "example.com/b"}');
    await assert.rejects(readRecipe(join(directory, "r.json")), fails("JSON_INVALID", /line 1 column 27/));
  });
});

describe("what is said of a wrong recipe", () => {
  it("RECIPE-2: an unknown step by its name, with the known ones", () => {
    refused(
      "name: example.com/a\nsteps:\n  - cpoy: {}\n",
      /^r\.yaml:3:5 steps\[0\]\.cpoy: RECIPE-2: unknown step "cpoy"; steps are copy, run/,
    );
  });
  it("RECIPE-2: two keys, and a step that is no map", () => {
    refused(
      "name: example.com/a\nsteps:\n  - mkdir: {path: /a}\n    remove: /b\n",
      /r\.yaml:4:5 .*"remove" beside mkdir|"mkdir" beside/,
    );
    refused("name: example.com/a\nsteps:\n  - run\n", /^r\.yaml:3:5 steps\[0\]: RECIPE-2/);
  });
  it("an issue inside of a step names the field of that step alone", () => {
    refused(
      "name: example.com/a\nsteps:\n  - copy: {from: a, to: b}\n",
      /^r\.yaml:3:\d+ steps\[0\]\.copy\.to: an absolute path$/,
    );
    refused("name: example.com/a\nsteps:\n  - run: ls\n    network: bridge\n", /^r\.yaml:4:5 steps\[0\]\.network/);
  });
  it("RECIPE-5: a mode that YAML made a number of", () => {
    refused(
      "name: example.com/a\nsteps:\n  - copy: {from: a, to: /b, mode: 0755}\n",
      /RECIPE-5: a mode is octal digits in quotes/,
    );
  });
  it("issues of fields and of steps together", () => {
    refused("nam: example.com/a\nsteps:\n  - cpoy: {}\n", /this field is needed[\s\S]*unknown step/);
  });
});

it("a step is called by its key, with `run` before its options", () => {
  const { recipe } = parse(
    "name: example.com/a\nsteps:\n  - run: ls\n    user: nobody\n    environment: {A: b}\n  - user: www\n",
  );
  assert.deepEqual(recipe.steps.map(stepName), ["run", "user"]);
});
