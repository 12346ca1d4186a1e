/** Builds an image from a recipe: reads it, has the images fetched that it begins with, and lets recipe/ carry it out. */
import { dirname, resolve } from "node:path";
import { printable } from "../base/failure.ts";
import { compressionWords } from "../image/compress.ts";
import { type BuiltRecipe, buildImageOf, buildTree, type RecipeBuild, runShell } from "../recipe/build.ts";
import { holdCache, openCache } from "../recipe/cache.ts";
import { openContext } from "../recipe/context.ts";
import { removeDeadStepPods } from "../recipe/dead-pods.ts";
import { planRecipe, type RecipePlan } from "../recipe/plan.ts";
import { type LocatedRecipe, readRecipe } from "../recipe/read.ts";
import type { BuildChoices, BuildExtras } from "./build.ts";
import { hostFile } from "./decide.ts";
import { baseDirectory, fetchBase, fetchDependencies } from "./recipe-images.ts";
import { requireRoot, type Settings } from "./settings.ts";
import { warnIfStale } from "./stale-signature.ts";

export interface RecipeOptions {
  /** YAML, or JSON with a name that ends in `.json`. */
  readonly file: string;
  /** What `file` is written in: an acbuild script (docs/acbuild.md), or a recipe when absent. */
  readonly language?: "acbuild" | undefined;
  /** The directory that files are copied from; that of the recipe when absent. */
  readonly context?: string | undefined;
  /** false: every step is done again. */
  readonly useCache?: boolean | undefined;
  /** `new` when absent. */
  readonly pullPolicy?: "new" | "never" | "update" | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BuildRecipeOptions extends RecipeOptions, BuildChoices {
  /** `NAME[-VERSION].aci` in the working directory when absent, after the last part of the image's name. */
  readonly output?: string | undefined;
}

export interface RecipeResult extends BuiltRecipe, BuildExtras {}

/** @throws Failure RECIPE_INVALID, STEP_FAILED, NOT_ROOT, and what fetching and building throw; nothing but the cache is left */
export async function buildFromRecipe(settings: Settings, options: BuildRecipeOptions): Promise<RecipeResult> {
  const { recipe, written } = await readSource(settings, options);
  const { output = written?.path, overwrite = written?.overwrite, sbom, signal } = options;
  const image = await withBuild(settings, recipe, { ...options, output, overwrite }, async (build) => {
    if (sbom === undefined) return await buildImageOf(build, await buildTree(build));
    const { buildRecipeWithSbom } = await import("./recipe-sbom.ts");
    return await buildRecipeWithSbom(settings, build, sbom);
  });
  await warnIfStale(image.path, settings.log, signal);
  if (options.check !== true) return image;
  const { checkBuild } = await import("./check-build.ts");
  const words = wordsOf(options, written !== undefined);
  const check = await checkBuild(settings, {
    path: image.path,
    sbom,
    signal,
    prepare: async () => ({ words, copied: false }),
  });
  return { ...image, check };
}

/** The recipe of a file, and where a script itself says that it writes the image. */
async function readSource({ log }: Settings, options: RecipeOptions) {
  if (options.language !== "acbuild") return { recipe: await readRecipe(options.file), written: undefined };
  const { readAcbuildScript } = await import("../recipe/acbuild.ts");
  const script = await readAcbuildScript(options.file, { context: contextOf(options) });
  for (const note of script.notes) log.warn(note);
  return { recipe: script, written: script.output };
}

function contextOf({ file, context }: RecipeOptions): string {
  return resolve(context ?? dirname(file));
}

/** The words that make another process carry out the same, and every step of it. */
function wordsOf(options: BuildRecipeOptions, overwrites: boolean): readonly string[] {
  const { file, language, compression, sbom, pullPolicy = "new" } = options;
  return [
    language === "acbuild" ? "--script" : "--file",
    resolve(file),
    "--context",
    contextOf(options),
    "--no-cache",
    "--pull-policy",
    // The same images as the first time, also when newer ones were published meanwhile.
    pullPolicy === "update" ? "new" : pullPolicy,
    ...compressionWords(compression),
    ...(sbom === undefined ? [] : [`--sbom=${sbom}`]),
    ...(overwrites ? ["--overwrite"] : []),
  ];
}

export interface EnterRecipeOptions extends RecipeOptions {
  /** From 1; the state before it. */
  readonly step: number;
}

/**
 * A shell in a pod, with this process's standard descriptors. @returns its exit status, when nothing of the pod is left
 * @throws Failure as buildFromRecipe
 */
export async function enterRecipe(settings: Settings, options: EnterRecipeOptions): Promise<number> {
  requireRoot(settings, "build");
  const { recipe } = await readSource(settings, options);
  return await withBuild(settings, recipe, options, async (build) => {
    const { isatty } = await import("node:tty");
    const terminal = isatty(0) && isatty(1) ? (settings.environment.get("TERM") ?? "xterm") : undefined;
    return await runShell(build, options.step, terminal);
  });
}

async function withBuild<T>(
  settings: Settings,
  recipe: LocatedRecipe,
  options: BuildRecipeOptions,
  use: (build: RecipeBuild) => Promise<T>,
): Promise<T> {
  const { log, caller, sourceDateEpoch, directories } = settings;
  const { signal, pullPolicy = "new" } = options;
  const contextDirectory = contextOf(options);
  const context = openContext(contextDirectory);
  const base = await fetchBase(settings, recipe, contextDirectory, { pullPolicy, signal });
  const plan = planRecipe(recipe, {
    context: contextDirectory,
    base: base?.manifest,
    baseLayers: base?.layers.length,
    insecure: settings.insecure,
    isRoot: caller.isRoot,
  });
  const dependencies = await fetchDependencies(settings, recipe, plan, { pullPolicy, signal });
  const cache = openCache(directories.data);
  const held = await holdCache(cache, { signal, log });
  try {
    if (caller.isRoot) await removeDeadStepPods(directories.data, log);
    return await use({
      shop: {
        cache,
        context,
        data: directories.data,
        imageName: plan.name,
        recipeFile: options.file,
        shellCommand: shellCommandOf(settings, options),
        count: plan.titles.length,
        epoch: sourceDateEpoch ?? 0,
        isRoot: caller.isRoot,
        useCache: options.useCache ?? true,
        hostFiles: { resolvConf: hostFile("/etc/resolv.conf"), hosts: hostFile("/etc/hosts") },
        log,
        signal,
      },
      plan,
      base: base?.layers ?? baseDirectory(recipe, contextDirectory),
      dependencies,
      output: options.output ?? outputOf(plan),
      overwrite: options.overwrite ?? false,
      compression: options.compression ?? "gzip",
      limits: await settings.limits(),
      sourceDateEpoch,
    });
  } finally {
    held.release();
  }
}

/** What the caller said, with a shell at a step in place of an image. */
function shellCommandOf({ dir, insecure }: Settings, { file, language, context }: RecipeOptions): string {
  const words = [
    ["perigee", "build"],
    [language === "acbuild" ? "--script" : "-f", file],
    context === undefined ? [] : ["--context", context],
    dir === undefined ? [] : ["--dir", dir],
    insecure.size === 0 ? [] : [`--insecure-options=${[...insecure].join(",")}`],
    ["--shell-at"],
  ];
  return printable(words.flat().join(" "));
}

function outputOf({ name, labels }: RecipePlan): string {
  const version = labels.find((label) => label.name === "version")?.value;
  const last = name.split("/").at(-1) ?? name;
  const text = version === undefined ? last : `${last}-${version}`;
  return `${text.replace(/[^A-Za-z0-9._+~-]/g, "-")}.aci`;
}
