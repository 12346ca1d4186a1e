/** A recipe file → a recipe that knows where each of its parts stands; every complaint says file, line, column and rule. */
import { basename, extname } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { closest } from "../base/suggest.ts";
import { meant, ruleOf } from "../schema/rule-words.ts";
import { type JsonPosition, type LocatedJson, parseLocatedJson } from "../schema/strict-json.ts";
import { type Issue, issuesOf, refusal } from "../schema/validate.ts";
import { Recipe, type Step, type StepName, stepNames, stepSchemas } from "./document.ts";
import { parseLocatedYaml, valueLimit } from "./yaml.ts";

export interface LocatedRecipe {
  readonly recipe: Recipe;
  /** As it was named, for messages. */
  readonly file: string;
  /** Where the value at `path` stands: `["steps", 2]`; with `file`, when that is another than the recipe's. */
  locate(path: readonly PropertyKey[]): JsonPosition & { readonly file?: string };
}

const sizeLimit = 1024 * 1024;

/** `.json` is strict JSON, everything else YAML. @throws Failure NOT_FOUND, RECIPE_INVALID, JSON_INVALID, LIMIT_EXCEEDED */
export async function readRecipe(path: string): Promise<LocatedRecipe> {
  const bytes = await readIfExists(path, sizeLimit);
  if (bytes === undefined) {
    throw new Failure("NOT_FOUND", `the recipe ${printable(path)} is not there`, {
      subject: path,
      hint: "perigee build -f recipe.yaml",
    });
  }
  const isJson = extname(basename(path)) === ".json";
  return parseRecipeValue(isJson ? parseLocatedJson(bytes, path) : parseLocatedYaml(bytes, path), path);
}

/** The recipe of a document that was parsed already. @throws Failure RECIPE_INVALID listing every issue with its place */
export function parseRecipeValue(located: LocatedJson, file: string): LocatedRecipe {
  const { value, locate } = located;
  requireFewValues(value, file);
  const parsed = Recipe.safeParse(value, { error: ruleOf });
  if (parsed.success) return { recipe: parsed.data, file, locate };
  const issues = issuesOf(parsed.error, value);
  const steps = stepsOf(value);
  const others = issues.filter(({ path }) => !(path[0] === "steps" && path.length > 1));
  const own = steps.flatMap((step, index) => stepIssues(step, index));
  throw refusal("RECIPE_INVALID", file, own.length + others.length > 0 ? [...others, ...own] : issues, locate, {
    prefix: `${printable(file)}:`,
    hint: hintFor(steps),
  });
}

/** Nobody is heard while the schema looks at the values, and at what is wrong with each of them. */
function requireFewValues(value: unknown, file: string): void {
  const left = [value];
  for (let count = 0; left.length > 0; count += 1) {
    const next = left.pop();
    if (count + left.length >= valueLimit) {
      throw new Failure("LIMIT_EXCEEDED", `RECIPE-3: ${printable(file)} has more than ${valueLimit} values`, {
        subject: file,
        hint: "copy directories and globs instead of single files, or make several images of it",
      });
    }
    if (typeof next === "object" && next !== null) for (const member of Object.values(next)) left.push(member);
  }
}

/** What a step is called. */
export function stepName(step: Step): StepName {
  const name = stepNames.find((candidate) => candidate in step);
  if (name === undefined) throw new Failure("INTERNAL", "a step without a name");
  return name;
}

/** `recipe.yaml:12:5` */
export function placeOf(located: Pick<LocatedRecipe, "file" | "locate">, path: readonly PropertyKey[]): string {
  const { line, column, file = located.file } = located.locate(path);
  return `${printable(file)}:${line}:${column}`;
}

function stepsOf(value: unknown): readonly unknown[] {
  const steps: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "steps") : undefined;
  return Array.isArray(steps) ? steps : [];
}

/** `run` has options beside it that are steps of their own, too. */
function nameOf(step: object): StepName | undefined {
  return "run" in step ? "run" : stepNames.find((candidate) => candidate in step);
}

function hintFor(steps: readonly unknown[]): string {
  const isUnknown = (step: unknown): boolean => typeof step === "object" && step !== null && nameOf(step) === undefined;
  const names = steps.some(isUnknown) ? `steps are ${stepNames.join(", ")}; ` : "";
  return `${names}docs/recipes.md has the reference`;
}

/** Against the schema of the step that is meant; "matches none of 22 forms" would help nobody. */
function stepIssues(step: unknown, index: number): readonly Issue[] {
  const path = ["steps", index];
  if (typeof step !== "object" || step === null || Array.isArray(step)) {
    return [{ path, message: "RECIPE-2: a step is a map with one key, such as run: …" }];
  }
  const keys = Object.keys(step);
  const name = nameOf(step);
  if (name === undefined) {
    return [
      {
        path: [...path, ...keys.slice(0, 1)],
        message: `RECIPE-2: unknown step ${JSON.stringify(keys[0] ?? "")}${meant(closest(keys[0] ?? "", stepNames))}`,
      },
    ];
  }
  const extra = name === "run" ? [] : keys.filter((key) => key !== name);
  if (extra.length > 0) {
    return extra.map((key) => ({
      path: [...path, key],
      message: `RECIPE-2: ${JSON.stringify(key)} beside ${name}; a step has one key`,
    }));
  }
  const { error } = stepSchemas[name].safeParse(step, { error: ruleOf });
  if (error === undefined) return [];
  return issuesOf(error, step).map((issue) => ({ path: [...path, ...issue.path], message: issue.message }));
}
