/** Entries made of what the layers below have: directories that a layer goes on in, files that it gives a second name, marks of what it takes away. */
import type { TarMember, Xattr } from "../tar/entry.ts";
import type { Attributes, LowerFile } from "./lower.ts";

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
export function directoryFromBelow(attributes: Attributes, path: string): TarMember {
  return { ...blank, ...attributes, path: Buffer.from(path, "latin1"), type: "directory", body: nothing() };
}

/** The file or link as it is below, with its content and attributes. @throws Failure SHIM_FAILED */
export async function copyFromBelow(found: LowerFile, path: string): Promise<TarMember> {
  const common = { ...blank, ...found.attributes(), xattrs: await found.xattrs(), path: Buffer.from(path, "latin1") };
  if (found.kind === "symlink") {
    return { ...common, type: "symlink", link: Buffer.from(found.link(), "latin1"), body: nothing() };
  }
  return { ...common, type: "file", size: found.size, body: found.content() };
}
