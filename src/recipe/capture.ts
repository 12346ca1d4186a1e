/**
 * What a command changed: the upper directory of its overlay → the members of a layer. Owners are the image's again, times that the command made are
 * the build's, opaque directories become whiteouts, and what the pod itself put there is taken away. The command has ended: nobody changes anything.
 */
import { type Dirent, lstatSync, readdirSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import { errnoOf, Failure } from "../base/failure.ts";
import { callerIds } from "../shim/caller-ids.ts";
import { hasXattr } from "../shim/libc.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { isWhiteoutEntry } from "../store/merge.ts";
import { partsOf, pathBytes, placeOf, type StackView, showBytes } from "../store/stack.ts";
import type { TarMember, Timestamp, Xattr } from "../tar/entry.ts";
import { whiteoutMember } from "./layer.ts";

export interface CaptureOptions {
  readonly upper: string;
  /** The image as the command found it. */
  readonly view: StackView;
  /** First host id of the pod's user namespace; 0 without one. */
  readonly idBase: number;
  /** Seconds: times not before it are the command's doing. */
  readonly startedAt: number;
  /** What they become. */
  readonly epoch: number;
  /** Absolute paths that something was mounted at; the shim makes what is missing there. */
  readonly mountTargets: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure IMAGE_INVALID for an owner outside of the pod's ids; as pack */
export async function* captureMembers(options: CaptureOptions): AsyncGenerator<TarMember> {
  const { upper, view, epoch, signal } = options;
  for (const target of options.mountTargets) removeMade(upper, view, target);
  const removed = new Map<string, readonly string[]>();
  // Without a user namespace the overlay was mounted by the host's root, and marks directories with other attributes.
  const opaque = options.idBase === 0 && callerIds() === undefined ? "trusted.overlay.opaque" : "user.overlay.opaque";
  survey(upper, view, { path: "", isOpaque: false, opaque }, removed);
  const whiteouts = new Set<string>();
  for await (const entry of pack(upper, { signal, asPodRoot: true })) {
    const path = partsOf(entry.path.toString("latin1")).join("/");
    // The kernel makes whiteouts as further names of one.
    const isLinked = entry.type === "hardlink" && whiteouts.has(entry.link.toString("latin1"));
    if (isLinked || isWhiteoutEntry(entry)) {
      whiteouts.add(path);
      yield whiteoutMember(path, epoch);
    } else yield { ...entry, ...restored(entry, options), size: Number(entry.size) };
    for (const name of removed.get(path) ?? []) yield whiteoutMember(path === "" ? name : `${path}/${name}`, epoch);
  }
}

/** A place to mount at that the image lacks, and the directories that were made for it: gone again when nothing else came to be there. */
function removeMade(upper: string, view: StackView, target: string): void {
  const parts = partsOf(view.resolve(pathBytes(target), { last: true }));
  for (let length = parts.length; length > 0; length -= 1) {
    const path = parts.slice(0, length).join("/");
    if (view.find(path) !== undefined) return;
    const place = placeBelow(upper, parts.slice(0, length));
    const stats = place === undefined ? undefined : statsAt(place);
    if (place === undefined || stats === undefined) continue;
    if (!removeEmpty(place, stats)) return;
  }
}

/** Undefined when a component on the way is no directory: a link that the command made there is not followed. */
function placeBelow(upper: string, parts: readonly string[]): Buffer | undefined {
  for (let length = 1; length < parts.length; length += 1) {
    if (statsAt(placeOf(upper, parts.slice(0, length)))?.isDirectory() !== true) return undefined;
  }
  return placeOf(upper, parts);
}

function statsAt(place: Buffer): Stats | undefined {
  return lstatSync(place, { throwIfNoEntry: false });
}

function removeEmpty(place: Buffer, stats: Stats): boolean {
  if (stats.isFile() && stats.size === 0) {
    unlinkSync(place);
    return true;
  }
  if (!stats.isDirectory()) return false;
  try {
    rmdirSync(place);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOTEMPTY") return false;
    throw error;
  }
}

/**
 * Sockets go: nothing listens any more, and no archive can hold them. A directory that the overlay calls opaque hides what is below it, and so do
 * all directories in it: what of that is not there again is noted in `removed`, by directory.
 */
function survey(
  upper: string,
  view: StackView,
  { path, isOpaque, opaque }: { readonly path: string; readonly isOpaque: boolean; readonly opaque: string },
  removed: Map<string, readonly string[]>,
): void {
  const parts = partsOf(path);
  const place = placeOf(upper, parts);
  const hides = isOpaque || (path !== "" && hasXattr(place, opaque));
  const entries: Dirent<Buffer>[] = readdirSync(place, { withFileTypes: true, encoding: "buffer" });
  const names = new Set(entries.map((entry) => entry.name.toString("latin1")));
  if (hides) {
    const missing = view.names(path).filter((name) => !names.has(name));
    if (missing.length > 0) removed.set(path, missing);
  }
  for (const entry of entries) {
    const name = entry.name.toString("latin1");
    const below = path === "" ? name : `${path}/${name}`;
    if (entry.isSocket()) unlinkSync(placeOf(upper, partsOf(below)));
    else if (entry.isDirectory()) survey(upper, view, { path: below, isOpaque: hides, opaque }, removed);
  }
}

function restored(entry: PackEntry, { idBase, startedAt, epoch }: CaptureOptions) {
  const own = (id: number): number => {
    const inside = id - idBase;
    if (inside >= 0 && (inside < 65536 || idBase === 0)) return inside;
    throw new Failure(
      "IMAGE_INVALID",
      `${showBytes(entry.path.toString("latin1"))} belongs to ${id}, which is no id of the pod`,
    );
  };
  return {
    uid: own(entry.uid),
    gid: own(entry.gid),
    mtime: clamped(entry.mtime, startedAt, epoch),
    xattrs: entry.xattrs.map((xattr) => unshifted(xattr, idBase)),
  };
}

function clamped(time: Timestamp, startedAt: number, epoch: number): Timestamp {
  return time.seconds >= BigInt(startedAt) ? { seconds: BigInt(epoch), nanoseconds: 0 } : time;
}

/** struct vfs_cap_data: revision 3 is 24 bytes and names the host's id of the root it counts for; revision 2 ends before it. */
const revision2 = 0x0200_0000;
const revisionMask = 0xff00_0000;

/** Attributes with host ids in them. */
function unshifted(xattr: Xattr, idBase: number): Xattr {
  const { name, value } = xattr;
  if (name === "security.capability" && value.length === 24) {
    const plain = Buffer.from(value.subarray(0, 20));
    plain.writeUInt32LE(((value.readUInt32LE(0) & ~revisionMask) | revision2) >>> 0, 0);
    return { name, value: plain };
  }
  return name === "system.posix_acl_access" || name === "system.posix_acl_default"
    ? { name, value: ownAcl(value, idBase) }
    : xattr;
}

/** Header of 4 bytes, then {tag u16, permissions u16, id u32}; only named users (2) and groups (8) have an id. */
function ownAcl(value: Buffer, idBase: number): Buffer {
  const own = Buffer.from(value);
  for (let at = 4; at + 8 <= own.length; at += 8) {
    const tag = own.readUInt16LE(at);
    if (tag === 2 || tag === 8) own.writeUInt32LE(Math.max(0, own.readUInt32LE(at + 4) - idBase), at + 4);
  }
  return own;
}
