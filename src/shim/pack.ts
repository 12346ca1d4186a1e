/** A tree of files → entries, in the order of their names, by perigee-shim. The record stream is described in spec/shim.md. */
import { isUtf8 } from "node:buffer";
import { closeSync } from "node:fs";
import { Failure, printable } from "../base/failure.ts";
import { type Body, ByteReader } from "./byte-reader.ts";
import { startVerb, type Verb, type VerbOptions } from "./child.ts";
import { openPipe } from "./libc.ts";
import { type PipeReader, readPipe } from "./pipe.ts";

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
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  readonly xattrs: readonly { readonly name: string; readonly value: Buffer }[];
  /** Consumed before the next entry is asked for, or skipped. `whole` is all of it when it is at hand already. */
  readonly body: AsyncIterable<Uint8Array> & { readonly whole?: Uint8Array | undefined };
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

const none = Buffer.alloc(0);

/** Fields of a header before its extended attributes. */
const fieldCount = 10;

/**
 * Walks `directory`: names of one directory in byte order, a directory right before what is in it.
 * @throws Failure SHIM_FAILED naming the path: sockets, other mounts, files that cannot be read or change meanwhile
 */
export async function* pack(
  directory: string,
  options: Pick<VerbOptions, "signal" | "asPodRoot"> = {},
): AsyncGenerator<PackEntry> {
  const { child, done, output } = startPack(directory, options);
  const reader = new ByteReader(output);
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
      const entry = parseHeader(header, (size) => reader.body(size, cutOff));
      const { body } = entry;
      yield entry;
      if (!body.isConsumed()) for await (const _ of body); // what the consumer did not want
    }
  } finally {
    child.kill("SIGKILL");
    await done.catch(() => {}); // no process is left behind; its failure was thrown above
    await output.close();
  }
}

function startPack(directory: string, options: VerbOptions): Verb & { readonly output: PipeReader } {
  const { readEnd, writeEnd } = openPipe();
  const output = readPipe(readEnd);
  try {
    return { ...startVerb("pack", [], directory, { ...options, stdout: writeEnd }), output };
  } catch (error) {
    closeSync(readEnd);
    throw error;
  } finally {
    closeSync(writeEnd); // the shim has its own, and with its last the output ends
  }
}

/** Where the fields of the header at hand end; field n begins one byte after the end of field n - 1. */
const ends: number[] = new Array(fieldCount).fill(0);

function parseHeader(header: Buffer, bodyOf: (size: bigint) => Body): PackEntry & { readonly body: Body } {
  findEnds(header);
  const type = types[textOf(header, 1)];
  if (type === undefined) throw malformed();
  const isDevice = type === "character" || type === "block";
  const size = sizeOf(header, 6);
  return {
    path: header.subarray(0, endOf(0)),
    type,
    mode: numberOf(header, 2, 8),
    uid: numberOf(header, 3),
    gid: numberOf(header, 4),
    mtime: parseTime(textOf(header, 5)),
    size,
    link: endOf(7) === startOf(7) ? none : header.subarray(startOf(7), endOf(7)),
    xattrs: startOf(fieldCount) === header.length ? [] : parseXattrs(header, startOf(fieldCount)),
    device: isDevice ? { major: numberOf(header, 8), minor: numberOf(header, 9) } : undefined,
    body: bodyOf(size),
  };
}

function findEnds(header: Buffer): void {
  let field = 0;
  for (let at = 0; field < fieldCount && at < header.length; at++) if (header[at] === 0) ends[field++] = at;
  if (field < fieldCount) throw malformed();
}

function endOf(field: number): number {
  return ends[field] ?? 0;
}

function startOf(field: number): number {
  return field === 0 ? 0 : endOf(field - 1) + 1;
}

/** One character is one byte here. */
function textOf(header: Buffer, field: number): string {
  return header.toString("latin1", startOf(field), endOf(field));
}

function numberOf(header: Buffer, field: number, base = 10): number {
  let value = 0;
  for (let at = startOf(field); at < endOf(field); at++) value = value * base + (header[at] ?? 0) - 0x30;
  return value;
}

/** Exact: holes may make a file larger than a number can count. */
function sizeOf(header: Buffer, field: number): bigint {
  const size = numberOf(header, field);
  return Number.isSafeInteger(size) ? BigInt(size) : BigInt(textOf(header, field));
}

function malformed(): Failure {
  return new Failure("INTERNAL", "a record of perigee-shim pack is malformed");
}

/** A name that is no UTF-8 has no place in a tar, whose keywords are text; without a word it would become another name. */
function parseXattrs(header: Buffer, start: number): PackEntry["xattrs"] {
  const xattrs: { name: string; value: Buffer }[] = [];
  for (let at = start; at < header.length; ) {
    const nameEnd = header.indexOf(0, at);
    const name = header.toString("utf8", at, nameEnd);
    if (!isUtf8(header.subarray(at, nameEnd))) {
      const path = textOf(header, 0);
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
