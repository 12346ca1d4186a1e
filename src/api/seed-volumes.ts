/** Volumes that begin with what an image has at their place (POD-52): for mount points that nobody gave a volume. */
import { closeSync, fstatSync, mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ioFailure } from "../base/files.ts";
import { copyTree } from "../image/copy.ts";
import { openInRoot } from "../pod/in-root.ts";
import { giveTo, ownerInside } from "../pod/rootfs.ts";
import type { EmptyVolume } from "../pod/volumes.ts";
import type { TreeRoot } from "../store/stack.ts";

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
    // Of an image of layers it begins empty, which is told as what every volume hides.
    const found = seed === undefined || typeof tree !== "string" ? undefined : openInRoot(tree, seed.target);
    if (found === undefined) continue;
    try {
      const stat = fstatSync(found);
      if (!stat.isDirectory()) continue;
      const target = join(directory, "volumes", volume);
      mkdirSync(join(directory, "volumes"), { mode: 0o700, recursive: true });
      mkdirSync(target, { mode: 0o700 });
      // The tree is the store's, and nobody changes it: what the descriptor is open on stays where it is.
      const source = readlinkSync(`/proc/self/fd/${found}`);
      await copyTree(source, target, idBase, signal);
      giveTo(target, { ...ownerInside(stat), mode: stat.mode & 0o7777 }, idBase);
    } catch (error) {
      throw ioFailure(error, `cannot fill volume ${volume} with what the image has at ${seed?.target ?? ""}`, volume);
    } finally {
      closeSync(found);
    }
  }
}
