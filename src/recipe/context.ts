/**
 * The files of the context directory that a copy step means, read without ever leaving that directory: one descriptor after the other, links never
 * followed out. Paths are relative, one character a byte (latin1).
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { errnoOf, excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readInRoot } from "../pod/in-root.ts";
import { partsOf, pathBytes, showBytes, viewOf } from "../store/stack.ts";
import { compileGlob, compileIgnore, type IgnoreRules, ignoreFile, isGlob } from "./patterns.ts";

export interface ContextFile {
  /** Below the source it was found for; `""` for the source itself. */
  readonly path: string;
  /** Below the context directory. */
  readonly place: string;
  readonly type: "directory" | "file" | "symlink";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of a symlink, verbatim. */
  readonly link: string;
  /** SHA-256 of a file's content, hex; else empty. */
  readonly digest: string;
}

/** One thing to copy: a file, or a directory and all in it, parents first. */
export interface ContextSource {
  /** Its last component; empty for the context directory itself. */
  readonly name: string;
  readonly files: readonly ContextFile[];
}

export interface Context {
  readonly directory: string;
  readonly ignores: IgnoreRules;
}

const pathOnly = 0o10000000;
const mostFiles = 1_000_000;
const ignoreLimit = 64 * 1024;

/** @throws Failure NOT_FOUND, RECIPE_INVALID for an ignore file that cannot be read */
export function openContext(directory: string): Context {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Failure("NOT_FOUND", `the context directory ${printable(directory)} is not there`, {
      subject: directory,
      hint: "--context DIRECTORY names another",
    });
  }
  const text = readInContext(directory, ignoreFile, ignoreLimit);
  return { directory, ignores: compileIgnore(text?.toString("latin1") ?? "") };
}

/** The content of a small file of the context, links followed inside of it; undefined when it is not there. @throws Failure RECIPE_INVALID */
export function readInContext(directory: string, path: string, limit: number): Buffer | undefined {
  try {
    return readInRoot(directory, path, limit);
  } catch (cause) {
    if (!(cause instanceof Failure) || cause.code !== "IMAGE_INVALID") throw cause;
    // What reads images speaks of an image.
    const told = `${excerpt(path)} in the context directory ${printable(directory)}`;
    throw new Failure("RECIPE_INVALID", `${told} is not a file of at most ${limit} bytes`, {
      subject: path,
      hint: "put a file in its place",
    });
  }
}

/**
 * What one `from` means, in byte order. Links on the way to it are followed inside of the context; a link that is meant itself is copied as one.
 * @throws Failure NOT_FOUND when it means nothing, or only what is ignored; LIMIT_EXCEEDED; RECIPE_INVALID for a socket, device or FIFO
 */
export function findSources(context: Context, from: string): readonly ContextSource[] {
  const path = pathBytes(from);
  const places = isGlob(from) ? matchGlob(context, path) : [resolveIn(context, path)];
  const sources = places.flatMap((place) => {
    const files: ContextFile[] = [];
    withParent(context, place, (parent, name) => collect(context, parent, name, place, "", files));
    return files.length === 0 ? [] : [{ name: partsOf(place).at(-1) ?? "", files }];
  });
  if (sources.length > 0) return sources;
  throw new Failure("NOT_FOUND", `${printable(from)} is not there in ${printable(context.directory)}`, {
    subject: from,
    cause: `or ${ignoreFile} leaves it out`,
    hint: `ls ${printable(context.directory)}`,
  });
}

/** Decided by looking; what is then opened is opened without following anything, so that nothing changed meanwhile can lead out. */
function resolveIn({ directory }: Context, path: string): string {
  return viewOf([{ id: "context", rootfs: directory }]).resolve(path);
}

/** Only directories that a pattern could reach are walked: its first components without a wildcard are a path. */
function matchGlob(context: Context, pattern: string): readonly string[] {
  const parts = partsOf(pattern);
  const wild = parts.findIndex((part) => isGlob(part));
  const fixed = parts.slice(0, wild).join("/");
  const rest = parts.slice(wild);
  const depth = rest.includes("**") ? Number.POSITIVE_INFINITY : rest.length;
  const matches = compileGlob(rest.join("/"));
  const start = resolveIn(context, `${fixed}/.`);
  const found: string[] = [];
  const visit = (directory: number, below: string, level: number): void => {
    for (const name of namesIn(directory)) {
      const [path, place] = [join(below, name), join(join(start, below), name)];
      const child = openChild(directory, name);
      if (child === undefined) continue;
      try {
        const isDirectory = fstatSync(child).isDirectory();
        if (context.ignores(place, isDirectory)) continue;
        // What lies in a match comes with it.
        if (matches(path)) found.push(place);
        else if (isDirectory && level < depth) visit(child, path, level + 1);
      } finally {
        closeSync(child);
      }
    }
  };
  withParent(context, start, (parent, name) => {
    const directory = openChild(parent, name);
    if (directory === undefined) return;
    try {
      if (fstatSync(directory).isDirectory()) visit(directory, "", 1);
    } finally {
      closeSync(directory);
    }
  });
  return found;
}

function collect(
  context: Context,
  parent: number,
  name: string,
  place: string,
  path: string,
  files: ContextFile[],
): void {
  const descriptor = openChild(parent, name);
  if (descriptor === undefined) return;
  try {
    const stats = fstatSync(descriptor);
    if (place !== "" && context.ignores(place, stats.isDirectory())) return;
    if (files.length >= mostFiles) throw new Failure("LIMIT_EXCEEDED", `more than ${mostFiles} files to copy`);
    files.push(describe(descriptor, stats, { parent, name, place, path }));
    if (!stats.isDirectory()) return;
    for (const child of namesIn(descriptor)) {
      collect(context, descriptor, child, join(place, child), join(path, child), files);
    }
  } finally {
    closeSync(descriptor);
  }
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

interface Position {
  readonly parent: number;
  readonly name: string;
  readonly place: string;
  readonly path: string;
}

function describe(descriptor: number, stats: Stats, { parent, name, place, path }: Position): ContextFile {
  const { mode, uid, gid } = stats;
  const base = { path, place, mode: mode & 0o7777, uid, gid, size: 0, link: "", digest: "" };
  if (stats.isDirectory()) return { ...base, type: "directory" };
  if (stats.isSymbolicLink()) {
    const link = readlinkSync(childPath(parent, name), { encoding: "buffer" });
    return { ...base, type: "symlink", link: link.toString("latin1") };
  }
  if (stats.isFile()) return { ...base, type: "file", size: stats.size, digest: digestOf(descriptor) };
  const subject = showBytes(place);
  throw new Failure("RECIPE_INVALID", `RECIPE-11: ${subject} in the context directory is ${kindOf(stats)}`, {
    subject,
    cause: "files, directories and links are copied, nothing else",
    hint: `leave it out with a line in ${ignoreFile}`,
  });
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

const scratch = Buffer.allocUnsafeSlow(256 * 1024);

function digestOf(pathDescriptor: number): string {
  const hash = createHash("sha256");
  const descriptor = openSync(`/proc/self/fd/${pathDescriptor}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (;;) {
      const count = readSync(descriptor, scratch, 0, scratch.length, null);
      if (count === 0) return hash.digest("hex");
      hash.update(scratch.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The bytes of a file as they were when it was found. @throws Failure DIGEST_MISMATCH when they have changed since */
export async function* contentOf(context: Context, file: ContextFile): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  const descriptor = withParent(context, file.place, openContent);
  if (descriptor === undefined) throw changed(file);
  try {
    for (let left = file.size; left > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(left, scratch.length));
      const count = readSync(descriptor, chunk, 0, chunk.length, null);
      if (count === 0) throw changed(file);
      hash.update(chunk.subarray(0, count));
      left -= count;
      yield chunk.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
  if (hash.digest("hex") !== file.digest) throw changed(file);
}

/** O_NONBLOCK: a FIFO that took the file's place must not hang us. */
function openContent(parent: number, name: string): number {
  return openSync(childPath(parent, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

function changed({ place }: ContextFile): Failure {
  return new Failure("DIGEST_MISMATCH", `${showBytes(place)} changed while it was copied`, {
    subject: showBytes(place),
    hint: "build again",
  });
}

/** Calls with the directory that `place` is in, reached one component at a time and never through a link; undefined when it is not there. */
function withParent<T>(context: Context, place: string, use: (parent: number, name: string) => T): T | undefined {
  const opened = [openSync(context.directory, pathOnly | constants.O_DIRECTORY)];
  const parts = partsOf(place);
  try {
    for (const part of parts.slice(0, -1)) {
      const next = openChild(opened.at(-1) ?? -1, part);
      if (next === undefined) return undefined;
      opened.push(next);
    }
    return use(opened.at(-1) ?? -1, parts.at(-1) ?? ".");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP") return undefined;
    throw ioFailure(error, `cannot read ${showBytes(place)}`, showBytes(place));
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function openChild(directory: number, name: string): number | undefined {
  try {
    return openSync(childPath(directory, name), pathOnly | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function childPath(directory: number, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, "latin1");
}

function namesIn(directory: number): readonly string[] {
  const names = readdirSync(`/proc/self/fd/${directory}`, { encoding: "buffer" });
  return names.map((name) => name.toString("latin1")).sort();
}
