/** The root of each app: an overlay on its rendered tree, or a copy of it. Makes directories only; the shim mounts. */
import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ioFailure } from "../base/files.ts";
import type { DirectoryRoot, OverlayRoot } from "../shim/plan.ts";

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
export function planRoot(app: string, tree: string, options: RootfsOptions): RootPlan {
  const directory = join("apps", app);
  const needsIdmap = options.idBase !== undefined;
  if (!options.overlay || (needsIdmap && !options.canIdmap)) {
    return { kind: "directory", path: join(directory, "root"), idmap: false };
  }
  return {
    kind: "overlay",
    lowers: [tree],
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    idmap: needsIdmap,
    volatile: true,
  };
}

/**
 * Makes what `root` needs in the pod directory. The upper directory becomes the app's `/`, so it has the tree's mode and owner,
 * shifted into the pod's user namespace.
 */
export function makeRoot(pod: string, app: string, root: RootPlan, tree: string, idBase: number | undefined): void {
  const base = idBase ?? 0;
  try {
    mkdirSync(join(pod, "apps", app), { recursive: true, mode: 0o700 });
    if (root.kind === "directory") return;
    const stat = statSync(tree);
    for (const directory of [root.upper, root.work]) {
      const path = join(pod, directory);
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, base + stat.uid, base + stat.gid);
      chmodSync(path, stat.mode & 0o7777);
    }
  } catch (error) {
    throw ioFailure(error, `cannot make the root of ${app}`, pod);
  }
}
