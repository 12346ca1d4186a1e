/**
 * A layer in the making: entries collected for paths of an image, with the directories on the way to them, then unpacked into a directory.
 * Times are all the one of the build, so that the same steps give the same layer.
 */
import { createHash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import { unpack } from "../shim/unpack.ts";
import { comparePaths, partsOf, type StackView, showBytes } from "../store/stack.ts";
import type { TarMember } from "../tar/entry.ts";
import { writeTar } from "../tar/write.ts";

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Paths are as in stack.ts; parents that are links of the image are followed, so an entry lands where a program would put it. */
export interface LayerDraft {
  /** A directory that is there keeps its attributes. @returns where it is; a link to a directory is followed */
  directory(path: string, attributes: Attributes): string;
  file(path: string, attributes: Attributes, size: number, body: AsyncIterable<Uint8Array>): void;
  symlink(path: string, target: string, owner: Pick<Attributes, "uid" | "gid">): void;
  /** What is there is there no more. @throws Failure NOT_FOUND when nothing is */
  whiteout(path: string): void;
  /** Parents before what is in them, names in byte order; begins with the root. */
  members(): readonly TarMember[];
}

const none = Buffer.alloc(0);
async function* noBytes(): AsyncGenerator<Uint8Array> {}

export const newDirectory: Attributes = { mode: 0o755, uid: 0, gid: 0 };

/** `epoch`: seconds, the time of everything. */
export function makeDraft(view: StackView, epoch: number): LayerDraft {
  const entries = new Map<string, TarMember>();
  const put = (path: string, entry: Omit<TarMember, "path" | "mtime" | "xattrs">): void => {
    const mtime = { seconds: BigInt(epoch), nanoseconds: 0 };
    entries.set(path, { ...entry, path: Buffer.from(path === "" ? "." : path, "latin1"), mtime, xattrs: [] });
  };
  const putDirectory = (path: string, { mode, uid, gid }: Attributes): void =>
    put(path, { type: "directory", mode, uid, gid, size: 0, link: none, body: noBytes() });
  const typeAt = (path: string): string | undefined => entries.get(path)?.type ?? view.find(path)?.kind;
  /** The directories from the root to `path`, made where they are missing. */
  const ensure = (path: string): void => {
    const parts = partsOf(path);
    for (let length = 0; length <= parts.length; length += 1) {
      const here = parts.slice(0, length).join("/");
      if (entries.get(here)?.type === "directory") continue;
      const found = view.find(here);
      if (entries.has(here) || (found !== undefined && found.kind !== "directory")) throw notDirectory(here);
      putDirectory(here, found === undefined ? newDirectory : attributesOf(found.stats));
    }
  };
  /** The path with the links of its parents followed, its parents made. */
  const place = (path: string): string => {
    const target = view.resolve(path);
    if (target === "") throw rootMeant("the root directory itself is meant", "name what it shall hold: /NAME");
    ensure(partsOf(target).slice(0, -1).join("/"));
    return target;
  };
  const replace = (path: string): string => {
    const target = place(path);
    if (typeAt(target) === "directory") {
      throw new Failure("USAGE", `the image has a directory at /${showBytes(target)}`, {
        subject: `/${showBytes(target)}`,
      });
    }
    return target;
  };
  ensure("");
  return {
    directory: (path, attributes) => {
      const target = view.resolve(path, { last: true });
      if (target !== "") ensure(partsOf(target).slice(0, -1).join("/"));
      if (typeAt(target) === undefined) putDirectory(target, attributes);
      else ensure(target);
      return target;
    },
    file: (path, { mode, uid, gid }, size, body) =>
      put(replace(path), { type: "file", mode, uid, gid, size, link: none, body }),
    symlink: (path, target, { uid, gid }) => {
      const link = Buffer.from(target, "latin1");
      put(replace(path), { type: "symlink", mode: 0o777, uid, gid, size: 0, link, body: noBytes() });
    },
    whiteout: (path) => {
      const target = view.resolve(path);
      if (target === "") throw rootMeant("the root directory cannot be removed", removalHint);
      if (typeAt(target) === undefined) {
        throw new Failure("NOT_FOUND", `the image has nothing at /${showBytes(target)}`, {
          subject: `/${showBytes(target)}`,
        });
      }
      place(path);
      put(target, whiteoutEntry);
    },
    members: () => [...entries].sort(([a], [b]) => comparePaths(a, b)).map(([, entry]) => entry),
  };
}

const whiteoutEntry = {
  type: "character",
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  link: none,
  device: { major: 0, minor: 0 },
  body: noBytes(),
} as const;

/** The entry of an overlay that hides what is below it. */
export function whiteoutMember(path: string, epoch: number): TarMember {
  const mtime = { seconds: BigInt(epoch), nanoseconds: 0 };
  return { ...whiteoutEntry, path: Buffer.from(path, "latin1"), mtime, xattrs: [] };
}

export function attributesOf(stats: { readonly mode: number; readonly uid: number; readonly gid: number }): Attributes {
  return { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
}

export interface UnpackedLayer {
  /** SHA-512 of the canonical tar. */
  readonly sha512: string;
  /** Bytes of that tar. */
  readonly size: number;
}

/**
 * The members as files below the empty `directory`, on the disk at return. @throws Failure SHIM_FAILED, DISK_FULL, UNSUPPORTED for a device
 * that could not be made
 */
export async function unpackLayer(
  members: AsyncIterable<TarMember> | Iterable<TarMember>,
  directory: string,
  options: { readonly isRoot: boolean; readonly signal?: AbortSignal | undefined },
): Promise<UnpackedLayer> {
  const hash = createHash("sha512");
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of writeTar(asAsync(members))) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  const { isRoot, signal } = options;
  const { skipped } = await unpack(hashed(), directory, {
    owner: isRoot,
    devices: isRoot,
    whiteouts: true,
    sync: true,
    signal,
  });
  if (skipped.length > 0) {
    throw new Failure("UNSUPPORTED", `not everything of the step can be kept here: ${showBytes(skipped[0] ?? "")}`, {
      cause: skipped.slice(0, 10).map(showBytes).join("\n"),
      hint: isRoot ? "use a data directory on another file system: --dir DIRECTORY" : "sudo perigee build …",
    });
  }
  return { sha512: hash.digest("hex"), size };
}

async function* asAsync<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

const removalHint = "name what is in it, such as remove: [/usr, /etc]; base: empty begins without any files";

function rootMeant(message: string, hint: string): Failure {
  return new Failure("USAGE", message, { subject: "/", hint });
}

function notDirectory(path: string): Failure {
  return new Failure("USAGE", `/${showBytes(path)} of the image is no directory`, { subject: `/${showBytes(path)}` });
}
