/** What a recipe begins with and stands on: images as the layers of their trees, or a directory of the host. What is wrong with one is told with its place. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { baseOf, type PlannedStep, type RecipePlan } from "../recipe/plan.ts";
import { type LocatedRecipe, placeOf } from "../recipe/read.ts";
import { inPlace } from "../recipe/step-failure.ts";
import { type Dependency, ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { type ImageRecord, readManifest } from "../store/images.ts";
import { openStore } from "../store/layout.ts";
import type { Layer, Stack } from "../store/stack.ts";
import { ensureTree, stackOf } from "../store/trees.ts";
import type { RecipeOptions } from "./build-recipe.ts";
import { fetchImages } from "./fetch.ts";
import { requireVouched } from "./pod-images.ts";
import type { Settings } from "./settings.ts";

type Pull = Pick<RecipeOptions, "pullPolicy" | "signal">;

export interface RecipeBase {
  /** Lowest first: one, or those of an image of layers. */
  readonly layers: Stack;
  readonly manifest: ImageManifest;
}

/** The image that is flattened into the result; undefined when the recipe begins with none. @throws Failure as fetchImages; NOT_ROOT, RECIPE_INVALID */
export async function fetchBase(
  settings: Settings,
  located: LocatedRecipe,
  context: string,
  pull: Pull,
): Promise<RecipeBase | undefined> {
  const { recipe } = located;
  const base = baseOf(recipe);
  if (base === "empty" || "directory" in base || "dependency" in base) return undefined;
  const place = placeOf(located, ["base"]);
  if (!settings.caller.isRoot) {
    throw new Failure("NOT_ROOT", `${place}: an image as base keeps the owners of its files, which needs root`, {
      subject: place,
      hint: "sudo perigee build …, or list it as a dependency",
    });
  }
  const reference = "file" in base ? resolve(context, base.file) : inContext(base.image, context);
  try {
    requireNoDirectory(typeof recipe.base === "string" ? recipe.base : reference, context);
    const record = await fetchOne(settings, reference, pull);
    const layers = await layersOf(settings, record, pull);
    const store = await openStore(settings.directories.data);
    const bytes = await readManifest(store, record.id);
    return { layers, manifest: parseDocument(ImageManifest, bytes, `the manifest of ${record.name}`) };
  } catch (error) {
    throw inPlace(error, place);
  }
}

/** RECIPE-4: paths count from the context directory, those of layouts and archives of OCI images too. */
function inContext(reference: string, context: string): string {
  if (/^\.{1,2}\//.test(reference)) return resolve(context, reference);
  return reference.replace(
    /^((?:oci|oci-archive|docker-archive):)([^:/][^:]*)/i,
    (_, kind: string, path: string) => kind + resolve(context, path),
  );
}

/** RECIPE-4: a directory would be asked for its signature, and be refused for the lack of one. */
function requireNoDirectory(base: string, context: string): void {
  const isPath = /^\.{0,2}\//.test(base);
  if (!isPath || !isDirectory(resolve(context, base))) return;
  throw new Failure("RECIPE_INVALID", `RECIPE-4: the base ${printable(base)} is a directory, not an image`, {
    subject: base,
    hint: `base: {directory: ${printable(base)}}`,
  });
}

async function fetchOne(settings: Settings, reference: string, { pullPolicy, signal }: Pull): Promise<ImageRecord> {
  const [record] = await fetchImages(settings, { images: [{ reference }], pullPolicy, signal });
  if (record === undefined) throw new Failure("INTERNAL", `${printable(reference)} was fetched and is not there`);
  return record;
}

async function layersOf(settings: Settings, record: ImageRecord, { signal }: Pull): Promise<Stack> {
  const store = await openStore(settings.directories.data);
  await requireVouched(settings, store, record);
  return stackOf(await ensureTree(store, record.id, { log: settings.log, signal }));
}

/**
 * What steps that make files build upon, by the JSON of its entry; a dependency that is only listed is nobody's to fetch here.
 * @throws Failure as fetchImages; DIGEST_MISMATCH, UNSUPPORTED (RECIPE-41)
 */
export async function fetchDependencies(
  settings: Settings,
  located: LocatedRecipe,
  { layers }: RecipePlan,
  pull: Pull,
): Promise<ReadonlyMap<string, Layer>> {
  const wanted = new Map<string, Dependency>();
  for (const { dependencies } of layers as readonly PlannedStep[]) {
    for (const dependency of dependencies) wanted.set(JSON.stringify(dependency), dependency);
  }
  const trees = new Map<string, Layer>();
  for (const [key, dependency] of wanted) {
    try {
      trees.set(key, await fetchDependency(settings, dependency, pull));
    } catch (error) {
      throw inPlace(error, placeOfDependency(located, dependency));
    }
  }
  return trees;
}

async function fetchDependency(settings: Settings, dependency: Dependency, pull: Pull): Promise<Layer> {
  const record = await fetchOne(settings, referenceOf(dependency), pull);
  const { imageID } = dependency;
  if (imageID !== undefined && record.id.slice(0, imageID.length) !== imageID) {
    throw new Failure("DIGEST_MISMATCH", `${record.name} is another image than the dependency says`, {
      subject: record.id,
      cause: `the recipe says ${imageID}`,
    });
  }
  const [layer, ...others] = record.oci === undefined ? await layersOf(settings, record, pull) : [];
  if (layer !== undefined && others.length === 0) return layer;
  // The result would be refused by whoever runs it.
  throw new Failure("UNSUPPORTED", `no image can depend on ${excerpt(record.name)}, which is an image of layers`, {
    subject: record.id,
    cause: "what is listed as a dependency is an App Container Image; this one came from Docker or OCI",
    hint: `begin with it, base: {image: ${record.id.slice(0, 20)}}, or convert it: perigee image export --as aci`,
  });
}

/** Where the recipe speaks of it; a manifest that takes the place of the other may bring it, too. */
function placeOfDependency(located: LocatedRecipe, { imageName }: Dependency): string {
  const { steps } = located.recipe;
  const named = steps.findIndex((step) => "dependency" in step && step.dependency.imageName === imageName);
  const at = named >= 0 ? named : steps.findIndex((step) => "replaceManifest" in step);
  const base = baseOf(located.recipe);
  const isBase = typeof base === "object" && "dependency" in base && base.dependency === imageName;
  return placeOf(located, isBase || at < 0 ? ["base"] : ["steps", at]);
}

function referenceOf({ imageName, labels }: Dependency): string {
  const version = labels.find(({ name }) => name === "version");
  const others = labels.filter(({ name }) => name !== "version").map(({ name, value }) => `,${name}=${value}`);
  return `${imageName}${version === undefined ? "" : `:${version.value}`}${others.join("")}`;
}

/** The directory of the host that the recipe begins with. @throws Failure NOT_FOUND */
export function baseDirectory(located: LocatedRecipe, context: string): { readonly directory: string } | undefined {
  const base = baseOf(located.recipe);
  if (typeof base === "string" || !("directory" in base)) return undefined;
  const directory = resolve(context, base.directory);
  if (isDirectory(directory)) return { directory };
  const place = placeOf(located, ["base"]);
  throw new Failure("NOT_FOUND", `${place}: there is no directory ${printable(directory)} to begin with`, {
    subject: directory,
    hint: "base: {directory: DIR} counts from the context directory; an archive is base: {file: IMAGE.aci}",
  });
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    throw ioFailure(error, `cannot look at ${printable(path)}`, path);
  }
}
