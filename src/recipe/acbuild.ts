/** An acbuild script → the recipe it means. Every complaint says file, line and column; nothing is run or built here. */
import { excerpt, Failure } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import type { JsonPosition } from "../schema/strict-json.ts";
import { readCall } from "./acbuild-call.ts";
import { commands, type Draft, type StepInput } from "./acbuild-commands.ts";
import { readContextFile } from "./acbuild-files.ts";
import { type CommandLine, commandLines, type Place, scriptFailure, showPlace, type Word } from "./acbuild-words.ts";
import { Recipe, type RecipeInput, stepNames, stepSchemas } from "./document.ts";

/** A recipe that knows where each of its steps stands in the script. */
export interface ScriptRecipe {
  readonly recipe: Recipe;
  readonly file: string;
  /** Where the value at `path` stands: `["steps", 2]`. */
  locate(path: readonly PropertyKey[]): JsonPosition & { readonly file?: string };
  /** Where the script writes the image, and whether over another. */
  readonly output: { readonly path: string; readonly overwrite: boolean } | undefined;
  /** What is not done as acbuild did it, as sentences. */
  readonly notes: readonly string[];
}

export interface ScriptOptions {
  /** What the script's own files are relative to. */
  readonly context: string;
}

const sizeLimit = 1024 * 1024;
/** A script that calls itself ends here. */
const deepestScript = 8;
const mostLines = 10_000;

interface Reading extends ScriptOptions {
  readonly draft: Draft;
  readonly steps: { readonly step: StepInput; readonly place: Place }[];
  lines: number;
}

/** @throws Failure NOT_FOUND, RECIPE_INVALID, LIMIT_EXCEEDED */
export async function readAcbuildScript(path: string, options: ScriptOptions): Promise<ScriptRecipe> {
  const bytes = await readIfExists(path, sizeLimit);
  if (bytes === undefined) {
    throw new Failure("NOT_FOUND", `the script ${path} is not there`, {
      subject: path,
      hint: "perigee build --script FILE",
    });
  }
  return await parseAcbuildScript(bytes, path, options);
}

/** As readAcbuildScript, of bytes. */
export async function parseAcbuildScript(bytes: Buffer, file: string, options: ScriptOptions): Promise<ScriptRecipe> {
  const draft: Draft = {
    base: "empty",
    basePlace: undefined,
    hasBegun: false,
    hasEnded: false,
    name: undefined,
    output: undefined,
    namedBy: new Map(),
    notes: [],
  };
  const reading: Reading = { ...options, draft, steps: [], lines: 0 };
  const lines = commandLines(textOf(bytes, file), file);
  await readLines(lines, reading, 0);
  const last = lines.at(-1)?.[0]?.place ?? { file, line: 1, column: 1 };
  if (!draft.hasBegun) throw scriptFailure(last, "ACB-6", "the script begins with no image", "begin");
  if (draft.name === undefined) throw scriptFailure(last, "ACB-6", "the image has no name", "set-name example.com/app");
  const places = reading.steps.map(({ place }) => place);
  const value: RecipeInput = { name: draft.name, base: draft.base, steps: reading.steps.map(({ step }) => step) };
  const { output, notes } = draft;
  return { recipe: checked(value, reading.steps, last), file, output, notes, locate: locator(places, draft.basePlace) };
}

function textOf(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw scriptFailure({ file, line: 1, column: 1 }, "ACB-1", "the script is not UTF-8");
  }
}

async function readLines(lines: readonly CommandLine[], reading: Reading, depth: number): Promise<void> {
  for (const line of lines) {
    const place = line[0]?.place ?? { file: "", line: 1, column: 1 };
    reading.lines += 1;
    if (reading.lines > mostLines) throw scriptFailure(place, "ACB-3", `more than ${mostLines} commands`);
    if (line[0]?.text === "script") await readNested(line, reading, depth);
    else await readLine(line, place, reading);
  }
}

/** `script FILE`: as if its lines stood here. */
async function readNested(line: CommandLine, reading: Reading, depth: number): Promise<void> {
  const [command, file, ...others] = line;
  if (command === undefined || file === undefined || others.length > 0) {
    throw scriptFailure((command ?? file)?.place ?? { file: "", line: 1, column: 1 }, "ACB-3", "it is script FILE");
  }
  if (depth === deepestScript) throw scriptFailure(command.place, "ACB-3", "scripts in scripts, too deep");
  const bytes = await readContextFile(reading.context, file, sizeLimit);
  await readLines(commandLines(textOf(bytes, file.text), file.text), reading, depth + 1);
}

async function readLine(line: CommandLine, place: Place, reading: Reading): Promise<void> {
  const { draft, context } = reading;
  const call = readCall(line, commands);
  // Programs of the image may read variables themselves.
  const isForPrograms = ["run", "set-exec", "set-event-handler"].includes(call.name);
  const variable = isForPrograms ? undefined : line.find(({ hasVariable }) => hasVariable === true);
  if (variable !== undefined) {
    draft.notes.push(
      `${showPlace(variable.place)}: ${excerpt(variable.text)} is taken as it stands: nothing is substituted`,
    );
  }
  requireOrder(call.name, place, draft);
  const read = (file: Word): Promise<Buffer> => readContextFile(context, file, sizeLimit);
  for (const step of (await commands[call.name]?.steps(call, draft, read)) ?? []) reading.steps.push({ step, place });
}

/** ACB-6: begin first and once, nothing changes the image behind write, nothing at all follows end. */
function requireOrder(name: string, place: Place, draft: Draft): void {
  if (draft.hasEnded) throw scriptFailure(place, "ACB-6", `${name} behind end`);
  if (name === "begin") {
    if (draft.hasBegun) throw scriptFailure(place, "ACB-6", "a second begin", "make a script for each image");
    draft.hasBegun = true;
    return;
  }
  if (["version", "help"].includes(name)) return;
  if (!draft.hasBegun) throw scriptFailure(place, "ACB-6", `${name} before begin`, "begin");
  if (draft.output !== undefined && !["write", "end", "cat-manifest"].includes(name)) {
    throw scriptFailure(place, "ACB-6", `${name} behind write would not be in the image`, "move it up");
  }
}

/** By the schema of recipes, with the script's own places. */
function checked(value: RecipeInput, steps: Reading["steps"], last: Place): Recipe {
  for (const [index, { step }] of steps.entries()) {
    const name = stepNames.find((candidate) => candidate in step);
    const error = name === undefined ? undefined : stepSchemas[name].safeParse(step).error;
    if (error !== undefined) throw stepFailure(steps[index]?.place ?? last, error.issues);
  }
  const parsed = Recipe.safeParse(value);
  if (parsed.success) return parsed.data;
  throw stepFailure(last, parsed.error.issues);
}

interface SchemaIssue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  /** Of a union, and of a key. */
  readonly errors?: readonly (readonly SchemaIssue[])[];
  readonly issues?: readonly SchemaIssue[];
}

/** Of a union the branch whose complaint is a rule of ours, or lies deepest. */
function stepFailure(place: Place, issues: readonly SchemaIssue[]): Failure {
  const [best] = leaves(issues).toSorted((one, other) => rank(other) - rank(one));
  return new Failure("RECIPE_INVALID", `${showPlace(place)}: ${best?.message ?? "not a valid command"}`, {
    subject: showPlace(place),
  });
}

function leaves(issues: readonly SchemaIssue[]): readonly SchemaIssue[] {
  return issues.flatMap((issue) => {
    const inner = issue.issues ?? (issue.errors ?? []).flat();
    return inner.length === 0 ? [issue] : leaves(inner.map((one) => ({ ...one, path: [...issue.path, ...one.path] })));
  });
}

function rank({ message, path, code }: SchemaIssue): number {
  return (/^[A-Z]+-\d+:/.test(message) ? 100 : 0) + path.length - (code === "unrecognized_keys" ? 50 : 0);
}

function locator(places: readonly Place[], base: Place | undefined): ScriptRecipe["locate"] {
  const placeOf = ([field, index]: readonly PropertyKey[]): Place | undefined =>
    field === "base" ? base : field === "steps" ? places[Number(index)] : undefined;
  return (path) => placeOf(path) ?? { line: 1, column: 1 };
}
