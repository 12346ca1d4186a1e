/** gc: ends the existence of pods that ended, then of what only they kept in the store. */
import { collectPods, treeRoots } from "../pod/gc.ts";
import { openPods } from "../pod/pod.ts";
import { lockStore, sweepStore } from "../store/gc.ts";
import { openStore } from "../store/layout.ts";
import type { Settings } from "./settings.ts";

export interface CollectOptions {
  readonly gracePeriodMs: number;
  readonly expirePreparedMs: number;
  readonly markOnly: boolean;
}

export interface Collected {
  readonly marked: readonly string[];
  readonly removed: readonly string[];
  readonly failed: readonly { readonly uuid: string; readonly reason: string }[];
  readonly trees: readonly string[];
  readonly blobs: readonly string[];
}

export async function collectGarbage(settings: Settings, options: CollectOptions): Promise<Collected> {
  const { data } = settings.directories;
  const root = openPods(data);
  const pods = await collectPods(data, root, { ...options, now: Date.now, log: settings.log });
  if (options.markOnly) return { ...pods, trees: [], blobs: [] };
  const store = await openStore(data);
  // Locked before the roots are gathered: a pod that is being prepared records its trees under the shared lock (LIFE-14).
  const lock = await lockStore(store, "exclusive", { log: settings.log });
  try {
    const { trees, blobs } = await sweepStore(store, treeRoots(root), { log: settings.log });
    return { ...pods, trees, blobs };
  } finally {
    lock.release();
  }
}
