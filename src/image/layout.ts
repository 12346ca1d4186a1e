/**
 * The layout rules of one archive (ACI-2, ACI-3) and its agreement with itself: what an entry is called, where it lies and
 * what it links to must not depend on the reader. Sees headers only, never bodies or a file system.
 */
import { Failure } from "../base/failure.ts";
import { manifestLimit } from "../schema/grammar.ts";
import { type EntryType, pathKey, showPath, type TarEntry, type TarMember } from "../tar/entry.ts";

/** Different paths, those of directories that no entry describes included: a short archive could imply millions of them. */
const mostPaths = 2_500_000;

const rootfsPrefix = Buffer.from("rootfs/");

export type Place = "root" | "manifest" | "rootfs";

export interface LayoutChecker {
  /** Where `entry` belongs. @throws Failure IMAGE_INVALID, LIMIT_EXCEEDED */
  place(entry: TarEntry): Place;
  /** @throws Failure IMAGE_INVALID when `manifest` or `rootfs` did not come */
  finish(): void;
}

/** Kinds of the paths seen; `implied` is a directory that only the paths below it prove. */
type Seen = Map<string, EntryType | "implied">;

export function layoutChecker(): LayoutChecker {
  const seen: Seen = new Map();
  // Entries of one directory come in a row, as a rule.
  let above = "";
  return {
    place(entry) {
      const key = pathKey(entry.path);
      const place = placeOf(entry, key);
      const isBeside = isIn(key, above);
      remember(seen, entry, key, isBeside);
      if (!isBeside) above = key.slice(0, Math.max(key.lastIndexOf("/"), 0));
      if (entry.type === "hardlink") checkLink(seen, entry);
      if (entry.type === "character" && entry.device?.major === 0 && entry.device.minor === 0) {
        throw invalid(entry, "a character device 0:0, which would hide files of an overlay"); // D06
      }
      return place;
    },
    finish() {
      if (!seen.has("manifest")) {
        throw new Failure("IMAGE_INVALID", "the image has no manifest", {
          hint: "an image is an archive of the file manifest and the directory rootfs: perigee build DIR OUT.aci makes one",
        });
      }
      if (seen.get("rootfs") !== "directory") {
        throw new Failure("IMAGE_INVALID", "the image has no entry for the directory rootfs");
      }
    },
  };
}

/** The member with its path, and that of a hard link's target, relative to rootfs. */
export function belowRootfs(member: TarMember): TarMember {
  const link = member.type === "hardlink" ? member.link.subarray(rootfsPrefix.length) : member.link;
  const path = relative(member.path);
  if (member.isSparse !== undefined) return { ...member, link, path };
  // In full: a spread of every entry would cost as much as to read it.
  const { type, mode, uid, gid, mtime, size, xattrs, device, dropped, body, span } = member;
  return { path, type, mode, uid, gid, mtime, size, link, xattrs, device, dropped, body, span };
}

function relative(path: Buffer): Buffer {
  return path.length > rootfsPrefix.length ? path.subarray(rootfsPrefix.length) : Buffer.from(".");
}

function placeOf(entry: TarEntry, key: string): Place {
  if (key === ".") return "root";
  if (key === "manifest") {
    if (entry.type !== "file") throw invalid(entry, `the manifest is a ${entry.type}, not a file`); // A04
    if (entry.isSparse === true) throw invalid(entry, "the manifest is a sparse file"); // A04
    if (entry.size > manifestLimit) {
      throw new Failure(
        "LIMIT_EXCEEDED",
        `the manifest has ${entry.size} bytes, more than the ${manifestLimit} allowed`,
      );
    }
    return "manifest";
  }
  if (key === "rootfs" && entry.type !== "directory")
    throw invalid(entry, `rootfs is a ${entry.type}, not a directory`); // A08
  if (firstPart(key) !== "rootfs") throw invalid(entry, "it lies outside of rootfs", noLayout); // A07
  return "rootfs";
}

function firstPart(key: string): string {
  const slash = key.indexOf("/");
  return slash < 0 ? key : key.slice(0, slash);
}

/** ACI-2: no duplicates, whatever their kind; nothing below what is no directory (S01, S02, F09…F12). */
function remember(seen: Seen, entry: TarEntry, key: string, isBeside: boolean): void {
  const before = seen.get(key);
  if (before !== undefined && !(before === "implied" && entry.type === "directory")) {
    throw invalid(entry, before === "implied" ? "other entries lie below it" : "it is there twice");
  }
  seen.set(key, entry.type);
  if (isBeside) return; // a directory it was with the entry before, and a directory it stays
  for (let slash = key.lastIndexOf("/"); slash > 0; slash = key.lastIndexOf("/", slash - 1)) {
    const parent = key.slice(0, slash);
    const kind = seen.get(parent);
    if (kind === "directory" || kind === "implied") return;
    if (kind !== undefined) throw invalid(entry, `it lies below a ${kind}`);
    seen.set(parent, "implied");
    if (seen.size > mostPaths) {
      throw new Failure("LIMIT_EXCEEDED", `the archive has more than the ${mostPaths} paths allowed`);
    }
  }
}

function isIn(key: string, directory: string): boolean {
  const slash = key.lastIndexOf("/");
  return slash === directory.length && key.slice(0, slash) === directory;
}

/** A hard link names an earlier entry of rootfs itself, not a way to it (H01…H12). */
function checkLink(seen: Seen, entry: TarEntry): void {
  const target = pathKey(entry.link);
  const kind = target === pathKey(entry.path) ? undefined : seen.get(target);
  if (firstPart(target) !== "rootfs" || kind === undefined) {
    throw invalid(entry, `a hard link to ${showPath(entry.link)}, which is no earlier entry of rootfs`);
  }
  if (kind === "directory" || kind === "implied") throw invalid(entry, "a hard link to a directory");
}

/** Archives of other kinds are met here. */
const noLayout =
  "an image is an archive of manifest and rootfs/; of a root file system in a tar, unpack it and build with base: {directory: DIR}";

function invalid(entry: TarEntry, why: string, hint?: string): Failure {
  const shown = showPath(entry.path);
  return new Failure("IMAGE_INVALID", `${shown}: ${why}`, { subject: shown, hint });
}
