/** A planned recipe → an image: layer upon layer, then one archive of all of them. A second build with the same inputs finds both in the cache. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { verifying } from "../base/digest.ts";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { type BuiltImage, buildArchive } from "../image/build.ts";
import { type CompressionParameters, compressionParameters, type ImageCompression } from "../image/compress.ts";
import type { ImageLimits } from "../image/limits.ts";
import { requireOutput, writeOutput } from "../image/output.ts";
import type { ImageID } from "../schema/image-id.ts";
import type { PackEntry } from "../shim/pack.ts";
import { mergeLayers } from "../store/merge.ts";
import type { Layer, Stack } from "../store/stack.ts";
import { viewOf } from "../store/stack.ts";
import { beginLayer, commitLayer, findLayer, keyOf, layerDirectory, lockKey } from "./cache.ts";
import { runInteractive } from "./command.ts";
import type { PlannedStep, RecipePlan } from "./plan.ts";
import { refuseRemovals } from "./removals.ts";
import { requireShell } from "./step-failure.ts";
import { commandOf, directoryLayer, emptyLayer, stepLayer, type Workshop } from "./steps.ts";

export interface RecipeBuild {
  readonly shop: Workshop;
  readonly plan: RecipePlan;
  /** What the result begins with: a tree of the store, lowest layer first, a directory of the host, or nothing. */
  readonly base: Stack | { readonly directory: string } | undefined;
  /** The trees of what is listed as a dependency, by the JSON of its entry; lowest first. */
  readonly dependencies: ReadonlyMap<string, Layer>;
  readonly output: string;
  readonly overwrite: boolean;
  readonly compression: ImageCompression;
  /** Of the readers of the result (ACI-12). */
  readonly limits: ImageLimits;
  /** Undefined: times of the base are kept. */
  readonly sourceDateEpoch: number | undefined;
}

export interface BuiltRecipe extends BuiltImage {
  /** Steps that make files, in order. */
  readonly steps: readonly { readonly number: number; readonly step: string; readonly cached: boolean }[];
  /** Whether the archive itself was there already. */
  readonly cached: boolean;
  readonly compression: CompressionParameters;
}

/** The files of the image, when every step is done. */
export interface BuiltTree extends Pick<BuiltRecipe, "steps"> {
  /** Those of the result itself, lowest first. */
  readonly layers: Stack;
}

/** @throws Failure STEP_FAILED, NOT_FOUND, USAGE, UNSUPPORTED, NOT_ROOT, ALREADY_EXISTS, DISK_FULL, INTERRUPTED …; nothing but the cache is left */
export async function buildTree(build: RecipeBuild): Promise<BuiltTree> {
  await requireOutput({ output: build.output, overwrite: build.overwrite });
  const steps: BuiltTree["steps"][number][] = [];
  const { layers: planned, titles } = build.plan;
  const layers = await layersOf(build, planned, titles.length, ({ number, title }, isCached) =>
    steps.push({ number, step: title, cached: isCached }),
  );
  return { layers, steps };
}

/** What the image will hold, in the order of its archive; as often as it is asked for. @throws Failure as mergeLayers; UNSUPPORTED (RECIPE-42) */
export function treeEntries(build: RecipeBuild, { layers }: BuiltTree): AsyncGenerator<PackEntry> {
  const under = viewOf(below(build, lastOf(build.plan)));
  const onRemoved = refuseRemovals((path) => under.find(path) !== undefined);
  return mergeLayers(layers, { signal: build.shop.signal, onRemoved });
}

/**
 * Writes the image.
 * @param manifest that of the plan, or what was made of it
 * @throws Failure as buildTree, MANIFEST_INVALID
 */
export async function buildImageOf(
  build: RecipeBuild,
  tree: BuiltTree,
  manifest: Buffer = build.plan.manifest,
): Promise<BuiltRecipe> {
  const archive = await archiveOf(build, tree, manifest);
  return { ...archive, steps: tree.steps, compression: compressionParameters(build.compression) };
}

/** The layers of the result itself, lowest first, after the given steps; those of the manifest up to `last` are told in between. */
async function layersOf(
  build: RecipeBuild,
  planned: readonly PlannedStep[],
  last: number,
  onStep: (planned: PlannedStep, isCached: boolean) => void,
): Promise<Stack> {
  const { shop, plan } = build;
  const own: Layer[] = [...(await baseLayers(build))];
  let told = 0;
  const tellUntil = (end: number): void => {
    for (; told < end; told += 1) shop.log.info(`[${told + 1}/${shop.count}] ${plan.titles[told]}`);
  };
  for (const step of planned) {
    requireGoing(shop.signal);
    tellUntil(step.number - 1);
    const { layer, isCached } = await stepLayer(shop, step, viewOf([...below(build, step), ...own]));
    own.push(layer);
    told = step.number;
    onStep(step, isCached);
  }
  tellUntil(last);
  return own;
}

async function baseLayers({ shop, base }: RecipeBuild): Promise<Stack> {
  if (base === undefined) return [await emptyLayer(shop)];
  return "directory" in base ? [(await directoryLayer(shop, base.directory)).layer] : base;
}

/** What lies under the result while it is built: its dependencies as they are listed at that step. */
function below({ dependencies }: RecipeBuild, step: Pick<PlannedStep, "dependencies">): Stack {
  return step.dependencies.map((dependency) => {
    const layer = dependencies.get(JSON.stringify(dependency));
    if (layer === undefined) throw new Failure("INTERNAL", `the dependency ${dependency.imageName} has no tree`);
    return layer;
  });
}

interface StoredArchive {
  readonly id: ImageID;
  readonly size: number;
  readonly sha512: string;
}

async function archiveOf(
  build: RecipeBuild,
  tree: BuiltTree,
  manifest: Buffer,
): Promise<BuiltImage & { readonly cached: boolean }> {
  const { shop, plan, compression, limits, sourceDateEpoch } = build;
  const layers = tree.layers.map(({ id }) => id);
  const parts = [
    layers,
    manifest.toString("utf8"),
    compressionParameters(compression),
    limits,
    sourceDateEpoch,
    shop.isRoot,
  ];
  const key = keyOf(["archive", parts, below(build, lastOf(plan)).map(({ id }) => id)]);
  const lock = await lockKey(shop.cache, key, shop.signal, shop.log);
  try {
    const known = shop.useCache ? findLayer(shop.cache, key) : undefined;
    const stored = known === undefined ? undefined : await readStored(layerDirectory(shop.cache, known.id));
    if (known !== undefined && stored !== undefined) {
      return { ...(await handOut(build, known.id, stored)), cached: true };
    }
    const made = await makeArchive(build, { tree, manifest, key });
    return { ...(await handOut(build, made.id, made.stored)), cached: false };
  } finally {
    lock.release();
  }
}

function lastOf({ layers }: RecipePlan): Pick<PlannedStep, "dependencies"> {
  return layers.at(-1) ?? { dependencies: [] };
}

const archiveName = "image.aci";
const recordName = "image.json";

async function makeArchive(
  build: RecipeBuild,
  { tree, manifest, key }: { readonly tree: BuiltTree; readonly manifest: Buffer; readonly key: string },
): Promise<{ id: string; stored: StoredArchive }> {
  const { shop, compression, sourceDateEpoch } = build;
  const staging = await beginLayer(shop.cache);
  try {
    const path = join(staging.tree, archiveName);
    const { id, size } = await buildArchive({
      manifest,
      rootfs: treeEntries(build, tree),
      output: path,
      overwrite: false,
      compression,
      ownerRoot: !shop.isRoot,
      sourceDateEpoch,
      limits: build.limits,
      signal: shop.signal,
      log: shop.log,
    });
    const stored = { id, size, sha512: await digestOf(path) };
    await writeFile(join(staging.tree, recordName), JSON.stringify(stored), { mode: 0o600, flush: true });
    const layer = `archive-${stored.sha512}`;
    await commitLayer(shop.cache, staging, key, { layer, size });
    return { id: layer, stored };
  } finally {
    await staging.discard().catch((error: unknown) => shop.log.warn(`left for perigee gc: ${String(error)}`));
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha512");
  const handle = await openArchive(path);
  try {
    for await (const chunk of chunksOf(handle)) hash.update(chunk);
    return hash.digest("hex");
  } finally {
    await handle.close();
  }
}

async function readStored(directory: string): Promise<StoredArchive | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, recordName), "utf8")) as StoredArchive;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A copy whose bytes are those that were made: the cache is nobody's to change, but a disk may. */
async function handOut(
  { shop, output, overwrite }: RecipeBuild,
  layer: string,
  stored: StoredArchive,
): Promise<BuiltImage> {
  const source = await openArchive(join(layerDirectory(shop.cache, layer), archiveName));
  try {
    const expected = { sha512: stored.sha512, size: stored.size };
    const bytes = verifying(chunksOf(source), expected, "the archive in the step cache");
    await writeOutput(bytes, { output, overwrite, signal: shop.signal });
  } finally {
    await source.close();
  }
  return { id: stored.id, path: output, size: stored.size };
}

async function openArchive(path: string): Promise<FileHandle> {
  return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${path}`, path);
  });
}

function chunksOf(handle: FileHandle): AsyncIterable<Uint8Array> {
  return handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 });
}

/**
 * A shell in the state before step `number`, with that step's user, environment, directory and network; one past the last is the state after all.
 * @returns its exit status @throws Failure USAGE for a number that is no step, EXEC_NOT_FOUND without a shell; as buildTree
 */
export async function runShell(build: RecipeBuild, number: number, terminal: string | undefined): Promise<number> {
  const { shop, plan } = build;
  if (!Number.isInteger(number) || number < 1 || number > shop.count + 1) {
    throw new Failure("USAGE", `--shell-at ${printable(String(number))}: a step from 1 to ${shop.count + 1}`, {
      subject: String(number),
      hint: `${shop.shellCommand} ${shop.count + 1}`,
    });
  }
  const before = plan.layers.filter((step) => step.number < number);
  const at = plan.layers.find((step) => step.number >= number) ?? before.at(-1);
  const own = await layersOf(build, before, number - 1, () => {});
  const staging = await beginLayer(shop.cache);
  try {
    const nothing = { step: { remove: "/" }, environment: [], dependencies: [] } as const;
    const { step, environment, dependencies } = at?.number === number ? at : { ...nothing, ...at, step: nothing.step };
    const view = viewOf([...below(build, { dependencies }), ...own]);
    requireShell(view, number);
    const request = commandOf(shop, { step, environment }, view, staging.path);
    return await runInteractive({ ...request, command: ["/bin/sh"], terminal });
  } finally {
    await staging.discard();
  }
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
}
