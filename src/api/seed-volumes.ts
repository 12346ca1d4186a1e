/** Volumes that begin with what an image has at their place (POD-52): for mount points that nobody gave a volume. */
import { accessSync, closeSync, constants, fstatSync, mkdirSync, readlinkSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { makeScratchDirectories } from "../base/directories.ts";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { copyTree } from "../image/copy.ts";
import { openInRoot } from "../pod/in-root.ts";
import { giveTo, ownerInside } from "../pod/rootfs.ts";
import type { EmptyVolume } from "../pod/volumes.ts";
import { type Stack, stackAt, type TreeRoot, viewOf } from "../store/stack.ts";

export interface SeedRequest {
  /** The pod's directory. */
  readonly directory: string;
  readonly volumes: readonly EmptyVolume[];
  /** By app name. */
  readonly trees: ReadonlyMap<string, TreeRoot>;
  /** First host id of the pod's user namespace, else 0. */
  readonly idBase: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes and fills the directories of those that have a seed which the image has: always new ones, so nothing that somebody wrote is written
 * over (T-R34). The others are left to be made. The image's own links are followed inside of its tree (T-R19).
 * @throws Failure SHIM_FAILED, DISK_FULL, IO_FAILED, INTERRUPTED, IMAGE_INVALID for a path that cannot be resolved
 */
export async function seedVolumes({ directory, volumes, trees, idBase, signal }: SeedRequest): Promise<void> {
  for (const { volume, seed } of volumes) {
    const tree = seed === undefined ? undefined : trees.get(seed.app);
    if (seed === undefined || tree === undefined) continue;
    try {
      const found = typeof tree === "string" ? openTree(tree, seed.target) : openLayers(tree, seed.target);
      if (found === undefined) continue;
      try {
        await fill(join(directory, "volumes"), volume, found, idBase, signal);
      } finally {
        found.close();
      }
    } catch (error) {
      throw ioFailure(error, `cannot fill volume ${volume} with what the image has at ${seed.target}`, volume);
    }
  }
}

/** A directory of an image. */
interface Seedling {
  readonly stat: Stats;
  /** What is in it; begun when it is asked for. */
  source(signal: AbortSignal | undefined): Promise<Parameters<typeof copyTree>[0]>;
  close(): void;
}

async function fill(
  volumes: string,
  volume: string,
  { stat, source }: Seedling,
  idBase: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = join(volumes, volume);
  makeScratchDirectories(volumes, 0o700);
  mkdirSync(target, { mode: 0o700 });
  await copyTree(await source(signal), target, idBase, signal);
  giveTo(target, { ...ownerInside(stat), mode: stat.mode & 0o7777 }, idBase);
}

function openTree(tree: string, target: string): Seedling | undefined {
  const found = openInRoot(tree, target);
  if (found === undefined) return undefined;
  const stat = fstatSync(found);
  if (!stat.isDirectory()) {
    closeSync(found);
    return undefined;
  }
  // The tree is the store's, and nobody changes it: what the descriptor is open on stays where it is.
  return { stat, source: async () => readlinkSync(`/proc/self/fd/${found}`), close: () => closeSync(found) };
}

/** Of an image of layers; what shows of them there is copied, without mounting them. */
function openLayers(layers: Exclude<TreeRoot, string>, target: string): Seedling | undefined {
  const shown = shownOf(layers, target);
  const [stat] = [shown.at(-1)].flatMap((top) => (top === undefined ? [] : [statSync(top.rootfs)]));
  if (stat === undefined) return undefined;
  const source = async (signal: AbortSignal | undefined) =>
    (await import("../store/merge.ts")).mergeLayers(shown, { signal });
  return { stat, source, close: () => {} };
}

/** Empty where there is no directory, and where an ordinary user may not enter it: such a volume begins empty. */
function shownOf(layers: Exclude<TreeRoot, string>, target: string): Stack {
  try {
    const place = viewOf(layers).resolve(Buffer.from(target).toString("latin1"), { last: true });
    const shown = stackAt(layers, place);
    for (const { rootfs } of shown) accessSync(rootfs, constants.R_OK | constants.X_OK);
    return shown;
  } catch (error) {
    if (errnoOf(error) === "EACCES") return [];
    throw error;
  }
}
