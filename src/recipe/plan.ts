/** A recipe and its base → what each step is given and what the manifest will be: everything that can be decided, and refused, before any work. */
import { Failure, printable } from "../base/failure.ts";
import { type Dependency, ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { readInContext } from "./context.ts";
import type { Base, Recipe, Step } from "./document.ts";
import { isFileStep } from "./files.ts";
import { applyStep, beginDraft, type Draft, draftOf, fieldsAsSteps, finishManifest } from "./manifest.ts";
import { type LocatedRecipe, placeOf, stepName } from "./read.ts";

/** A step that makes a layer. */
export interface PlannedStep {
  /** Counted from 1 over all steps. */
  readonly number: number;
  /** `recipe.yaml:12:5` */
  readonly place: string;
  readonly step: Step;
  /** `run: apk add nginx`, for people. */
  readonly title: string;
  /** Of the image, as the steps before have set it. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly dependencies: readonly Dependency[];
}

export interface RecipePlan {
  readonly layers: readonly PlannedStep[];
  /** Of all steps, in order. */
  readonly titles: readonly string[];
  readonly manifest: Buffer;
  readonly name: string;
  readonly labels: Draft["labels"];
  readonly dependencies: readonly Dependency[];
}

/** Lower directories that one overlay mount has room for, with some to spare (RECIPE-2). */
export const mostLayers = 300;
/** With the layers of the base, which overlays take up to 500 of. */
export const mostWithBase = 450;

/** The base as one of its forms (RECIPE-4). */
export function baseOf({ base }: Pick<Recipe, "base">): Exclude<Base, string> | "empty" {
  if (typeof base === "object" || base === "empty") return base as Exclude<Base, string> | "empty";
  return { image: base };
}

/** `insecure`: what the caller allows steps to ask for. @throws Failure RECIPE_INVALID, NOT_ROOT, MANIFEST_INVALID, NOT_FOUND, LIMIT_EXCEEDED */
export function planRecipe(
  located: LocatedRecipe,
  options: {
    readonly context: string;
    readonly base?: ImageManifest | undefined;
    /** How many layers the base has. */
    readonly baseLayers?: number | undefined;
    readonly insecure: ReadonlySet<string>;
    readonly isRoot: boolean;
  },
): RecipePlan {
  const { recipe } = located;
  const base = baseOf(recipe);
  let draft = beginDraft(recipe.name, options.base);
  if (typeof base === "object" && "dependency" in base) draft = applyStep(draft, dependencyStep(base));
  const layers: PlannedStep[] = [];
  for (const [index, step] of recipe.steps.entries()) {
    const place = placeOf(located, ["steps", index]);
    if ("run" in step || isFileStep(step)) {
      if (!options.isRoot) requireAnybody(step, place, `step ${index + 1} (${place})`);
      if ("run" in step) requireAllowed(step.insecure ?? [], options.insecure, place);
      layers.push(planned(draft, step, index + 1, place));
    }
    draft =
      "replaceManifest" in step ? replacement(options.context, step.replaceManifest, place) : applyStep(draft, step);
  }
  requireFewLayers(layers.length, options.baseLayers);
  draft = fieldsAsSteps(recipe).reduce(applyStep, draft);
  const manifest = finishManifest(draft, printable(located.file));
  const { name, labels, dependencies } = draft;
  return { layers, titles: recipe.steps.map(titleOf), manifest, name, labels, dependencies };
}

function requireFewLayers(own: number, ofBase = 1): void {
  if (own > mostLayers) {
    throw new Failure("LIMIT_EXCEEDED", `RECIPE-2: ${own} steps change files, more than the ${mostLayers} allowed`);
  }
  if (own + ofBase <= mostWithBase) return;
  const layers = `${own} steps change files upon the ${ofBase} layers of the base`;
  throw new Failure("LIMIT_EXCEEDED", `RECIPE-2: ${layers}, together more than the ${mostWithBase} allowed`, {
    hint: "make one layer of the base: perigee image export --as aci IMAGE base.aci, then base: {file: base.aci}",
  });
}

function dependencyStep(base: Extract<Base, { dependency: unknown }>): Step {
  const { dependency: imageName, labels = {}, imageID } = base;
  const list = Object.entries(labels).map(([name, value]) => ({ name, value }));
  return { dependency: { imageName, labels: list, imageID } } as Step;
}

function planned(draft: Draft, step: Step, number: number, place: string): PlannedStep {
  const { dependencies } = draft;
  const environment = draft.app.environment.map(({ name, value }) => [name, value] as const);
  return { number, place, step, title: titleOf(step), environment, dependencies };
}

/** One line of what a step does. */
export function titleOf(step: Step): string {
  const name = stepName(step);
  const value: unknown = Reflect.get(step, name);
  return cut(printable(`${name}: ${subjectOf(step) ?? (typeof value === "string" ? value : JSON.stringify(value))}`));
}

function subjectOf(step: Step): string | undefined {
  if ("run" in step)
    return typeof step.run === "string" ? step.run.trim().replace(/(?<!\s)\s*\n\s*/g, "; ") : step.run.join(" ");
  if ("copy" in step) return `${[step.copy.from].flat().join(" ")} → ${step.copy.to}`;
  if ("write" in step) return step.write.to;
  if ("mkdir" in step) return step.mkdir.path;
  if ("symlink" in step) return `${step.symlink.path} → ${step.symlink.target}`;
  return "remove" in step ? [step.remove].flat().join(" ") : undefined;
}

function cut(text: string): string {
  const points = [...text];
  return points.length <= 72 ? text : `${points.slice(0, 71).join("")}…`;
}

/** RECIPE-33: a recipe may come from somebody else; what it loosens, the caller has to say too. */
function requireAllowed(asked: readonly string[], allowed: ReadonlySet<string>, place: string): void {
  const missing = asked.filter((name) => !allowed.has(name));
  if (missing.length === 0) return;
  throw new Failure(
    "RECIPE_INVALID",
    `${place}: the step asks to run without ${missing.join(", ")}, which nobody allowed`,
    {
      subject: place,
      hint: `add --insecure-options=${asked.join(",")} if you trust the recipe`,
    },
  );
}

/** RECIPE-60, before the steps that lie ahead of it have cost anything. @throws Failure NOT_ROOT */
function requireAnybody(step: Step, place: string, told: string): void {
  if ("run" in step) {
    throw new Failure("NOT_ROOT", `${told}: commands of a recipe run in pods, which need root`, {
      subject: place,
      hint: "sudo perigee build …, or do before what the command does, and copy what it makes",
    });
  }
  const owner = ownerOf(step);
  if (owner === undefined || /^(keep|(0|root)(:(0|root))?)$/.test(owner)) return;
  throw new Failure("NOT_ROOT", `${told}: only root gives files to ${printable(owner)}`, {
    subject: place,
    hint: "sudo perigee build …, or leave the owner out: the file belongs to root then",
  });
}

function ownerOf(step: Step): string | undefined {
  if ("copy" in step) return step.copy.owner;
  if ("write" in step) return step.write.owner;
  if ("mkdir" in step) return step.mkdir.owner;
  return "symlink" in step ? step.symlink.owner : undefined;
}

function replacement(context: string, path: string, place: string): Draft {
  const bytes = readInContext(context, path, 4 * 1024 * 1024);
  if (bytes === undefined) {
    throw new Failure("NOT_FOUND", `${place}: ${printable(path)} is not there`, { subject: path });
  }
  return draftOf(parseDocument(ImageManifest, bytes, path));
}
