/** Entries made of what the layers below have: directories that a layer goes on in, files that it gives a second name, marks of what it takes away. */
import { createReadStream, lstatSync, readlinkSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { pack } from "../shim/pack.ts";
import { type FoundFile, partsOf, placeOf, type StackView } from "../store/stack.ts";
import { pathKey, type TarMember, type Xattr } from "../tar/entry.ts";

const noBytes = Buffer.alloc(0);

async function* nothing(): AsyncGenerator<Uint8Array> {}

const blank = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0n, nanoseconds: 0 },
  size: 0,
  link: noBytes,
  xattrs: [] as readonly Xattr[],
} as const;

/** What a directory gets that no layer describes. */
export function plainDirectory(path: string): TarMember {
  return { ...blank, path: Buffer.from(path, "latin1"), type: "directory", body: nothing() };
}

/** Hides the name in the layers below. */
export function whiteoutAt(path: string): TarMember {
  const device = { major: 0, minor: 0 };
  return { ...blank, path: Buffer.from(path, "latin1"), type: "character", mode: 0, device, body: nothing() };
}

/** The directory as it is below: it will lie over that one, and be seen in its place. */
export function directoryFromBelow(found: FoundFile, path: string): TarMember {
  return { ...blank, ...attributesOf(found), path: Buffer.from(path, "latin1"), type: "directory", body: nothing() };
}

export function linkTarget({ place }: FoundFile): string {
  return readlinkSync(place, { encoding: "buffer" }).toString("latin1");
}

/** The file or link as it is below, with its content and attributes. @throws Failure SHIM_FAILED */
export async function copyFromBelow(view: StackView, found: FoundFile, path: string): Promise<TarMember> {
  const xattrs = await xattrsOf(view, found, path);
  const common = { ...blank, ...attributesOf(found), xattrs, path: Buffer.from(path, "latin1") };
  if (found.kind === "symlink") {
    return { ...common, type: "symlink", link: Buffer.from(linkTarget(found), "latin1"), body: nothing() };
  }
  return { ...common, type: "file", size: found.stats.size, body: contentOf(found.place) };
}

/** Opened when it is read. */
async function* contentOf(place: Buffer): AsyncGenerator<Uint8Array> {
  yield* createReadStream(place) as AsyncIterable<Uint8Array>;
}

/** Only perigee-shim reads attributes, and it reads whole trees: this is for the few layers that need it. */
async function xattrsOf({ stack }: StackView, { place }: FoundFile, path: string): Promise<readonly Xattr[]> {
  const parts = partsOf(path);
  const layer = stack.find(({ rootfs }) => placeOf(rootfs, parts).equals(place));
  if (layer === undefined) throw new Failure("INTERNAL", "a file of no layer");
  const seen = new Map<string, readonly Xattr[]>();
  for await (const entry of pack(layer.rootfs)) {
    const xattrs = entry.type === "hardlink" ? (seen.get(keyOf(entry.link)) ?? []) : entry.xattrs;
    if (keyOf(entry.path) === parts.join("/")) return xattrs;
    if (entry.xattrs.length > 0) seen.set(keyOf(entry.path), xattrs);
  }
  return [];
}

function keyOf(path: Buffer): string {
  return partsOf(pathKey(path)).join("/");
}

function attributesOf({ place }: FoundFile): Pick<TarMember, "mode" | "uid" | "gid" | "mtime"> {
  const stats = lstatSync(place, { bigint: true });
  const seconds = stats.mtimeNs >= 0n ? stats.mtimeNs / billion : (stats.mtimeNs - billion + 1n) / billion;
  return {
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: { seconds, nanoseconds: Number(stats.mtimeNs - seconds * billion) },
  };
}

const billion = 1_000_000_000n;
