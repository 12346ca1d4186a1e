/** gc: ends the existence of pods that ended, then of what only they kept in the store. */
import { collectPods, treeRoots } from "../pod/gc.ts";
import { podsOf } from "../pod/pod.ts";
import { sweepCache } from "../recipe/cache.ts";
import { lockStore, sweepStore } from "../store/gc.ts";
import { openStore } from "../store/layout.ts";
import type { Settings } from "./settings.ts";

export interface CollectOptions {
  /** How long a pod that ended is kept after it was marked. */
  readonly gracePeriodMs: number;
  /** How long a prepared pod that never ran is kept. */
  readonly expirePreparedMs: number;
  /** Only mark pods; remove nothing. */
  readonly markOnly: boolean;
  /** How long a layer of the step cache is kept after its last use. */
  readonly expireLayersMs?: number | undefined;
  /** Bytes that the step cache may hold. */
  readonly layerBytes?: number | undefined;
  /** Ends the wait for other users of the store. */
  readonly signal?: AbortSignal | undefined;
}

export interface Collected {
  /** uuids of pods. */
  readonly marked: readonly string[];
  readonly removed: readonly string[];
  /** Pods that could not be removed now; the next gc tries again. */
  readonly failed: readonly { readonly uuid: string; readonly reason: string }[];
  /** Ids of trees and digests of archives that left the store. */
  readonly trees: readonly string[];
  readonly blobs: readonly string[];
  /** Layers that left the step cache of recipes. */
  readonly layers: readonly string[];
}

const twoWeeks = 14 * 24 * 60 * 60 * 1000;
const twentyGigabytes = 20 * 1024 ** 3;

/** @throws Failure INTERRUPTED; what goes wrong with one pod is told in `failed` */
export async function collectGarbage(settings: Settings, options: CollectOptions): Promise<Collected> {
  const { data } = settings.directories;
  const root = podsOf(data);
  const pods = await collectPods(data, root, { ...options, now: Date.now, log: settings.log });
  if (options.markOnly) return { ...pods, trees: [], blobs: [], layers: [] };
  const layers = await sweepCache(data, {
    maxAgeMs: options.expireLayersMs ?? twoWeeks,
    maxBytes: options.layerBytes ?? twentyGigabytes,
    now: Date.now(),
    log: settings.log,
  });
  const store = await openStore(data);
  // Locked before the roots are gathered: a pod that is being prepared records its trees under the shared lock (LIFE-14).
  const lock = await lockStore(store, "exclusive", { log: settings.log, signal: options.signal });
  try {
    const roots = treeRoots(root);
    if (roots === "unknown") settings.log.warn("no tree is removed while a pod runs whose record is damaged");
    const { trees, blobs } = await sweepStore(store, roots, { log: settings.log, signal: options.signal });
    return { ...pods, trees, blobs, layers };
  } finally {
    lock.release();
  }
}
