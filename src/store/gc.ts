/** The sweep: what nobody can need any more leaves the store. Which pods there are is not known here; the caller brings their trees. */
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { removeAbandoned } from "../base/files.ts";
import { type Log, silentLog } from "../base/log.ts";
import { FileLock } from "../shim/flock.ts";
import { oldAnswers } from "./answers.ts";
import { digestBlobsOf, digestOfName } from "./digest-blobs.ts";
import { sweepTurns } from "./downloads.ts";
import { openPlanner } from "./layers.ts";
import { blobsOf, indexOf, listedOf, listingOf, lockOf, manifestsOf, type Store, treePath, treesOf } from "./layout.ts";
import { compareManifests, type Index, keepTrees, readIndex } from "./listing.ts";
import { listNames, shelvesOf } from "./lookup.ts";
import { sweepNewest } from "./newest.ts";
import type { StoredRecord } from "./records.ts";
import { layersOf, readStackNames } from "./shared-layers.ts";
import { emptyTrash, sweepStaging, throwAway } from "./staging.ts";
import { sweepVerdicts } from "./verdicts.ts";

export interface Swept {
  readonly trees: readonly string[];
  readonly staging: number;
  /** SHA-512 of archives that no image has. */
  readonly blobs: readonly string[];
}

/** Shared for users of trees, exclusive for whoever removes. Release with `release()`. */
export async function lockStore(
  store: Store,
  mode: "shared" | "exclusive",
  options: { readonly signal?: AbortSignal | undefined; readonly log?: Log | undefined } = {},
): Promise<{ release(): void }> {
  return FileLock.acquire(lockOf(store), mode, {
    signal: options.signal,
    onWait: () => options.log?.info("waiting for other users of the store"),
  });
}

/**
 * Removes trees no pod needs and no image gives, dead staging, and what a crash left of imports and removals. The caller holds
 * the store's exclusive lock since before it gathered `roots`, the tree ids that pods recorded; while they are unknown every tree stays. Broken records are mended from
 * their archives first, so that nothing is lost with them.
 */
export async function sweepStore(
  store: Store,
  roots: ReadonlySet<string> | "unknown",
  options: { readonly log?: Log | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<Swept> {
  const log = options.log ?? silentLog;
  const index = await mendedIndex(store, log, options.signal);
  const records = index.images.map(({ record }) => record);
  const trees = roots === "unknown" ? [] : await sweepTrees(store, roots, index, log);
  await sweepLayers(store);
  await sweepDigestBlobs(store, records);
  const archives = new Set(records.map((record) => record.archive.sha512));
  const blobs = await sweepBlobs(store, archives);
  await sweepVerdicts(store, archives);
  const ids = records.map((record) => record.id);
  await sweepDirectory(store, manifestsOf(store), new Set(ids));
  await sweepDirectory(store, indexOf(store), new Set(ids.map((id) => `${id}.json`)));
  await throwAway(store, await oldAnswers(store, Date.now()));
  await sweepTurns(store);
  await sweepNewest(store);
  for (const path of [listingOf(store), listedOf(store)]) await removeAbandoned(path);
  const staging = await sweepStaging(store);
  await emptyTrash(store);
  return { trees, staging, blobs };
}

/** The index, after what can be mended of it and of the manifests was. */
async function mendedIndex(store: Store, log: Log, signal: AbortSignal | undefined): Promise<Index> {
  const found = readIndex(store);
  if (found.broken.length > 0) {
    const { mendIndex } = await import("./mend.ts");
    await mendIndex(store, found.broken, log, signal);
  }
  const index = found.broken.length > 0 ? readIndex(store) : found;
  const unsaid = await compareManifests(store, index, log);
  if (unsaid.length > 0) {
    const { mendManifests } = await import("./mend.ts");
    await mendManifests(store, unsaid, log, signal);
  }
  return index;
}

/** @returns ids of the trees removed */
async function sweepTrees(
  store: Store,
  roots: ReadonlySet<string>,
  index: Index,
  log: Log,
): Promise<readonly string[]> {
  const kept = new Set(roots);
  for (const { record } of index.images) if (!record.hasDependencies) kept.add(record.id);
  // The manifests of those with dependencies are read only when some tree may be theirs.
  if (listNames(treesOf(store)).some((name) => !kept.has(name))) {
    for (const tree of await treesOfDependants(store, index, log)) kept.add(tree);
  }
  return await sweepDirectory(store, treesOf(store), kept);
}

/** They depend on nothing but the index: while that is as it was, they are (LIST-6). */
async function treesOfDependants(store: Store, index: Index, log: Log): Promise<readonly string[]> {
  if (index.kept?.trees !== undefined) return index.kept.trees;
  const records = index.images.map(({ record }) => record);
  const trees = treesOfSeveral(store, records);
  if (records.some(({ hasDependencies }) => hasDependencies)) await keepTrees(store, index, trees, log);
  return trees;
}

/** A tree that cannot be computed, because a dependency is gone, is rendered again when it can. */
function treesOfSeveral(store: Store, records: readonly StoredRecord[]): readonly string[] {
  const planner = openPlanner(store, records);
  return records.flatMap(({ id, hasDependencies }) => {
    if (!hasDependencies) return [];
    try {
      return [planner.treeId(id)];
    } catch (error) {
      if (error instanceof Failure) return [];
      throw error;
    }
  });
}

/** @returns digests of the archives removed; a signature goes with its archive */
async function sweepBlobs(store: Store, kept: ReadonlySet<string>): Promise<readonly string[]> {
  const removed: string[] = [];
  const shelves = shelvesOf(store);
  const strangers = listNames(blobsOf(store)).map((name) => join(blobsOf(store), name));
  await throwAway(
    store,
    strangers.filter((path) => !shelves.includes(path)),
  );
  for (const directory of shelves) {
    for (const name of listNames(directory)) {
      const digest = name.endsWith(".asc") ? name.slice(0, -".asc".length) : name;
      if (kept.has(digest)) continue;
      await throwAway(store, [join(directory, name)]);
      if (name === digest) removed.push(printable(digest));
    }
  }
  return removed;
}

/** Layers that no tree lies on. Trees that stayed keep theirs; where one cannot say which, all stay. */
async function sweepLayers(store: Store): Promise<void> {
  if (!existsSync(layersOf(store))) return;
  const stacks = listNames(treesOf(store)).map((name) => readStackNames(treePath(store, name)));
  if (stacks.includes("broken")) return;
  await sweepDirectory(store, layersOf(store), new Set(stacks.flatMap((names) => names ?? [])));
}

async function sweepDigestBlobs(store: Store, records: readonly StoredRecord[]): Promise<void> {
  if (!existsSync(digestBlobsOf(store))) return;
  const used = records.flatMap(({ oci }) => (oci === undefined ? [] : [oci.config, ...oci.layers]));
  const kept = new Set(used.map(({ digest }) => digest));
  for (const shelf of listNames(digestBlobsOf(store))) {
    const directory = join(digestBlobsOf(store), shelf);
    const names = lstatSync(directory).isDirectory() ? listNames(directory) : [];
    const unused = names.filter((name) => !kept.has(digestOfName(name) ?? ""));
    await throwAway(store, unused.length === names.length ? [directory] : unused.map((name) => join(directory, name)));
  }
}

/** Throws away what is not in `kept`. @returns the names */
async function sweepDirectory(store: Store, directory: string, kept: ReadonlySet<string>): Promise<readonly string[]> {
  const unused = listNames(directory).filter((name) => !kept.has(name));
  await throwAway(
    store,
    unused.map((name) => join(directory, name)),
  );
  return unused.map(printable);
}
