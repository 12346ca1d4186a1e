/**
 * Layers that images share: each is unpacked once, into a directory that every tree with it lies on (LAYER-1). A layer has its name only when it is
 * whole and on the disk; one without its mark does not exist. What makes a layer is not known here.
 */

import { existsSync, lstatSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import { rootfsOf, type Store, treeMarkOf } from "./layout.ts";
import { decodeSelfChecking, encodeSelfChecking, isText } from "./records.ts";
import { sizeOnDisk } from "./size.ts";
import type { Layer, Stack } from "./stack.ts";
import { type StagingDirectory, throwAway } from "./staging.ts";

/** Made when the first layer comes. */
export const layersOf = (store: Store): string => join(store.root, "layers");
export const layerPath = (store: Store, id: string): string => join(layersOf(store), id);
/** Beside the rootfs of a tree that lies on layers: their names. */
const stackFileOf = (tree: string): string => join(tree, "layers");

export interface SharedLayer extends Layer {
  /** Whether the layer says what the root directory is like. */
  readonly hasRoot: boolean;
  /** Bytes on the disk. */
  readonly size: number;
}

/** Names become paths: nothing else is one. */
export function isLayerId(text: string): boolean {
  return /^(?:layer|chain)-sha(?:256|512)-[0-9a-f]{64,128}$/.test(text);
}

/** Undefined when it is not there, or not whole. */
export function findSharedLayer(store: Store, id: string): SharedLayer | undefined {
  const path = layerPath(store, id);
  const file = readStateFile(treeMarkOf(path));
  const mark = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  if (!isObject(mark) || mark["layer"] !== id || typeof mark["size"] !== "number") return undefined;
  if (!isDirectory(rootfsOf(path))) return undefined;
  return { id, rootfs: rootfsOf(path), hasRoot: mark["hasRoot"] === true, size: mark["size"] };
}

/**
 * Gives the synced rootfs of a working directory its mark and its name; that another process was faster is success. The name is durable after
 * syncSharedLayers.
 */
export async function publishSharedLayer(
  store: Store,
  staging: Pick<StagingDirectory, "tree" | "rootfs">,
  id: string,
  { hasRoot }: Pick<SharedLayer, "hasRoot">,
): Promise<SharedLayer> {
  makeDirectories(layersOf(store), 0o700);
  const size = sizeOnDisk(staging.rootfs);
  await writeNew(treeMarkOf(staging.tree), encodeSelfChecking({ layer: id, hasRoot, size }));
  await syncDirectory(staging.tree);
  await giveName(store, staging.tree, layerPath(store, id));
  const layer = findSharedLayer(store, id);
  if (layer === undefined) throw new Failure("INTERNAL", `the layer ${id} is gone`);
  return layer;
}

/** Makes the names of layers durable, whoever gave them. */
export async function syncSharedLayers(store: Store): Promise<void> {
  for (const directory of existsSync(layersOf(store)) ? [layersOf(store), store.root] : []) {
    await syncDirectory(directory).catch((error: unknown) => {
      throw ioFailure(error, `cannot store layers in ${directory}`, directory);
    });
  }
}

async function giveName(store: Store, from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rename(from, to);
    } catch (error) {
      const isTaken = ["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "");
      if (!isTaken || attempt > 3) throw ioFailure(error, `cannot name the layer ${to}`, to);
      if (findSharedLayer(store, basename(to)) !== undefined) return;
      await throwAway(store, [to]);
    }
  }
}

/** Says of a tree that is being made which layers it lies on, lowest first; synced with the tree. */
export async function writeStack(tree: string, layers: readonly string[]): Promise<void> {
  await writeNew(stackFileOf(tree), encodeSelfChecking({ layers }));
}

/** Names of the layers that a tree lies on, lowest first; undefined: it has all its files itself. "broken": nobody can tell. */
export function readStackNames(tree: string): readonly string[] | "broken" | undefined {
  const file = readStateFile(stackFileOf(tree));
  if ("problem" in file) return file.problem === "missing" ? undefined : "broken";
  const value = decodeSelfChecking(file.bytes);
  const names: unknown = isObject(value) ? value["layers"] : undefined;
  return Array.isArray(names) && names.every((name) => isText(name) && isLayerId(name)) ? names : "broken";
}

/**
 * What a tree consists of, lowest first, its own rootfs on top; undefined: only of that. "broken": a layer is missing. For run's hot path:
 * one look when there are none, two for each layer otherwise.
 */
export function readStack(store: Store, treeId: string, tree: string): Stack | "broken" | undefined {
  const names = readStackNames(tree);
  if (names === undefined || names === "broken") return names;
  const layers = names.map((id): Layer => ({ id, rootfs: rootfsOf(layerPath(store, id)) }));
  const isWhole = names.every((id) => isFile(treeMarkOf(layerPath(store, id))));
  if (!isWhole || !layers.every(({ rootfs }) => isDirectory(rootfs))) return "broken";
  return [...layers, { id: treeId, rootfs: rootfsOf(tree) }];
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Bytes that the layers of a tree take on the disk; they count for each image that lies on them. */
export function sizeOfLayers(store: Store, tree: string): number {
  const names = readStackNames(tree);
  if (names === undefined || names === "broken") return 0;
  return names.reduce((sum, id) => sum + (findSharedLayer(store, id)?.size ?? 0), 0);
}

/** A new file of the store, on the disk when the promise resolves. */
export async function writeNew(path: string, text: string): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await handle.close();
  }
}
