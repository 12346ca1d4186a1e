/** What counts of a file in an image, in a form that can be compared. Content is a digest, so what is compared is small. */
import { createHash, hash } from "node:crypto";
import { printable } from "../base/failure.ts";
import { pathKey, type TarEntry, type TarMember } from "../tar/entry.ts";
import { type FileTable, fileTable } from "./file-table.ts";
import { isImageXattr } from "./xattrs.ts";

export interface FileFacts {
  /** A hard link has the facts of the file that it names. */
  readonly type: Exclude<TarEntry["type"], "hardlink">;
  /** Permission bits; 0 for a symlink, which has none. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** `SECONDS.NANOSECONDS` */
  readonly time: string;
  readonly size: number;
  /** Lower-case hex SHA-512 of a file's content, else empty. */
  readonly content: string;
  /** Target of a symlink, one character a byte. */
  readonly link: string;
  /** `MAJOR:MINOR`, else empty. */
  readonly device: string;
  /** `name=hex` of those that an image can hold, in order. */
  readonly xattrs: readonly string[];
}

/** Reads every member to its end. */
export async function readFacts(members: AsyncIterable<TarMember>): Promise<FileTable> {
  const table = fileTable();
  for await (const member of members) {
    const link = member.type === "hardlink" ? member.link : undefined;
    table.add(member.path, factsOf(member, await contentOf(member)), link);
  }
  return table.finish();
}

export function factsOf(
  entry: Omit<TarEntry, "size"> & { readonly size: number | bigint },
  content: string,
): FileFacts {
  const { type, mtime, device } = entry;
  return {
    type: type === "hardlink" ? "file" : type,
    mode: type === "symlink" ? 0 : entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    time: `${mtime.seconds}.${String(mtime.nanoseconds).padStart(9, "0")}`,
    size: Number(entry.size),
    content,
    link: type === "symlink" ? pathKey(entry.link) : "",
    device: device === undefined ? "" : `${device.major}:${device.minor}`,
    xattrs: entry.xattrs.length === 0 ? none : xattrsOf(entry),
  };
}

const none: readonly string[] = [];

function xattrsOf({ xattrs }: Pick<TarEntry, "xattrs">): readonly string[] {
  return xattrs
    .filter(({ name }) => isImageXattr(name))
    .map(({ name, value }) => `${name}=${value.toString("hex")}`)
    .sort();
}

/** Of a file, lower-case hex; empty for everything else. */
export async function contentOf({ type, body }: Pick<TarMember, "type" | "body">): Promise<string> {
  if (type !== "file") return "";
  // An object for each small file would stay until it is collected, with what OpenSSL keeps for it.
  if (body.whole !== undefined) return hash("sha512", body.whole, "hex");
  const running = createHash("sha512");
  for await (const piece of body) running.update(piece);
  return running.digest("hex");
}

/** A path of one character a byte as text for people: UTF-8 where it is that, harmless for a terminal. */
export function pathText(path: string): string {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  return printable(Buffer.from(text).equals(bytes) ? text : path);
}
