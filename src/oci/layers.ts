/**
 * The layers of an image in the store: each blob once, each unpacked once (LAYER-1, LAYER-2). Several at a time; one that speaks of what is below
 * waits for that. A blob is compared whole before its first byte is unpacked (OCI-9).
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { decompress } from "../image/compression.ts";
import { unpackMembers } from "../image/extract.ts";
import { defaultImageLimits, type ImageLimits } from "../image/limits.ts";
import { digestBlobPath, hasDigestBlob, placeDigestBlob, readDigestBlob } from "../store/digest-blobs.ts";
import type { Store } from "../store/layout.ts";
import { findSharedLayer, publishSharedLayer, type SharedLayer } from "../store/shared-layers.ts";
import { makeStaging, type StagingDirectory, throwAway } from "../store/staging.ts";
import { pathKey, type TarMember } from "../tar/entry.ts";
import { readTar } from "../tar/read.ts";
import { algorithmOf, type Digest } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { layLayer } from "./layer.ts";
import { type LayerIndexes, type LowerView, lowerView } from "./lower.ts";
import type { OciSource } from "./source.ts";
import { digestOf, requireDigest, verified } from "./verified.ts";

export interface LayerOptions {
  readonly store: Store;
  readonly limits?: ImageLimits | undefined;
  readonly keepOwners: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** Layers that are fetched and unpacked at the same time. */
const mostAtOnce = 4;

/**
 * The layers of `blobs`, lowest first. What was stored before one of them failed stays for the next try, until the store is swept.
 * @throws Failure DIGEST_MISMATCH, ARCHIVE_INVALID, LIMIT_EXCEEDED, INTERRUPTED; what the source throws
 */
export async function storeLayers(
  source: OciSource,
  blobs: readonly Descriptor[],
  diffIds: readonly Digest[],
  options: LayerOptions,
): Promise<readonly SharedLayer[]> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const chains = chainIds(diffIds);
  const budget = { left: (options.limits ?? defaultImageLimits).totalSize };
  const indexes: LayerIndexes = new Map();
  const started: Promise<SharedLayer>[] = [];
  let running: Promise<unknown>[] = [];
  for (const [index, blob] of blobs.entries()) {
    const [diffId, chainId] = [diffIds[index], chains[index]];
    if (diffId === undefined || chainId === undefined) throw new Failure("INTERNAL", "a layer without its diff id");
    const under = started.slice();
    let view: Promise<LowerView> | undefined;
    const below = (): Promise<LowerView> => {
      view ??= Promise.all(under).then((layers) => lowerView(layers, indexes));
      return view;
    };
    const work = storeLayer({ source, blob, diffId, chainId, below, budget, options: { ...options, signal } });
    started.push(work);
    work.catch(() => stop.abort());
    // Lower ones were begun before, so one that waits for them never waits for its turn.
    running.push(work);
    if (running.length >= mostAtOnce) {
      await Promise.race(running.map((one) => one.catch(() => {})));
      running = await unfinished(running);
    }
    if (signal.aborted) break;
  }
  return await settled(started, options.signal);
}

async function unfinished(works: readonly Promise<unknown>[]): Promise<Promise<unknown>[]> {
  const pending = Symbol("pending");
  const states = await Promise.all(
    works.map((work) =>
      Promise.race([
        work.then(
          () => undefined,
          () => undefined,
        ),
        Promise.resolve(pending),
      ]),
    ),
  );
  return works.filter((_, index) => states[index] === pending);
}

/** The failure that ended the others is the one to tell. */
async function settled(
  works: readonly Promise<SharedLayer>[],
  signal: AbortSignal | undefined,
): Promise<readonly SharedLayer[]> {
  const ends = await Promise.allSettled(works);
  const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  const first = errors.find((error) => !(error instanceof Failure) || error.code !== "INTERRUPTED") ?? errors[0];
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
  if (first !== undefined) throw first;
  return ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
}

/** Of each layer with all that is below it, as the OCI specification computes it. */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chains.at(-1);
    chains.push(below === undefined ? diffId : digestOf(Buffer.from(`${below} ${diffId}`)));
  }
  return chains;
}

/** The name of a layer in the store: for every image that has it, or only for those with the same below it. */
export function layerIdOf(kind: "layer" | "chain", digest: Digest): string {
  return `${kind}-${digest.replace(":", "-")}`;
}

interface OneLayer {
  readonly source: OciSource;
  readonly blob: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  readonly below: () => Promise<LowerView>;
  /** Bytes that the layers may still unpack to, together. */
  readonly budget: { left: number };
  readonly options: LayerOptions;
}

async function storeLayer(layer: OneLayer): Promise<SharedLayer> {
  const { blob, diffId, chainId, options } = layer;
  const { store, log } = options;
  const found =
    findSharedLayer(store, layerIdOf("layer", diffId)) ?? findSharedLayer(store, layerIdOf("chain", chainId));
  const hasBlob = await hasDigestBlob(store, blob.digest, blob.size);
  if (found !== undefined && hasBlob) return found;
  const staging = await makeStaging(store);
  try {
    // One that rotted in the store is replaced by what the source has.
    const isWhole = hasBlob && (await isIntact(blob, options));
    if (hasBlob && !isWhole) await throwAway(store, [digestBlobPath(store, blob.digest)]);
    if (!isWhole) await storeBlob(layer.source, blob, staging, options);
    if (found !== undefined) return found;
    const { id, hasRoot } = await unpackLayer(layer, staging.rootfs, { ...options, sync: true });
    return await publishSharedLayer(store, staging, id, { hasRoot });
  } finally {
    await staging.discard().catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
  }
}

/** Before any byte of a blob that was not compared just now reaches the unpacker (OCI-9). @throws Failure INTERRUPTED */
async function isIntact(blob: Descriptor, { store, signal }: LayerOptions): Promise<boolean> {
  try {
    for await (const _ of verified(readDigestBlob(store, blob.digest), blob, `the stored ${blob.digest}`)) {
      if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
    }
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "DIGEST_MISMATCH") return false;
    throw error;
  }
}

/** Whole, compared and on the disk, or not there. @throws Failure DIGEST_MISMATCH, DISK_FULL; what the source throws */
export async function storeBlob(
  source: OciSource,
  blob: Descriptor,
  staging: StagingDirectory,
  { store, log, signal }: Pick<LayerOptions, "store" | "log" | "signal">,
): Promise<void> {
  const path = join(staging.path, "blob");
  const handle = await open(path, "wx", 0o600);
  const task = `fetching ${blob.digest.slice(0, 19)}`;
  let done = 0;
  try {
    for await (const chunk of verified(source.open(blob, "blob"), blob, `the blob ${blob.digest}`)) {
      if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
      await writeAll(handle, chunk);
      done += chunk.length;
      log.progress({ task, done, total: blob.size });
    }
    await handle.sync();
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await handle.close();
  }
  log.progress({ task, done, total: blob.size, finished: true });
  await placeDigestBlob(store, path, blob.digest);
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
}

export interface UnpackedLayer {
  readonly id: string;
  readonly hasRoot: boolean;
}

/**
 * Unpacks a stored blob, which was compared with its digest, into the empty directory `rootfs`.
 * @throws Failure DIGEST_MISMATCH for another diff id; ARCHIVE_INVALID, LIMIT_EXCEEDED, INTERRUPTED
 */
export async function unpackLayer(
  { blob, diffId, chainId, below, budget }: Omit<OneLayer, "source" | "options">,
  rootfs: string,
  { store, log, keepOwners, signal, sync, limits = defaultImageLimits }: LayerOptions & { readonly sync: boolean },
): Promise<UnpackedLayer> {
  const hash = createHash(algorithmOf(diffId));
  let hasRoot = false;
  const spend = (bytes: number): void => {
    budget.left -= bytes;
    if (budget.left < 0) throw new Failure("LIMIT_EXCEEDED", "the layers unpack to more than an image may have");
  };
  async function* plain(): AsyncGenerator<Uint8Array> {
    for await (const chunk of decompress(readDigestBlob(store, blob.digest), limits)) {
      spend(chunk.length);
      hash.update(chunk);
      yield chunk;
    }
  }
  async function* noted(members: AsyncIterable<TarMember>): AsyncGenerator<TarMember> {
    for await (const member of members) {
      if (pathKey(member.path) === ".") hasRoot = true;
      yield member;
    }
  }
  const laid = layLayer(readTar(plain(), limits), below, spend);
  const { skipped } = await unpackMembers(noted(laid.members), rootfs, {
    ...{ owner: keepOwners, whiteouts: true, sync, signal },
  });
  requireDigest(`${algorithmOf(diffId)}:${hash.digest("hex")}`, diffId, `the unpacked layer ${blob.digest}`);
  if (skipped.length > 0) log.warn(`left out of the image: ${few(skipped)}`);
  return { id: laid.dependsOnBelow() ? layerIdOf("chain", chainId) : layerIdOf("layer", diffId), hasRoot };
}

/** D01, X01: somebody has to be told; a hostile image must not fill the screen. */
function few(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(printable).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
