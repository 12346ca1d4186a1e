/** One step → one layer: from the cache, or made now. Every failure says which step it was, and where it stands in the recipe. */
import { createHash } from "node:crypto";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { PackEntry } from "../shim/pack.ts";
import { pack } from "../shim/pack.ts";
import { isWhiteoutEntry } from "../store/merge.ts";
import { type Layer, type StackView, viewOf } from "../store/stack.ts";
import type { StagingDirectory } from "../store/staging.ts";
import type { TarMember } from "../tar/entry.ts";
import { beginLayer, type Cache, commitLayer, findLayer, keyOf, lockKey, logPath } from "./cache.ts";
import { captureMembers } from "./capture.ts";
import { runCommand } from "./command.ts";
import type { Context } from "./context.ts";
import type { Step, StepOf } from "./document.ts";
import { isFileStep, type PreparedFiles, prepareFiles } from "./files.ts";
import { makeDraft, unpackLayer } from "./layer.ts";
import type { PlannedStep } from "./plan.ts";
import type { CommandRequest } from "./pod-of-step.ts";
import { inStep, stepFailed } from "./step-failure.ts";

export interface Workshop {
  readonly cache: Cache;
  readonly context: Context;
  /** The data directory, for pods. */
  readonly data: string;
  readonly imageName: string;
  /** As it was named, for messages. */
  readonly recipeFile: string;
  /** `perigee build -f r.yaml --shell-at`: the words before the number of a step, for hints. */
  readonly shellCommand: string;
  /** Of all steps. */
  readonly count: number;
  /** Seconds: what times become. */
  readonly epoch: number;
  readonly isRoot: boolean;
  readonly useCache: boolean;
  readonly hostFiles: CommandRequest["hostFiles"];
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

export interface MadeLayer {
  readonly layer: Layer;
  readonly isCached: boolean;
}

type Fill = (staging: StagingDirectory) => Promise<{ readonly sha512: string; readonly size: number }>;

/** The layer for `inputs`, filled by `fill` when the cache has none. */
async function layerFor(shop: Workshop, inputs: unknown, fill: Fill, onWork: () => void): Promise<MadeLayer> {
  const key = keyOf([shop.epoch, shop.isRoot, inputs]);
  const known = shop.useCache ? findLayer(shop.cache, key) : undefined;
  if (known !== undefined) return { layer: known, isCached: true };
  const lock = await lockKey(shop.cache, key, shop.signal, shop.log);
  try {
    const made = shop.useCache ? findLayer(shop.cache, key) : undefined;
    if (made !== undefined) return { layer: made, isCached: true };
    onWork();
    return { layer: await make(shop, key, fill), isCached: false };
  } finally {
    lock.release();
  }
}

async function make({ cache, log }: Workshop, key: string, fill: Fill): Promise<Layer> {
  const staging = await beginLayer(cache);
  try {
    const { sha512, size } = await fill(staging);
    return await commitLayer(cache, staging, key, { layer: `layer-${sha512}`, size });
  } finally {
    await staging.discard().catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
  }
}

/** The lowest layer of a recipe without a base: a root directory and nothing in it. */
export async function emptyLayer(shop: Workshop): Promise<Layer> {
  const members = makeDraft(viewOf([]), shop.epoch).members();
  const { layer } = await layerFor(
    shop,
    "empty",
    ({ rootfs }) => unpackLayer(members, rootfs, shop),
    () => {},
  );
  return layer;
}

/** A directory of the host as the lowest layer, with its owners and modes. Read twice when it is not cached: once for its digest. */
export async function directoryLayer(shop: Workshop, directory: string): Promise<MadeLayer> {
  const hash = createHash("sha256");
  for await (const entry of pack(directory, { signal: shop.signal })) {
    const { path, type, mode, uid, gid, link, xattrs, device, body, size } = entry;
    const names = [path, link, ...xattrs.flatMap(({ name, value }) => [name, value])].map((part) =>
      part.toString("latin1"),
    );
    hash.update(JSON.stringify([type, mode, shop.isRoot ? [uid, gid] : [], names, device, String(size)]));
    for await (const chunk of body) hash.update(chunk);
  }
  const members = plainMembers(pack(directory, { signal: shop.signal }), shop.epoch);
  const fill: Fill = ({ rootfs }) => unpackLayer(members, rootfs, shop);
  return await layerFor(shop, ["directory", hash.digest("hex")], fill, () =>
    shop.log.info(`base: ${printable(directory)}`),
  );
}

async function* plainMembers(entries: AsyncIterable<PackEntry>, epoch: number): AsyncGenerator<TarMember> {
  for await (const entry of entries) {
    if (isWhiteoutEntry(entry)) {
      throw new Failure("IMAGE_INVALID", "a character device 0:0 cannot be in a layer", {
        hint: "remove it from the base",
      });
    }
    yield { ...entry, size: Number(entry.size), mtime: { seconds: BigInt(epoch), nanoseconds: 0 } };
  }
}

/** @throws Failure STEP_FAILED for a command that failed; whatever else happens is told with the step's place before it */
export async function stepLayer(shop: Workshop, planned: PlannedStep, view: StackView): Promise<MadeLayer> {
  const { number, title } = planned;
  const mark = `[${number}/${shop.count}]`;
  try {
    const step = prepare(shop, planned.step);
    const inputs = [view.stack.map(({ id }) => id), step?.inputs ?? runInputs(planned)];
    const fill: Fill = async (staging) =>
      step === undefined
        ? await runStep(shop, planned, view, staging, keyOf([shop.epoch, shop.isRoot, inputs]))
        : await unpackLayer(step.members(view, staging.path), staging.rootfs, shop);
    const made = await layerFor(shop, inputs, fill, () => shop.log.info(`${mark} ${title}`));
    if (made.isCached) shop.log.info(`${mark} ${title} (cached)`);
    return made;
  } catch (error) {
    throw inStep(error, planned);
  }
}

function prepare({ context, epoch }: Workshop, step: Step): PreparedFiles | undefined {
  return isFileStep(step) ? prepareFiles(context, step, epoch) : undefined;
}

function runInputs({ step, environment }: PlannedStep): unknown {
  if (!("run" in step)) throw new Failure("INTERNAL", "a step that is neither files nor a command");
  const { run, network, environment: own, user, group, workingDirectory, insecure } = step;
  return ["run", run, network, environment, own, user, group, workingDirectory, insecure];
}

/** What a command of the recipe gets: the image's environment so far and its own; root and / unless it says otherwise. */
export function commandOf(
  shop: Workshop,
  { step, environment }: Pick<PlannedStep, "step" | "environment">,
  view: StackView,
  scratch: string,
): CommandRequest {
  const run: Partial<StepOf<"run">> = "run" in step ? step : {};
  const command = typeof run.run === "string" ? ["/bin/sh", "-ec", run.run] : (run.run ?? ["/bin/sh"]);
  return {
    data: shop.data,
    imageName: shop.imageName,
    view,
    scratch,
    command,
    user: run.user ?? "0",
    group: run.group ?? "0",
    environment: [...new Map([...environment, ...Object.entries(run.environment ?? {})])],
    workingDirectory: run.workingDirectory,
    network: run.network ?? "none",
    insecure: new Set(run.insecure ?? []),
    hostFiles: shop.hostFiles,
    log: shop.log,
    signal: shop.signal,
  };
}

async function runStep(shop: Workshop, planned: PlannedStep, view: StackView, staging: StagingDirectory, key: string) {
  const logFile = logPath(shop.cache, key);
  const request = commandOf(shop, planned, view, staging.path);
  return await runCommand(request, logFile, async (result, pod) => {
    if (result.status !== 0) throw stepFailed(shop, planned, result, logFile);
    const { epoch, signal } = shop;
    const { startedAt } = result;
    const { idBase, mountTargets } = pod;
    const members = captureMembers({ upper: pod.upper(), view, idBase, startedAt, epoch, mountTargets, signal });
    return await unpackLayer(members, staging.rootfs, shop);
  });
}
