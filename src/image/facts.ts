/** What counts of a file in an image, in a form that can be compared. Content is a digest, so what is compared is small. */
import { createHash, hash } from "node:crypto";
import { printable } from "../base/failure.ts";
import { type MemberStream, pathKey, type TarEntry, type TarMember } from "../tar/entry.ts";
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
export async function readFacts(members: MemberStream): Promise<FileTable> {
  const table = fileTable();
  const add = (member: TarMember, content: string): void => {
    const link = member.type === "hardlink" ? member.link : undefined;
    table.add(member.path, factsOf(member, content), link);
  };
  const iterator = members[Symbol.asyncIterator]();
  for (;;) {
    // What is at hand needs no promise: those of a hundred thousand files are most of what would wait to be collected.
    const ready = members.nextNow?.();
    const next = ready === undefined ? await iterator.next() : undefined;
    const member = ready ?? (next?.done === true ? undefined : next?.value);
    if (member === undefined) return table.finish();
    add(member, contentNow(member) ?? (await contentOf(member)));
  }
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
export async function contentOf(member: Pick<TarMember, "type" | "body">): Promise<string> {
  const content = contentNow(member);
  if (content !== undefined) return content;
  const { body } = member;
  const running = createHash("sha512");
  for await (const piece of body) running.update(piece);
  return running.digest("hex");
}

/** As contentOf; undefined when not all of it is at hand. */
function contentNow({ type, body }: Pick<TarMember, "type" | "body">): string | undefined {
  if (type !== "file") return "";
  // An object for each small file would stay until it is collected, with what OpenSSL keeps for it.
  return body.whole === undefined ? undefined : hash("sha512", body.whole, "hex");
}

/** A path of one character a byte as text for people: UTF-8 where it is that, harmless for a terminal. */
export function pathText(path: string): string {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  return printable(Buffer.from(text).equals(bytes) ? text : path);
}
