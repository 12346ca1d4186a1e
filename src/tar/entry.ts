/** What a tar entry is, apart from its bytes on the wire. Names and link targets are bytes and survive exactly. */
import { isUtf8 } from "node:buffer";
import { excerpt } from "../base/failure.ts";

export type EntryType = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

export interface Timestamp {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export interface Xattr {
  readonly name: string;
  readonly value: Buffer;
}

export interface TarEntry {
  /** Relative, without `.` or `..` or empty components or a trailing slash; `.` alone is the root. */
  readonly path: Buffer;
  readonly type: EntryType;
  /** Permission bits, 0–0o7777. */
  readonly mode: number;
  /** 0–4294967294. */
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Bytes of the file, holes included; 0 unless type is `file`. */
  readonly size: number;
  /** Target of a symlink verbatim; of a hard link the path of an earlier entry, in the form of `path`; else empty. */
  readonly link: Buffer;
  /** In the order of the archive. */
  readonly xattrs: readonly Xattr[];
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  /** The archive held it with holes. */
  readonly isSparse?: boolean | undefined;
  /** What the archive said about the entry and this form cannot hold, such as ACLs as text; for a warning. */
  readonly dropped?: readonly string[] | undefined;
}

/** Data of a file with holes. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** Pieces of content; `whole` are all of them when they are at hand already, which spares an await for each. */
export interface Content extends AsyncIterable<Uint8Array> {
  readonly whole?: Uint8Array | undefined;
}

/** An entry and its content, which is consumed (or skipped) before the next entry is asked for. */
export interface TarMember extends TarEntry {
  /** `size` bytes, those of holes as zeros. */
  readonly body: Content;
  /** Of a file that was archived as sparse; `data` is what the extents hold, and is consumed instead of `body`. */
  readonly sparse?: { readonly extents: readonly Extent[]; readonly data: Content } | undefined;
  /** Where it stood in the archive it was read from. */
  readonly span?: Span | undefined;
}

/** Members one after another. */
export interface MemberStream extends AsyncIterable<TarMember> {
  /**
   * The next one if all of it is at hand, which spares a promise for each: most are. Undefined says nothing about whether there
   * is another: the iterator tells.
   */
  readonly nextNow?: (() => TarMember | undefined) | undefined;
}

/** Bytes of an archive: all headers, content and filling of one entry, without global headers before it. */
export interface Span {
  /** Undefined when a global header stands between the headers of the entry. */
  readonly start: number | undefined;
  readonly end: number;
}

/** Headers, and bodies after filling, are multiples of this. */
export const blockSize = 512;

/** A path as a key: one character a byte, so that two paths have one key only when their bytes are equal. */
export function pathKey(path: Uint8Array): string {
  const bytes = Buffer.isBuffer(path) ? path : Buffer.from(path.buffer, path.byteOffset, path.length);
  return bytes.toString("latin1");
}

/** A path for messages: harmless for a terminal, and bytes that are no UTF-8 shown as \\xNN (P15, P16). */
export function showPath(path: Uint8Array): string {
  if (isUtf8(path)) return excerpt(Buffer.from(path.buffer, path.byteOffset, path.length).toString("utf8"));
  return excerpt(pathKey(path)).replace(/[\u0080-\u00ff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}
