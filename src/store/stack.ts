/**
 * What an image under construction has at a path, seen through its layers as an overlay would show them. The layers are directories of ours
 * that nobody changes; their links are data, resolved here and never by the kernel. Paths are relative, one character a byte (latin1).
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { errnoOf, Failure, printable } from "../base/failure.ts";

/** One directory of files. In all but the lowest a character device 0:0 says that what is below it is gone. */
export interface Layer {
  /** Equal only for equal content. */
  readonly id: string;
  /** Absolute path. */
  readonly rootfs: string;
}

/** Lowest first. */
export type Stack = readonly Layer[];

/** A root file system: one directory, or several that are seen together. */
export type TreeRoot = string | Stack;

/** The directory whose owner and mode the root has. */
export function topOf(root: TreeRoot): string {
  return typeof root === "string" ? root : (root.at(-1)?.rootfs ?? "");
}

export interface FoundFile {
  readonly kind: "directory" | "file" | "symlink" | "other";
  /** On the disk. */
  readonly place: Buffer;
  readonly stats: Stats;
}

export interface StackView {
  readonly stack: Stack;
  /** What is at `path`, no link followed; undefined when nothing is. `""` is the root. */
  find(path: string): FoundFile | undefined;
  /**
   * Where `path` leads: links of parents are followed inside of the root, the last one only with `last`. What is not there stays as it is named.
   * @throws Failure IMAGE_INVALID past 40 links
   */
  resolve(path: string, options?: { readonly last?: boolean }): string;
  /** Names in the directory `path`, of all layers together, sorted; none when it is no directory. */
  names(path: string): readonly string[];
  /** Bytes of the regular file that `path` leads to; undefined when there is none. @throws Failure LIMIT_EXCEEDED */
  read(path: string, limit: number): Buffer | undefined;
}

/** As the kernel (MAXSYMLINKS). */
const linkLimit = 40;

export function viewOf(stack: Stack): StackView {
  const known = new Map<string, FoundFile | undefined>();
  const find = (path: string): FoundFile | undefined => {
    if (!known.has(path)) known.set(path, findIn(stack, path));
    return known.get(path);
  };
  const resolve = (path: string, { last = false } = {}): string => resolveIn(find, path, last);
  return {
    stack,
    find,
    resolve,
    names: (path) => namesIn(stack, find, path),
    read: (path, limit) => {
      const found = find(resolve(path, { last: true }));
      if (found?.kind !== "file") return undefined;
      if (found.stats.size <= limit) return readFileSync(found.place);
      throw new Failure("LIMIT_EXCEEDED", `/${showBytes(path)} of the image has more than ${limit} bytes`);
    },
  };
}

/** Components of a path; `.` and empty ones mean nothing. */
export function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** By components, bytes of each as they are: the order in which perigee-shim pack walks. */
export function comparePaths(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < left.length && at < right.length; at += 1) {
    const [one = "", other = ""] = [left[at], right[at]];
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length;
}

/** A path of a document (UTF-8, absolute or not) in the form used here. */
export function pathBytes(path: string): string {
  return partsOf(Buffer.from(path).toString("latin1")).join("/");
}

export function showBytes(path: string): string {
  return printable(Buffer.from(path, "latin1").toString("utf8"));
}

export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/**
 * What shows of each layer at the directory `path`, as a stack of its own; empty where there is no directory. No link is followed.
 * @throws Failure UNSUPPORTED for names that are no UTF-8
 */
export function stackAt(stack: Stack, path: string): Stack {
  const parts = partsOf(path);
  const shown: Layer[] = [];
  for (const { id, rootfs } of stack.toReversed()) {
    const found = look(rootfs, parts);
    if (found === "hidden" || (found !== undefined && found.kind !== "directory")) break;
    if (found !== undefined) shown.unshift({ id, rootfs: textOf(found.place, path) });
  }
  return shown;
}

function textOf(place: Buffer, path: string): string {
  const text = place.toString("utf8");
  if (Buffer.from(text).equals(place)) return text;
  throw new Failure("UNSUPPORTED", `/${showBytes(path)} of the image has a name that is not UTF-8`);
}

/** Topmost layer first; a layer that has something else than a directory on the way, or a whiteout, hides all below it. */
function findIn(stack: Stack, path: string): FoundFile | undefined {
  const parts = partsOf(path);
  for (const { rootfs } of stack.toReversed()) {
    const found = look(rootfs, parts);
    if (found === "hidden") return undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function look(rootfs: string, parts: readonly string[]): FoundFile | "hidden" | undefined {
  for (let length = 0; length <= parts.length; length += 1) {
    const place = placeOf(rootfs, parts.slice(0, length));
    const stats = statOf(place);
    if (stats === undefined) return undefined;
    if (isWhiteout(stats)) return "hidden";
    if (length === parts.length) return { kind: kindOf(stats), place, stats };
    if (!stats.isDirectory()) return "hidden";
  }
  return undefined;
}

export function placeOf(rootfs: string, parts: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from(rootfs), ...parts.map((part) => Buffer.from(`/${part}`, "latin1"))]);
}

function statOf(place: Buffer): Stats | undefined {
  try {
    return lstatSync(place);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    if (errnoOf(error) === "ENAMETOOLONG") return undefined;
    throw error;
  }
}

function kindOf(stats: Stats): FoundFile["kind"] {
  if (stats.isDirectory()) return "directory";
  if (stats.isFile()) return "file";
  return stats.isSymbolicLink() ? "symlink" : "other";
}

function resolveIn(find: (path: string) => FoundFile | undefined, path: string, last: boolean): string {
  const left = [...path.split("/")].reverse();
  const done: string[] = [];
  let links = 0;
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const here = [...done, part].join("/");
    const isLast = partsOf(left.join("/")).length === 0;
    const found = isLast && !last ? undefined : find(here);
    if (found?.kind !== "symlink") {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > linkLimit) {
      throw new Failure("IMAGE_INVALID", `/${showBytes(path)} leads through more than ${linkLimit} links`);
    }
    const target = readlinkSync(found.place, { encoding: "buffer" }).toString("latin1");
    if (target[0] === "/") done.length = 0;
    left.push(...target.split("/").reverse());
  }
  return done.join("/");
}

function namesIn(stack: Stack, find: (path: string) => FoundFile | undefined, path: string): readonly string[] {
  if (find(path)?.kind !== "directory") return [];
  const parts = partsOf(path);
  const names = new Set<string>();
  for (const { rootfs } of stack) {
    const stats = statOf(placeOf(rootfs, parts));
    if (stats?.isDirectory() !== true) continue;
    for (const name of readdirSync(placeOf(rootfs, parts), { encoding: "buffer" })) names.add(name.toString("latin1"));
  }
  return [...names].filter((name) => find([...parts, name].join("/")) !== undefined).sort();
}
