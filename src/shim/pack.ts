/** A tree of files → entries, in the order of their names, by perigee-shim. The record stream is described in spec/shim.md. */
import { isUtf8 } from "node:buffer";
import { Failure, printable } from "../base/failure.ts";
import { ByteReader } from "./byte-reader.ts";
import { startVerb } from "./child.ts";

export interface PackEntry {
  /** Relative; `.` is the directory itself and comes first. */
  readonly path: Buffer;
  readonly type: "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: bigint; readonly nanoseconds: number };
  readonly size: bigint;
  /** Target of a symlink verbatim, of a hard link the path of an earlier entry; else empty. */
  readonly link: Buffer;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs: readonly { readonly name: string; readonly value: Buffer }[];
  /** Consumed before the next entry is asked for, or skipped. */
  readonly body: AsyncIterable<Uint8Array>;
}

const types: Readonly<Record<string, PackEntry["type"]>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/** Fields of a header before its extended attributes. */
const fieldCount = 10;

/**
 * Walks `directory`: names of one directory in byte order, a directory right before what is in it.
 * @throws Failure SHIM_FAILED naming the path: sockets, other mounts, files that cannot be read or change meanwhile
 */
export async function* pack(
  directory: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<PackEntry> {
  const { child, done } = startVerb("pack", [], directory, options.signal);
  child.stdin.end();
  const reader = new ByteReader(child.stdout);
  const cutOff = async (): Promise<never> => {
    await done; // says why, as a rule
    throw new Failure("SHIM_FAILED", "perigee-shim pack ended in the middle of a record");
  };
  try {
    for (;;) {
      // Most of what is needed is there already: a promise for each piece would cost more than the rest together.
      const length = reader.takeNow(4) ?? (await reader.take(4));
      if (length === undefined) return await cutOff();
      const size = length.readUInt32LE();
      if (size === 0) {
        await done;
        return;
      }
      const header = reader.takeNow(size) ?? (await reader.take(size));
      if (header === undefined) return await cutOff();
      const entry = parseHeader(header);
      const body = reader.body(entry.size, cutOff);
      yield { ...entry, body };
      if (!body.isConsumed()) for await (const _ of body); // what the consumer did not want
    }
  } finally {
    child.kill("SIGKILL");
    child.stdout.destroy();
    await done.catch(() => {}); // no process is left behind; its failure was thrown above
  }
}

/** One character is one byte here: the lengths of the fields are their places in the header. */
function parseHeader(header: Buffer): Omit<PackEntry, "body"> {
  const fields = header.toString("latin1").split("\0", fieldCount);
  const [path = "", kind = "", mode = "", uid, gid, mtime = "", size = "", link = "", major, minor] = fields;
  const type = types[kind];
  if (type === undefined || fields.length < fieldCount) {
    throw new Failure("INTERNAL", "a record of perigee-shim pack is malformed");
  }
  const endOf = (count: number): number => fields.slice(0, count).reduce((sum, field) => sum + field.length + 1, 0);
  const linkEnd = endOf(8) - 1;
  return {
    path: header.subarray(0, path.length),
    type,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    mtime: parseTime(mtime),
    size: BigInt(size),
    link: header.subarray(linkEnd - link.length, linkEnd),
    xattrs: parseXattrs(header, endOf(fieldCount), path),
    ...(type === "character" || type === "block" ? { device: { major: Number(major), minor: Number(minor) } } : {}),
  };
}

/** A name that is no UTF-8 has no place in a tar, whose keywords are text; without a word it would become another name. */
function parseXattrs(header: Buffer, start: number, path: string): PackEntry["xattrs"] {
  const xattrs: { name: string; value: Buffer }[] = [];
  for (let at = start; at < header.length; ) {
    const nameEnd = header.indexOf(0, at);
    const name = header.toString("utf8", at, nameEnd);
    if (!isUtf8(header.subarray(at, nameEnd))) {
      throw new Failure("UNSUPPORTED", `${printable(path)}: an extended attribute whose name is not UTF-8`, {
        subject: path,
        hint: "remove it with setfattr -x",
      });
    }
    at = nameEnd + 5 + header.readUInt32LE(nameEnd + 1);
    xattrs.push({ name, value: header.subarray(nameEnd + 5, at) });
  }
  return xattrs;
}

/** -1.5 is −2 s and 500 000 000 ns. */
function parseTime(text: string): PackEntry["mtime"] {
  const point = text.indexOf(".");
  const seconds = BigInt(point < 0 ? text : text.slice(0, point));
  const nanoseconds = point < 0 ? 0 : Number(text.slice(point + 1).padEnd(9, "0"));
  return text.startsWith("-") && nanoseconds > 0
    ? { seconds: seconds - 1n, nanoseconds: 1_000_000_000 - nanoseconds }
    : { seconds, nanoseconds };
}
