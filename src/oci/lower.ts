/**
 * What the layers below have, for a layer that speaks of it. Root looks at the files themselves; an ordinary user may not enter every directory of
 * an image, and the owners on the disk mean others inside (ISO-21), so perigee-shim reads the layers then, as root of the user's pods.
 */
import { createReadStream, lstatSync, readlinkSync } from "node:fs";
import { errnoOf, Failure } from "../base/failure.ts";
import { callerIds, idInside } from "../shim/caller-ids.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { isWhiteoutEntry } from "../store/merge.ts";
import { type FoundFile, type Layer, partsOf, placeOf, type Stack, viewOf } from "../store/stack.ts";
import { pathKey, type TarMember, type Xattr } from "../tar/entry.ts";

export type Attributes = Pick<TarMember, "mode" | "uid" | "gid" | "mtime">;

export interface LowerFile {
  readonly kind: FoundFile["kind"];
  readonly size: number;
  attributes(): Attributes;
  /** Where a symlink leads. One character a byte. */
  link(): string;
  xattrs(): Promise<readonly Xattr[]>;
  /** Opened when it is read. @throws Failure SHIM_FAILED */
  content(): AsyncIterable<Uint8Array>;
}

export interface LowerView {
  /** No link is followed; undefined when nothing is there. `""` is the root. */
  find(path: string): LowerFile | undefined;
  names(path: string): readonly string[];
}

/** Layers that were read whole, by their names: each once in an import. */
export type LayerIndexes = Map<string, Promise<LayerIndex>>;

interface LayerIndex {
  readonly entries: ReadonlyMap<string, IndexedFile>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

type IndexedFile = Omit<PackEntry, "body" | "path">;

/** @throws Failure SHIM_FAILED */
export async function lowerView(stack: Stack, indexes: LayerIndexes): Promise<LowerView> {
  if (callerIds() === undefined) return directView(stack, indexes);
  const layers: IndexedLayer[] = [];
  // The topmost first.
  for (const layer of stack.toReversed()) layers.push({ layer, index: await indexOf(layer, indexes) });
  return { find: (path) => findIndexed(layers, path), names: (path) => namesIndexed(layers, path) };
}

/** Owner, mode and time of a file of a layer, as its image says them. */
export function attributesOf(place: Buffer | string): Attributes {
  const stats = lstatSync(place, { bigint: true });
  const seconds = stats.mtimeNs >= 0n ? stats.mtimeNs / billion : (stats.mtimeNs - billion + 1n) / billion;
  const ids = callerIds();
  const [uid, gid] = [Number(stats.uid), Number(stats.gid)];
  return {
    mode: Number(stats.mode & 0o7777n),
    uid: ids === undefined ? uid : (idInside(ids.uids, uid) ?? 0),
    gid: ids === undefined ? gid : (idInside(ids.gids, gid) ?? 0),
    mtime: { seconds, nanoseconds: Number(stats.mtimeNs - seconds * billion) },
  };
}

const billion = 1_000_000_000n;

function directView(stack: Stack, indexes: LayerIndexes): LowerView {
  const view = viewOf(stack);
  const fileOf = ({ kind, place, stats }: FoundFile, path: string): LowerFile => ({
    kind,
    size: stats.size,
    attributes: () => attributesOf(place),
    link: () => readlinkSync(place, { encoding: "buffer" }).toString("latin1"),
    // Only perigee-shim reads attributes, and it reads whole trees: this is for the few layers that need it.
    xattrs: async () => {
      const layer = stack.find(({ rootfs }) => placeOf(rootfs, partsOf(path)).equals(place));
      if (layer === undefined) throw new Failure("INTERNAL", "a file of no layer");
      return (await indexOf(layer, indexes)).entries.get(keyOf(path))?.xattrs ?? [];
    },
    content: () => contentAt(place),
  });
  const find = (path: string): LowerFile | undefined => {
    const found = view.find(path);
    return found && fileOf(found, path);
  };
  return { find, names: (path) => view.names(path) };
}

async function* contentAt(place: Buffer): AsyncGenerator<Uint8Array> {
  yield* createReadStream(place) as AsyncIterable<Uint8Array>;
}

interface IndexedLayer {
  readonly layer: Layer;
  readonly index: LayerIndex;
}

function indexOf(layer: Layer, indexes: LayerIndexes): Promise<LayerIndex> {
  const index = indexes.get(layer.id) ?? readIndex(layer);
  indexes.set(layer.id, index);
  return index;
}

async function readIndex({ rootfs }: Layer): Promise<LayerIndex> {
  const entries = new Map<string, IndexedFile>();
  const children = new Map<string, string[]>();
  for await (const { path, body: _, ...entry } of pack(rootfs, { asPodRoot: true })) {
    const key = keyOf(pathKey(path));
    // A later name of a file is that file, with all that its first name says.
    const file = entry.type === "hardlink" ? entries.get(keyOf(pathKey(entry.link))) : entry;
    if (file === undefined) throw new Failure("INTERNAL", "a second name without a first");
    entries.set(key, { ...file, xattrs: file.xattrs.map(({ name, value }) => ({ name, value: Buffer.from(value) })) });
    if (key === "") continue;
    const slash = key.lastIndexOf("/");
    const parent = slash < 0 ? "" : key.slice(0, slash);
    const names = children.get(parent) ?? [];
    names.push(key.slice(slash + 1));
    children.set(parent, names);
  }
  return { entries, children };
}

/** As an overlay: what is no directory, and a whiteout, hides all below it. */
function findIndexed(layers: readonly IndexedLayer[], path: string): LowerFile | undefined {
  const parts = partsOf(path);
  for (const { layer, index } of layers) {
    for (let length = 0; length <= parts.length; length += 1) {
      const entry = index.entries.get(parts.slice(0, length).join("/"));
      if (entry === undefined) break;
      if (isWhiteoutEntry(entry)) return undefined;
      if (length === parts.length) return fileOf(entry, layer, parts);
      if (entry.type !== "directory") return undefined;
    }
  }
  return undefined;
}

function namesIndexed(layers: readonly IndexedLayer[], path: string): readonly string[] {
  if (findIndexed(layers, path)?.kind !== "directory") return [];
  const key = keyOf(path);
  const names = new Set(layers.flatMap(({ index }) => index.children.get(key) ?? []));
  return [...names].filter((name) => findIndexed(layers, key === "" ? name : `${key}/${name}`) !== undefined).sort();
}

function fileOf(entry: IndexedFile, { rootfs }: Layer, parts: readonly string[]): LowerFile {
  const { type, mode, uid, gid, mtime, link, xattrs, size } = entry;
  return {
    kind: type === "file" || type === "directory" || type === "symlink" ? type : "other",
    size: Number(size),
    attributes: () => ({ mode, uid, gid, mtime }),
    link: () => link.toString("latin1"),
    xattrs: async () => xattrs,
    content: () => contentInside(rootfs, parts),
  };
}

/** What the user may not open perigee-shim reads; it begins at the front of the layer, so the short way comes first. */
async function* contentInside(rootfs: string, parts: readonly string[]): AsyncGenerator<Uint8Array> {
  try {
    yield* contentAt(placeOf(rootfs, parts));
    return;
  } catch (error) {
    // Nothing was read of it: whether a file may be opened is known before its first byte.
    if (errnoOf(error) !== "EACCES") throw error;
  }
  const wanted = parts.join("/");
  let target = wanted;
  for await (const entry of pack(rootfs, { asPodRoot: true })) {
    if (keyOf(pathKey(entry.path)) !== target) continue;
    if (entry.type !== "hardlink") {
      yield* entry.body;
      return;
    }
    target = keyOf(pathKey(entry.link));
  }
  if (target === wanted) throw new Failure("INTERNAL", "a file of the layer is gone");
  yield* contentInside(rootfs, target.split("/"));
}

function keyOf(path: string): string {
  return partsOf(path).join("/");
}
