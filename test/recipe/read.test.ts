import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stepNames } from "../../src/recipe/document.ts";
import { parseRecipeValue, placeOf, readRecipe, stepName } from "../../src/recipe/read.ts";
import { parseLocatedYaml } from "../../src/recipe/yaml.ts";
import { parseLocatedJson } from "../../src/schema/strict-json.ts";
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
    assert.equal(placeOf(yaml, ["steps", 0]), `${join(directory, "r.yaml")}:3:5`);
  });
  it("a recipe that is not there", async () => {
    await assert.rejects(readRecipe("/nonexistent/r.yaml"), fails("NOT_FOUND", /recipe/));
  });
  it("RECIPE-3: has 20 000 values at most, right or wrong, in JSON and by aliases", () => {
    const values = (count: number, one = '"a"') => `[${Array(count).fill(one).join(",")}]`;
    const json = (exec: string) =>
      parseRecipeValue(parseLocatedJson(Buffer.from(`{"name":"example.com/a","exec":${exec}}`), "r.json"), "r.json");
    // The document, its name and the list are values, too.
    assert.equal(json(values(20_000 - 3)).recipe.exec?.length, 19_997);
    for (const one of ['"a"', "1", "{}", '{"a":[]}']) {
      assert.throws(
        () => json(values(20_000 - 2, one)),
        fails("LIMIT_EXCEEDED", /^RECIPE-3: r\.json has more than 20000/),
        one,
      );
    }
    const unfolded = `name: example.com/a\nx: &x ${values(1000)}\nsteps: [${"*x,".repeat(20)}]\n`;
    assert.throws(() => parse(unfolded), fails("RECIPE_INVALID", /RECIPE-3: more than 20000 values/));
  });
  it("a JSON recipe is read strictly", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "r.json"), '{"name": "example.com/a", "name": "example.com/b"}');
    await assert.rejects(readRecipe(join(directory, "r.json")), fails("JSON_INVALID", /line 1 column 27/));
  });
});

describe("what is said of a wrong recipe", () => {
  it("RECIPE-2: an unknown step by its name, with the nearest one, and with all of them uncut", () => {
    assert.throws(
      () => parse("name: example.com/a\nsteps:\n  - cpoy: {}\n"),
      fails("RECIPE_INVALID", /r\.yaml breaks/, {
        cause: /^r\.yaml:3:5 steps\[0\]\.cpoy: RECIPE-2: unknown step "cpoy"; did you mean copy\?$/,
        hint: new RegExp(`steps are ${stepNames.join(", ")};`),
      }),
    );
  });
  it("RECIPE-1: an unknown field where it stands, in JSON too, with the nearest one", () => {
    refused(
      "name: example.com/a\nstps:\n  - run: ls\n",
      /^r\.yaml:2:1 stps: unknown field stps; did you mean steps\?$/,
    );
    refused("name: example.com/a\nexex: [a]\nstps: []\n", /^r\.yaml:2:1 exex: .*exec\?\nr\.yaml:3:1 stps: .*steps\?$/);
    const json = Buffer.from('{"name": "example.com/a",\n "stps": []}');
    assert.throws(
      () => parseRecipeValue(parseLocatedJson(json, "r.json"), "r.json"),
      fails("RECIPE_INVALID", /r\.json breaks one rule/, { cause: /^r\.json:2:10 stps: / }),
    );
  });
  it("RECIPE-2: of an entry the field that is wrong, and not that it could be taken away", () => {
    const step = (text: string) => `name: example.com/a\nsteps:\n  - ${text}\n`;
    refused(
      step('port: {name: http, protocol: tcp, port: "80"}'),
      /^\S+ steps\[0\]\.port\.port: expected a number, got a string$/,
    );
    refused(step("port: {name: http, protocol: tcp}"), /^\S+ steps\[0\]\.port\.port: this field is needed$/);
    refused(step("port: {name: http, remove: false}"), /^\S+ steps\[0\]\.port\.remove: expected true$/);
    refused(
      step("eventHandler: {name: pre-start, exec: ls}"),
      /^\S+ steps\[0\]\.eventHandler\.exec: expected a list, got a string$/,
    );
  });
  it("RECIPE-4: a base of no known form, and the field of one that is", () => {
    refused(
      "name: example.com/a\nbase: {dir: x}\n",
      /^r\.yaml:2:1 base: RECIPE-4: a base is a reference, or an object/,
    );
    refused(
      "name: example.com/a\nbase: {dependency: example.com/b, labels: {version: 12}}\n",
      /^r\.yaml:2:\d+ base\.labels\.version: expected a string/,
    );
  });
  it("RECIPE-8: a version that YAML made a number of", () => {
    refused(
      "name: example.com/a\nlabels: {version: 1.0}\n",
      /^r\.yaml:2:10 labels\.version: expected a string, got a number; put it in quotes$/,
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
