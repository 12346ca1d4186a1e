/**
 * The step cache: `<data>/build`. Layers lie in a store of their own under the digest of their content, with its staging, marks and trash; a small
 * file for each key says which layer a step gave. Everything gets its name when it is whole, so a crash leaves only what gc takes away.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf } from "../base/failure.ts";
import { writeAtomic } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { FileLock } from "../shim/flock.ts";
import { lockStore } from "../store/gc.ts";
import { openStoreSync, type Store, treePath, treesOf } from "../store/layout.ts";
import { listNames } from "../store/lookup.ts";
import type { Layer } from "../store/stack.ts";
import { emptyTrash, makeStaging, type StagingDirectory, sweepStaging, throwAway } from "../store/staging.ts";
import { findTree, publishTree } from "../store/trees.ts";

/** Part of every key: another form of layers or of keys makes everything anew. */
const formatVersion = 1;

export interface Cache {
  readonly root: string;
  readonly store: Store;
}

/** What a key gave. */
export interface StepRecord {
  /** A tree of the cache's store. */
  readonly layer: string;
  /** Bytes of it. */
  readonly size: number;
}

export function openCache(data: string): Cache {
  const root = join(data, "build");
  const store = openStoreSync(root);
  for (const path of ["steps", "logs", "locks"].map((name) => join(root, name))) {
    // What is there may be empty, and would be synced again for every step.
    if (!existsSync(path)) makeDirectories(path, 0o700);
  }
  return { root, store };
}

/** Held by a build from its first look to its last: nothing is swept meanwhile. */
export async function holdCache(
  cache: Cache,
  options: { readonly signal?: AbortSignal | undefined; readonly log: Log },
) {
  return await lockStore(cache.store, "shared", options);
}

/** One builder for one key: the second waits and finds what the first made. */
export async function lockKey(cache: Cache, key: string, signal: AbortSignal | undefined, log: Log): Promise<FileLock> {
  return await FileLock.acquire(join(cache.root, "locks", key), "exclusive", {
    create: true,
    signal,
    onWait: () => log.info("waiting for another build that is at the same step"),
  });
}

/** 64 hex digits of everything that decides a result. */
export function keyOf(parts: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(["perigee recipe", formatVersion, parts]))
    .digest("hex");
}

/** The directory of a layer, with `rootfs` in it. */
export function layerDirectory(cache: Cache, layer: string): string {
  return treePath(cache.store, layer);
}

/** The layer for a key, noted as used; undefined when there is none. */
export function findLayer(cache: Cache, key: string): Layer | undefined {
  const path = stepPath(cache, key);
  const record = readRecord(path);
  const tree = record === undefined ? undefined : findTree(cache.store, record.layer);
  if (tree === undefined) return undefined;
  const now = new Date();
  utimesSync(path, now, now);
  return tree;
}

/** A working directory; what is in its tree becomes a layer. */
export async function beginLayer(cache: Cache): Promise<StagingDirectory> {
  return await makeStaging(cache.store);
}

/** The tree of `staging`, synced already, as the layer `id`, and what `key` gives from now on. */
export async function commitLayer(
  cache: Cache,
  staging: StagingDirectory,
  key: string,
  { layer, size }: StepRecord,
): Promise<Layer> {
  await publishTree(cache.store, staging, layer, []);
  await writeAtomic(stepPath(cache, key), `${JSON.stringify({ layer, size })}\n`, 0o600);
  return { id: layer, rootfs: join(treePath(cache.store, layer), "rootfs") };
}

export function logPath(cache: Cache, key: string): string {
  return join(cache.root, "logs", `${key.slice(0, 32)}.log`);
}

function stepPath(cache: Cache, key: string): string {
  return join(cache.root, "steps", key);
}

/** Undefined also for one that a crash or a stranger left broken: the step is then done again. */
function readRecord(path: string): StepRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null || !("layer" in value) || !("size" in value)) return undefined;
    const { layer, size } = value;
    // It becomes a path.
    return typeof layer === "string" && /^[a-z0-9-]{1,200}$/.test(layer) && typeof size === "number"
      ? { layer, size }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export interface SweepOptions {
  /** What was not used for so long goes. */
  readonly maxAgeMs: number;
  /** Of all layers together; the least recently used go first. */
  readonly maxBytes: number;
  readonly now: number;
  readonly log: Log;
}

/** Layers and logs that are old or too many leave the cache, and what dead builds left. While a build is under way nothing does. @returns layers removed */
export async function sweepCache(data: string, options: SweepOptions): Promise<readonly string[]> {
  if (statSync(join(data, "build"), { throwIfNoEntry: false }) === undefined) return [];
  const cache = openCache(data);
  const lock = FileLock.open(join(cache.store.root, "lock"), "exclusive");
  if (lock === undefined) {
    options.log.info("a build is under way: its cache is left as it is");
    return [];
  }
  try {
    const kept = sweepSteps(cache, options);
    const unused = listNames(treesOf(cache.store)).filter((name) => !kept.layers.has(name));
    const paths = [...kept.expired, ...unused.map((name) => treePath(cache.store, name))];
    await throwAway(cache.store, [
      ...paths,
      ...listNames(join(cache.root, "locks")).map((name) => join(cache.root, "locks", name)),
    ]);
    await sweepStaging(cache.store);
    await emptyTrash(cache.store);
    return unused;
  } finally {
    lock.release();
  }
}

/** The layers that stay, and the files that do not. */
function sweepSteps(cache: Cache, { maxAgeMs, maxBytes, now }: SweepOptions) {
  const files = listNames(join(cache.root, "steps")).map((name) => {
    const path = join(cache.root, "steps", name);
    return { path, usedAt: statSync(path).mtimeMs, record: readRecord(path) };
  });
  const layers = new Set<string>();
  const expired: string[] = [];
  let bytes = 0;
  for (const { path, usedAt, record } of files.toSorted((a, b) => b.usedAt - a.usedAt)) {
    const size = record === undefined || layers.has(record.layer) ? 0 : record.size;
    const stays = record !== undefined && usedAt + maxAgeMs > now && bytes + size <= maxBytes;
    if (!stays || findTree(cache.store, record.layer) === undefined) expired.push(path);
    else {
      bytes += size;
      layers.add(record.layer);
    }
  }
  for (const name of listNames(join(cache.root, "logs"))) {
    const path = join(cache.root, "logs", name);
    if (statSync(path).mtimeMs + maxAgeMs <= now) expired.push(path);
  }
  return { layers, expired };
}
