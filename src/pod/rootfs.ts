/** The root of each app: an overlay on its rendered tree, or a copy of it. Makes directories only; the shim mounts. */
import { chmodSync, chownSync, mkdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeScratchDirectories } from "../base/directories.ts";
import { ioFailure } from "../base/files.ts";
import { callerIds, idInside } from "../shim/caller-ids.ts";
import { giveDirectory, type Owner } from "../shim/own.ts";
import type { DirectoryRoot, OverlayRoot } from "../shim/plan.ts";
import { type TreeRoot, topOf } from "../store/stack.ts";

export interface RootfsOptions {
  /** First host id of the pod's user namespace. */
  readonly idBase: number | undefined;
  /** Whether lower directories can be idmapped: else a tree is copied with its ids shifted. */
  readonly canIdmap: boolean;
  /** false: --no-overlay. */
  readonly overlay: boolean;
}

export type RootPlan = OverlayRoot | DirectoryRoot;

/** Paths are relative to the pod directory, where the shim works, so that a pod that moves between phases keeps them. */
export function planRoot(app: string, tree: TreeRoot, options: RootfsOptions): RootPlan {
  const directory = join("apps", app);
  const needsIdmap = options.idBase !== undefined;
  if (!options.overlay || (needsIdmap && !options.canIdmap)) {
    return { kind: "directory", path: join(directory, "root"), idmap: false };
  }
  return {
    kind: "overlay",
    lowers: typeof tree === "string" ? [tree] : tree.toReversed().map(({ rootfs }) => rootfs),
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    idmap: needsIdmap,
    volatile: true,
  };
}

/** `owner` has ids of the pod, whose 0 is the host's `base`, or with an ordinary user's ids that user. @throws Failure UNSUPPORTED for an id that the user has not */
export function giveTo(path: string, owner: Owner, base: number): void {
  const { uid, gid, mode } = owner;
  const isCallers = callerIds() !== undefined;
  if (isCallers && (uid !== 0 || gid !== 0)) {
    giveDirectory(dirname(path), basename(path), owner);
    return;
  }
  if (!isCallers) chownSync(path, base + uid, base + gid);
  chmodSync(path, mode);
}

/** Whose a directory of a tree is to the pod: of what is no id of it nobody can be the owner, and it is root's. */
export function ownerInside({ uid, gid }: Stats): Pick<Owner, "uid" | "gid"> {
  const ids = callerIds();
  if (ids === undefined) return { uid, gid };
  return { uid: idInside(ids.uids, uid) ?? 0, gid: idInside(ids.gids, gid) ?? 0 };
}

/**
 * Makes what `root` needs in the pod directory. The upper directory becomes the app's `/`, so it has the tree's mode and owner,
 * shifted into the pod's user namespace.
 */
export function makeRoot(pod: string, app: string, root: RootPlan, tree: TreeRoot, idBase: number | undefined): void {
  const base = idBase ?? 0;
  try {
    makeScratchDirectories(join(pod, "apps", app), 0o700);
    if (root.kind === "directory") return;
    const stat = statSync(topOf(tree));
    for (const directory of [root.upper, root.work]) {
      const path = join(pod, directory);
      mkdirSync(path, { mode: 0o700 });
      giveTo(path, { ...ownerInside(stat), mode: stat.mode & 0o7777 }, base);
    }
  } catch (error) {
    throw ioFailure(error, `cannot make the root of ${app}`, pod);
  }
}
