/**
 * The canonical tar writer (spec/shim.md): one form for every entry, so that the same entries are the same bytes.
 * A field that does not fit its ustar header goes into one PAX header before it; nothing is rounded or cut.
 */
import { Failure } from "../base/failure.ts";
import {
  blockSize,
  type EntryType,
  type Extent,
  showPath,
  type TarEntry,
  type TarMember,
  type Xattr,
} from "./entry.ts";
import { checksumOf, fields, putOctal } from "./header.ts";
import { encodePaxRecord } from "./pax.ts";

const typeFlags: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const zeros = Buffer.alloc(blockSize);
const largestOctal7 = 0o7777777;
const largestOctal11 = 0o77777777777;
const blankHeader = makeBlankHeader();
const blankPaxHeader = makeBlankPaxHeader();
/** Chunks that are handed on: large enough that a pipe or a hash is not woken for every header. */
const chunkSize = 256 * 1024;

/** Two zero blocks. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockSize);

/** Zero bytes that fill the body of `size` bytes to a block. */
export function padding(size: number): Buffer {
  return zeros.subarray(0, (blockSize - (size % blockSize)) % blockSize);
}

/**
 * Canonical header blocks of one entry: a PAX header when needed, then the ustar header. With `extents` the body that
 * follows is what they hold.
 * @throws Failure UNSUPPORTED for an extended attribute whose name PAX cannot hold
 */
export function encodeHeader(entry: TarEntry, extents?: readonly Extent[]): Buffer {
  const stored = extents === undefined ? entry : { ...entry, size: sumOf(extents) };
  const records = [...paxRecords(stored), ...(extents === undefined ? [] : sparseRecords(entry.size, extents))];
  const header = ustarHeader(stored);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  return Buffer.concat([paxHeader(body.length), body, padding(body.length), header]);
}

export interface WriteOptions {
  /** Files that were archived as sparse stay so. Only for perigee-shim: in an image every file is whole, for every reader. */
  readonly sparse?: boolean | undefined;
}

/**
 * Same members → same bytes, for any chunking of their bodies.
 * @throws Failure INTERNAL when a body is not of its size, UNSUPPORTED as encodeHeader
 */
export async function* writeTar(
  members: AsyncIterable<TarMember>,
  options: WriteOptions = {},
): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let length = 0;
  const add = (piece: Uint8Array): void => {
    pending.push(piece);
    length += piece.length;
  };
  const taken = (): Uint8Array => {
    const whole = pending.length === 1 && pending[0] !== undefined ? pending[0] : Buffer.concat(pending, length);
    pending = [];
    length = 0;
    return whole;
  };
  for await (const member of members) {
    const sparse = options.sparse === true ? member.sparse : undefined;
    const size = sparse === undefined ? member.size : sumOf(sparse.extents);
    add(encodeHeader(member, sparse?.extents));
    let written = 0;
    for await (const piece of sparse?.data ?? member.body) {
      written += piece.length;
      if (written > size) break;
      add(piece);
      if (length >= chunkSize) yield taken();
    }
    if (written !== size) {
      throw new Failure("INTERNAL", `${showPath(member.path)} is not of the ${size} bytes announced`);
    }
    if (written % blockSize !== 0) add(padding(written));
    if (length >= chunkSize) yield taken();
  }
  add(endOfArchive);
  yield taken();
}

function sumOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { size }) => sum + size, 0);
}

/** The size of the file and where its data lies, as GNU tar's form 0.1 says it. */
function sparseRecords(size: number, extents: readonly Extent[]): readonly Buffer[] {
  const map = extents.map((extent) => `${extent.offset},${extent.size}`).join(",");
  return [
    encodePaxRecord("GNU.sparse.size", Buffer.from(String(size))),
    encodePaxRecord("GNU.sparse.map", Buffer.from(map)),
  ];
}

/** What the ustar header cannot hold, in a fixed order. */
function paxRecords(entry: TarEntry): readonly Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer | string): void => {
    records.push(encodePaxRecord(key, typeof value === "string" ? Buffer.from(value) : value));
  };
  if (entry.path.length > fields.name[1]) add("path", entry.path);
  if (entry.link.length > fields.link[1]) add("linkpath", entry.link);
  if (entry.uid > largestOctal7) add("uid", String(entry.uid));
  if (entry.gid > largestOctal7) add("gid", String(entry.gid));
  if (entry.size > largestOctal11) add("size", String(entry.size));
  if (!fitsTime(entry)) add("mtime", timeText(entry));
  for (const { name, value } of sorted(entry.xattrs)) {
    if (name.includes("=")) {
      throw new Failure("UNSUPPORTED", `${showPath(entry.path)}: an extended attribute with "=" in its name`, {
        subject: showPath(entry.path),
        hint: "remove it with setfattr -x",
      });
    }
    add(`SCHILY.xattr.${name}`, value);
  }
  return records;
}

function sorted(xattrs: readonly Xattr[]): readonly Xattr[] {
  return xattrs.length < 2
    ? xattrs
    : xattrs.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

function fitsTime({ mtime }: TarEntry): boolean {
  return mtime.nanoseconds === 0 && mtime.seconds >= 0n && mtime.seconds <= BigInt(largestOctal11);
}

/** `S` or `S.NNNNNNNNN` without trailing zeros; before 1970 the fraction still counts upwards, so the sign is moved. */
function timeText({ mtime: { seconds, nanoseconds } }: TarEntry): string {
  const isNegative = seconds < 0n && nanoseconds > 0;
  const whole = isNegative ? seconds + 1n : seconds;
  const fraction = String(isNegative ? 1_000_000_000 - nanoseconds : nanoseconds)
    .padStart(9, "0")
    .replace(/(?<!0)0+$/, "");
  const sign = isNegative && whole === 0n ? "-" : "";
  return nanoseconds === 0 ? String(seconds) : `${sign}${whole}.${fraction}`;
}

/** Numbers that PAX overrides are 0 here, so that no reader can see another, plausible one; times hold the nearest second. */
function ustarHeader(entry: TarEntry): Buffer {
  const block = Buffer.from(blankHeader);
  block.write(typeFlags[entry.type], fields.type[0], "latin1");
  entry.path.copy(block, fields.name[0], 0, fields.name[1]);
  entry.link.copy(block, fields.link[0], 0, fields.link[1]);
  putOctal(block, "mode", entry.mode);
  putOctal(block, "uid", fitting(entry.uid, largestOctal7));
  putOctal(block, "gid", fitting(entry.gid, largestOctal7));
  putOctal(block, "size", fitting(entry.size, largestOctal11));
  const { seconds } = entry.mtime;
  putOctal(block, "mtime", Math.min(Math.max(Number(seconds), 0), largestOctal11));
  if (entry.device !== undefined) {
    putOctal(block, "major", entry.device.major);
    putOctal(block, "minor", entry.device.minor);
  }
  return sealed(block);
}

function fitting(value: number, most: number): number {
  return value <= most ? value : 0;
}

function paxHeader(size: number): Buffer {
  const block = Buffer.from(blankPaxHeader);
  putOctal(block, "size", size);
  return sealed(block);
}

/** What all headers have in common: magic, and zero in every number. */
function makeBlankHeader(): Buffer {
  const block = Buffer.alloc(blockSize);
  for (const field of ["mode", "uid", "gid", "size", "mtime", "major", "minor"] as const) putOctal(block, field, 0);
  block.write("ustar\u000000", fields.magic[0], "latin1");
  return block;
}

function makeBlankPaxHeader(): Buffer {
  const block = Buffer.from(blankHeader);
  block.write("PaxHeader", fields.name[0], "latin1");
  block.write("x", fields.type[0], "latin1");
  putOctal(block, "mode", 0o644);
  return block;
}

/** The checksum's form is older than the other fields': six digits, NUL, blank. */
function sealed(block: Buffer): Buffer {
  block.write(`${checksumOf(block).toString(8).padStart(6, "0")}\0 `, fields.checksum[0], "latin1");
  return block;
}
