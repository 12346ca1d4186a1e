/** An entry of an archive of which only what matters is said: an empty file of root unless told otherwise. */
import type { TarEntry } from "../../src/tar/entry.ts";

const file: TarEntry = {
  path: Buffer.from("f"),
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0n, nanoseconds: 0 },
  size: 0,
  link: Buffer.alloc(0),
  xattrs: [],
};

export function tarEntry(fields: Partial<TarEntry> = {}): TarEntry {
  return { ...file, ...fields };
}
