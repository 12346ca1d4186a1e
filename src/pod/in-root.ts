/**
 * Opens paths of an untrusted root file system without ever leaving it. Node has no openat2, so the walk is ours: one component at a time
 * from an open directory, links resolved here, `..` by going back to the directory we came from. Knows nothing of passwd and the like.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { type FoundFile, type TreeRoot, viewOf } from "../store/stack.ts";

/** Not among Node's constants; the same on x86-64 and aarch64. */
const pathOnly = 0o10000000;

/** As the kernel (MAXSYMLINKS). */
const linkLimit = 40;

/**
 * A descriptor (O_PATH) of what `path` names inside `root`; undefined when it is not there. Links are followed, but not out of `root`
 * (T-R18, T-R24). The caller closes it.
 * @throws Failure IMAGE_INVALID past 40 links or for a name that is too long
 */
export function openInRoot(root: string, path: string): number | undefined {
  // Directories entered, root first; each was opened from the one before, so none can be outside.
  const entered = [openSync(root, pathOnly | constants.O_DIRECTORY)];
  try {
    walk(entered, path);
    return entered.pop();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    if (errno === "ELOOP" || errno === "ENAMETOOLONG" || errno === "EINVAL") {
      throw new Failure("IMAGE_INVALID", `${excerpt(path)} of the image cannot be resolved`, {
        subject: path,
        cause: error,
      });
    }
    throw error;
  } finally {
    for (const descriptor of entered) closeSync(descriptor);
  }
}

function walk(entered: number[], path: string): void {
  const left = path.split("/").reverse();
  let links = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      leave(entered, 1);
      continue;
    }
    const here = `/proc/self/fd/${entered.at(-1)}/${name}`;
    const target = readLink(here);
    if (target === undefined) {
      // O_NOFOLLOW: had it become a link meanwhile, we would hold the link itself, which is neither file nor directory.
      entered.push(openSync(here, pathOnly | constants.O_NOFOLLOW));
      continue;
    }
    links += 1;
    if (links > linkLimit) throw new Failure("IMAGE_INVALID", `more than ${linkLimit} links in ${excerpt(path)}`);
    if (target[0] === "/") leave(entered, entered.length - 1);
    left.push(...target.split("/").reverse());
  }
}

/** Goes up `levels`, never above the root. */
function leave(entered: number[], levels: number): void {
  for (const descriptor of entered.splice(Math.max(1, entered.length - levels))) closeSync(descriptor);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}

/** What `path` names inside `root`, links followed; undefined when it is not there. @throws as openInRoot */
export function statInRoot(root: TreeRoot, path: string): Stats | undefined {
  if (typeof root !== "string") return findInLayers(root, path)?.stats;
  const descriptor = openInRoot(root, path);
  if (descriptor === undefined) return undefined;
  try {
    return fstatSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The names in the directory `path`, or its own name for anything else; undefined when it is not there. @throws as openInRoot */
export function namesInRoot(root: TreeRoot, path: string): readonly string[] | undefined {
  if (typeof root !== "string") return namesInLayers(root, path);
  const descriptor = openInRoot(root, path);
  if (descriptor === undefined) return undefined;
  try {
    return fstatSync(descriptor).isDirectory() ? readdirSync(`/proc/self/fd/${descriptor}`) : [path];
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The content of a small regular file; undefined when it is not there.
 * @throws Failure IMAGE_INVALID for anything but a regular file of at most `limit` bytes: a FIFO would hang us, a device act (T-R18)
 */
export function readInRoot(root: TreeRoot, path: string, limit: number): Buffer | undefined {
  if (typeof root !== "string") return readInLayers(root, path, limit);
  const descriptor = openInRoot(root, path);
  if (descriptor === undefined) return undefined;
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile())
      throw new Failure("IMAGE_INVALID", `${path} of the image is not a regular file`, { subject: path });
    if (stat.size > limit) throw tooLong(path, limit);
    return readDescriptor(descriptor, stat.size);
  } finally {
    closeSync(descriptor);
  }
}

/** Layers are directories of the store, which nobody changes: there the links are followed as data, by the store's own reader. */
function findInLayers(root: Exclude<TreeRoot, string>, path: string): FoundFile | undefined {
  const view = viewOf(root);
  return view.find(view.resolve(layerPath(path), { last: true }));
}

function namesInLayers(root: Exclude<TreeRoot, string>, path: string): readonly string[] | undefined {
  const view = viewOf(root);
  const place = view.resolve(layerPath(path), { last: true });
  const found = view.find(place);
  if (found === undefined) return undefined;
  return found.kind === "directory" ? view.names(place) : [path];
}

function readInLayers(root: Exclude<TreeRoot, string>, path: string, limit: number): Buffer | undefined {
  const found = findInLayers(root, path);
  if (found === undefined) return undefined;
  if (found.kind !== "file") {
    throw new Failure("IMAGE_INVALID", `${path} of the image is not a regular file`, { subject: path });
  }
  if (found.stats.size > limit) throw tooLong(path, limit);
  return readFileSync(found.place);
}

/** One character a byte, as the store's readers have it. */
function layerPath(path: string): string {
  return Buffer.from(path).toString("latin1");
}

/** Through /proc/self/fd, so that what is read is what was looked at; at most `size` bytes, should it grow meanwhile. */
function readDescriptor(pathDescriptor: number, size: number): Buffer {
  const descriptor = openSync(`/proc/self/fd/${pathDescriptor}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafe(size);
    let length = 0;
    for (let count = -1; count !== 0 && length < size; length += count) {
      count = readSync(descriptor, buffer, length, size - length, null);
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

function tooLong(path: string, limit: number): Failure {
  return new Failure("IMAGE_INVALID", `${path} of the image has more than ${limit} bytes`, { subject: path });
}
