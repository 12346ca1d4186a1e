/**
 * The canonical tar writer (spec/shim.md): one form for every entry, so that the same entries are the same bytes.
 * A field that does not fit its ustar header goes into one PAX header before it; nothing is rounded or cut.
 */
import { Failure } from "../base/failure.ts";
import { aclAttributes, aclToText } from "./acl.ts";
import { Chunks } from "./chunks.ts";
import {
  blockSize,
  type Content,
  type EntryType,
  type Extent,
  type MemberStream,
  showPath,
  type TarEntry,
  type TarMember,
  type Xattr,
} from "./entry.ts";
import { checksumBlanks, fields, putOctal, putOctalAt, type SummedBlock, summedBlock, sumOfWords } from "./header.ts";
import { asciiPaxRecord, encodePaxRecord } from "./pax.ts";

/** The digit, as a byte. */
const typeFlags: Readonly<Record<EntryType, number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  character: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
};

/** Attribute → the PAX record with its text. */
const aclRecords = new Map([...aclAttributes].map(([record, name]) => [name, record]));

const zeros = Buffer.alloc(blockSize);
const largestOctal7 = 0o7777777;
const largestOctal11 = 0o77777777777;
const blankHeader = makeBlankHeader();
const blankPaxHeader = makeBlankPaxHeader();
/** Headers are made in these and copied out: to make a buffer costs more than to fill it. */
const ustarBlock = summedBlock();
const paxBlock = summedBlock();

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
  return Buffer.concat(headerPieces(entry, extents, {}));
}

/** As encodeHeader; the pieces are good until the next call. */
function headerPieces(
  entry: TarEntry,
  extents: readonly Extent[] | undefined,
  { textAcls = false }: WriteOptions,
): readonly Buffer[] {
  const stored = extents === undefined ? entry : { ...entry, size: sumOf(extents) };
  const records = paxRecords(stored, textAcls);
  if (extents !== undefined) records.push(...sparseRecords(entry.size, extents));
  const header = ustarHeader(stored);
  if (records.length === 0) return [header];
  const size = records.reduce((sum, record) => sum + record.length, 0);
  return [paxHeader(size), ...records, padding(size), header];
}

export interface WriteOptions {
  /** Files that were archived as sparse stay so. Only for perigee-shim: in an image every file is whole, for every reader. */
  readonly sparse?: boolean | undefined;
  /** ACLs as the text that other programs read (ACI-4); perigee-shim takes them as attributes. */
  readonly textAcls?: boolean | undefined;
}

/**
 * Same members → same bytes, for any chunking of their bodies.
 * @throws Failure INTERNAL when a body is not of its size, UNSUPPORTED as encodeHeader
 */
export async function* writeTar(members: MemberStream, options: WriteOptions = {}): AsyncGenerator<Uint8Array> {
  const chunks = new Chunks();
  const iterator = members[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const ready = members.nextNow?.();
      const next = ready === undefined ? await iterator.next() : undefined;
      isDone = next?.done === true;
      const member = ready ?? (next?.done === true ? undefined : next?.value);
      if (member === undefined) break;
      const written = putMember(chunks, member, options) ?? (yield* putPieces(chunks, member, options));
      chunks.pad(written);
      if (chunks.hasFull()) yield* chunks.takeFull();
    }
  } finally {
    if (!isDone) await iterator.return?.();
  }
  chunks.put(endOfArchive);
  chunks.flush();
  yield* chunks.takeFull();
}

interface Stored {
  readonly extents: readonly Extent[] | undefined;
  readonly body: Content;
  readonly size: number;
}

function storedOf(member: TarMember, options: WriteOptions): Stored {
  const sparse = options.sparse === true ? member.sparse : undefined;
  if (sparse === undefined) return { extents: undefined, body: member.body, size: member.size };
  return { extents: sparse.extents, body: sparse.data, size: sumOf(sparse.extents) };
}

function putHeader(
  chunks: Chunks,
  member: TarMember,
  extents: readonly Extent[] | undefined,
  options: WriteOptions,
): void {
  if (extents !== undefined || !fitsHeader(member)) {
    for (const piece of headerPieces(member, extents, options)) chunks.put(piece);
    return;
  }
  // The same bytes without a buffer for each piece: nearly every entry has a time that the header cannot hold, and nothing else.
  if (!fitsTime(member)) {
    const record = asciiPaxRecord("mtime", timeText(member));
    chunks.put(paxHeader(record.length));
    chunks.putText(record);
    chunks.pad(record.length);
  }
  chunks.put(ustarHeader(member));
}

/** Whether the ustar header can hold all but the time. */
function fitsHeader({ path, link, uid, gid, size, xattrs }: TarEntry): boolean {
  const fitsNames = path.length <= fields.name[1] && link.length <= fields.link[1];
  return fitsNames && uid <= largestOctal7 && gid <= largestOctal7 && size <= largestOctal11 && xattrs.length === 0;
}

/** @returns the bytes of the body; undefined, and nothing is put, when they are not at hand */
function putMember(chunks: Chunks, member: TarMember, options: WriteOptions): number | undefined {
  const { extents, body, size } = storedOf(member, options);
  if (body.whole === undefined) return undefined;
  if (body.whole.length !== size) throw wrongSize(member, size);
  putHeader(chunks, member, extents, options);
  chunks.put(body.whole);
  return size;
}

async function* putPieces(
  chunks: Chunks,
  member: TarMember,
  options: WriteOptions,
): AsyncGenerator<Uint8Array, number> {
  const { extents, body, size } = storedOf(member, options);
  putHeader(chunks, member, extents, options);
  let written = 0;
  for await (const piece of body) {
    written += piece.length;
    if (written > size) break;
    chunks.put(piece);
    if (chunks.hasFull()) yield* chunks.takeFull();
  }
  if (written !== size) throw wrongSize(member, size);
  return written;
}

function wrongSize(member: TarMember, size: number): Failure {
  return new Failure("INTERNAL", `${showPath(member.path)} is not of the ${size} bytes announced`);
}

function sumOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { size }) => sum + size, 0);
}

/** The size of the file and where its data lies, as GNU tar's form 0.1 says it. */
function sparseRecords(size: number, extents: readonly Extent[]): readonly Buffer[] {
  const map = extents.map((extent) => `${extent.offset},${extent.size}`).join(",");
  return [encodePaxRecord("GNU.sparse.size", String(size)), encodePaxRecord("GNU.sparse.map", map)];
}

/** What the ustar header cannot hold, in a fixed order. */
function paxRecords(entry: TarEntry, textAcls: boolean): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer | string): void => {
    records.push(encodePaxRecord(key, value));
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
    const acl = textAcls ? aclRecords.get(name) : undefined;
    const text = acl === undefined ? undefined : aclToText(value);
    if (acl !== undefined && text !== undefined) add(acl, text);
    else add(`SCHILY.xattr.${name}`, value);
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
  if (nanoseconds === 0) return String(seconds);
  const isNegative = seconds < 0n;
  const whole = isNegative ? seconds + 1n : seconds;
  // Nine digits behind a one, so that those in front stay.
  let digits = String(1_000_000_000 + (isNegative ? 1_000_000_000 - nanoseconds : nanoseconds));
  while (digits.endsWith("0")) digits = digits.slice(0, -1);
  const sign = isNegative && whole === 0n ? "-" : "";
  return `${sign}${whole}.${digits.slice(1)}`;
}

/** Numbers that PAX overrides are 0 here, so that no reader can see another, plausible one; times hold the nearest second. */
function ustarHeader(entry: TarEntry): Buffer {
  const { block } = ustarBlock;
  block.set(blankHeader);
  block[fields.type[0]] = typeFlags[entry.type];
  entry.path.copy(block, fields.name[0], 0, fields.name[1]);
  if (entry.link.length > 0) entry.link.copy(block, fields.link[0], 0, fields.link[1]);
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
  return sealed(ustarBlock);
}

function fitting(value: number, most: number): number {
  return value <= most ? value : 0;
}

function paxHeader(size: number): Buffer {
  paxBlock.block.set(blankPaxHeader);
  putOctal(paxBlock.block, "size", size);
  return sealed(paxBlock);
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
function sealed({ block, words }: SummedBlock): Buffer {
  putOctalAt(block, fields.checksum[0], 7, sumOfWords(words) + checksumBlanks);
  block[fields.checksum[0] + 7] = 0x20;
  return block;
}
