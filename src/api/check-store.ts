/** store check: whether the store is what spec/store.md says, and mending what is not. */
import { unpackAgain } from "../oci/unpack-again.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type FindingKind, type Found, scanLayout, scanStore, shownPath } from "../store/check.ts";
import { checkTrees, readArchives } from "../store/check-content.ts";
import { lockStore } from "../store/gc.ts";
import { openStore, type Store } from "../store/layout.ts";
import { listRecordsSync } from "../store/lookup.ts";
import { type Finding, makeLayout, type Outcome, repairStore } from "../store/repair.ts";
import { emptyTrash } from "../store/staging.ts";
import { treeUsers } from "./images.ts";
import type { Settings } from "./settings.ts";

export interface CheckStoreOptions {
  /** Mend what can be mended. */
  readonly repair?: boolean | undefined;
  /** Archives and trees are not read: only what is there is compared with what must be. */
  readonly quick?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoreFinding {
  readonly kind: FindingKind;
  /** Below the store. */
  readonly path: string;
  readonly problem: string;
  /** False: it only takes space. */
  readonly damage: boolean;
  readonly outcome: Outcome;
  /** What helps where it was left. */
  readonly advice: string | null;
  /** The image it is of, where that is known. */
  readonly id: ImageID | null;
  /** Pods that keep it from being mended. */
  readonly usedBy: readonly string[];
}

export interface CheckedStore {
  /** Directory of the store. */
  readonly store: string;
  /** Images that are listed, after what was mended. */
  readonly images: number;
  /** Archives that were read, and their bytes; 0 with `quick`. */
  readonly archives: number;
  readonly bytes: number;
  readonly findings: readonly StoreFinding[];
}

/** @throws Failure WRONG_STATE for a store of another version, LOCKED while a pod runs whose record is damaged, INTERRUPTED */
export async function checkStore(settings: Settings, options: CheckStoreOptions = {}): Promise<CheckedStore> {
  const { repair = false, quick = false, signal } = options;
  const { log } = settings;
  const { data } = settings.directories;
  const store = await openStore(data);
  const layout = await checkLayout(store, settings, options);
  const result = { store: store.root, images: 0, archives: 0, bytes: 0 };
  if (layout.some(({ outcome }) => outcome === "left")) {
    return { ...result, findings: layout.map((finding) => told(store, finding)) };
  }
  const unread = { count: 0, size: 0, rotten: new Set<string>() };
  const read = quick ? unread : await readArchives(store, { log, signal });
  const users = () => treeUsers(data);
  const lock = await lockStore(store, "exclusive", { signal, log });
  let findings: readonly Finding[];
  try {
    // Users are gathered with the lock held: a pod that is being prepared records its trees under the shared lock.
    const using = users();
    const scan = () => scanStore(store, read.rotten, using);
    findings = repair ? await repairStore(store, scan(), { scanAgain: scan, log, signal }) : scan().map(leave);
  } finally {
    lock.release();
  }
  const trees = quick ? [] : await checkTrees(store, { repair, unpackAgain, users, log, signal });
  if (repair) await emptyTrash(store);
  return {
    ...result,
    images: listRecordsSync(store).length,
    archives: read.count,
    bytes: read.size,
    findings: [...layout, ...findings, ...trees].map((finding) => told(store, finding)),
  };
}

async function checkLayout(
  store: Store,
  { log }: Settings,
  { repair = false, signal }: CheckStoreOptions,
): Promise<readonly Finding[]> {
  if (scanLayout(store).length === 0) return [];
  const lock = await lockStore(store, "exclusive", { signal, log });
  try {
    const found = scanLayout(store);
    return repair ? await makeLayout(store, found) : found.map(leave);
  } finally {
    lock.release();
  }
}

const leave = (found: Found): Finding => ({ ...found, outcome: "left" });

function told(
  store: Store,
  { kind, path, problem, isDamage, outcome, remedy, advice, pods = [], id }: Finding,
): StoreFinding {
  const mend = remedy === "none" ? null : "perigee store check --repair";
  return {
    kind,
    path: shownPath(store, path),
    problem,
    damage: isDamage,
    outcome,
    advice: outcome === "left" ? (advice ?? mend) : outcome === "quarantined" ? (advice ?? null) : null,
    id: id ?? null,
    usedBy: pods,
  };
}

/** 0: nothing is damaged any more; 5: something is not what was stored; 6: only pods keep it from being mended. */
export function checkStatus({ findings }: CheckedStore): number {
  const lost = findings.filter(({ damage, outcome }) => damage && (outcome === "left" || outcome === "quarantined"));
  if (lost.length === 0) return 0;
  return lost.every(({ usedBy }) => usedBy.length > 0) ? 6 : 5;
}
