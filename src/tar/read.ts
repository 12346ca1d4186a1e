/**
 * Reads a tar archive: liberal in formats (old, ustar, PAX, GNU), strict in everything two readers could see differently
 * (security-and-reliability table: every row's verdict is a test). Touches no file; names stay bytes.
 */
import { Failure, raiseLimit } from "../base/failure.ts";
import { bodyOf, fillOf, type MemberBody, wholeBodyOf } from "./body.ts";
import { type ByteReader, byteReader, truncated } from "./bytes.ts";
import {
  blockSize,
  type Content,
  type MemberStream,
  type Span,
  showPath,
  type TarEntry,
  type TarMember,
} from "./entry.ts";
import { isHeader, isZeroBlock, numberOf, typeOf } from "./header.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";
import type { PaxRecords } from "./pax.ts";
import { noArchive, noEnd, tooLarge } from "./refusals.ts";
import { type EntryMeta, globalRecords, isGlobal, resolveEntry, withMeta } from "./resolve.ts";
import { isSparse, readSparseMap, type SparseMap, withHoles } from "./sparse.ts";

interface ReaderState {
  readonly reader: ByteReader;
  readonly limits: TarLimits;
  entries: number;
  /** Bytes of all files so far, holes included. */
  fileBytes: number;
  globals: PaxRecords;
  /** Where the entry that is being read begins. */
  start: number | undefined;
  /** The body of the entry before, of which something may be left. */
  last: MemberBody | undefined;
}

interface Found {
  readonly entry: TarEntry;
  /** Bytes of the body that are still to be read. */
  readonly stored: number;
  readonly map: SparseMap | undefined;
}

/** A file in more pieces than this is given whole: its map would not fit the header of canonical tar. */
const mostExtents = 16_384;

/**
 * Entries in order. Reads to the end of `source` and refuses anything but zeros after the end marker (F04, F05).
 * @throws Failure ARCHIVE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED (sparse files of a later form)
 */
export function readTar(source: AsyncIterable<Uint8Array>, limits: TarLimits = defaultTarLimits): TarReader {
  const reader = byteReader(source);
  const state: ReaderState = {
    reader,
    limits,
    entries: 0,
    fileBytes: 0,
    globals: new Map(),
    start: 0,
    last: undefined,
  };
  const members = readMembers(state);
  const tar: TarReader = {
    nextNow: () => memberNow(state),
    next: async () => {
      const member = memberNow(state);
      return member === undefined ? await members.next() : { done: false, value: member };
    },
    return: async () => {
      await members.return(undefined);
      await reader.close(); // a generator that never began closes nothing
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => tar,
  };
  return tar;
}

export interface TarReader extends MemberStream, AsyncIterableIterator<TarMember, undefined, undefined> {
  nextNow(): TarMember | undefined;
  return(): Promise<IteratorResult<TarMember, undefined>>;
  [Symbol.asyncIterator](): TarReader;
}

async function* readMembers(state: ReaderState): AsyncGenerator<TarMember, undefined, undefined> {
  const { reader } = state;
  try {
    for (;;) {
      const finished = state.last?.finish();
      if (finished !== undefined) await finished;
      const found = nextHeader(state);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined) break;
      state.start = reader.consumed() - blockSize;
      const { entry, stored, map } = await readMember(state, block);
      const span = { start: state.start, end: reader.consumed() + stored + fillOf(stored) };
      state.last = wholeBodyOf(reader, stored) ?? bodyOf(reader, stored);
      const { body } = state.last;
      yield map === undefined ? plainMember(entry, body, span) : { ...sparseMember(entry, map, body), span };
    }
    await requireZeros(state);
  } finally {
    await reader.close();
  }
  return undefined;
}

/**
 * The next member, when its headers and its body are at hand and it is like most. Whatever else comes is left to readMembers, for
 * which everything is as it was.
 */
function memberNow(state: ReaderState): TarMember | undefined {
  const { reader, limits, last } = state;
  if (last?.isPending === true) return undefined;
  void last?.finish(); // nothing to wait for
  const start = reader.consumed();
  let meta: EntryMeta = {};
  let block = headerNow(state);
  while (block !== undefined && isMeta(block)) {
    const body = isGlobal(block) ? undefined : metaNow(state, block);
    if (body === undefined) block = undefined;
    else {
      meta = withMeta(meta, block, body);
      block = headerNow(state);
    }
  }
  const isPlain = block !== undefined && state.entries < limits.entries && !isSparse(block, meta.pax ?? noRecords);
  const entry = block === undefined || !isPlain ? undefined : resolveEntry(block, meta, state.globals, limits);
  const body = entry === undefined || !isWithin(state, entry) ? undefined : wholeBodyOf(reader, entry.size);
  if (entry === undefined || body === undefined) {
    reader.rewind(start);
    return undefined;
  }
  state.entries++;
  state.fileBytes += entry.size;
  state.last = body;
  return plainMember(entry, body.body, { start, end: reader.consumed() });
}

const noRecords: PaxRecords = new Map();

function isWithin({ reader, limits, fileBytes }: ReaderState, { size }: TarEntry): boolean {
  return reader.consumed() + size <= limits.totalSize && fileBytes + size <= limits.totalSize;
}

/** A header block that is at hand. */
function headerNow({ reader, limits }: ReaderState): Buffer | undefined {
  const block = reader.takeNow(blockSize);
  return block !== undefined && reader.consumed() <= limits.totalSize && isHeader(block) ? block : undefined;
}

/** The next header block; undefined at the end marker. A promise only where it is not at hand or is no header. */
function nextHeader(state: ReaderState): Buffer | undefined | Promise<Buffer | undefined> {
  const block = state.reader.takeNow(blockSize);
  const isGood = block !== undefined && state.reader.consumed() <= state.limits.totalSize && isHeader(block);
  return isGood ? block : otherBlock(state, block);
}

/** The end marker is two zero blocks (F03, F06). */
async function otherBlock(
  { reader, limits, entries }: ReaderState,
  taken: Buffer | undefined,
): Promise<Buffer | undefined> {
  const block = taken ?? (reader.consumed() === 0 ? await firstBlock(reader) : await reader.take(blockSize));
  if (reader.consumed() > limits.totalSize) throw tooLarge(limits);
  if (block === undefined) throw reader.consumed() === 0 ? noArchive("it is empty") : noEnd();
  if (isZeroBlock(block)) {
    const second = await reader.take(blockSize);
    if (second === undefined) throw noEnd();
    if (isZeroBlock(second)) return undefined;
    throw new Failure("ARCHIVE_INVALID", "entries follow a lone zero block");
  }
  if (isHeader(block)) return block;
  if (reader.consumed() === blockSize) throw noArchive("it does not begin with a tar header");
  throw new Failure("ARCHIVE_INVALID", `the header after entry ${entries} is damaged (wrong checksum or form)`);
}

/** A short text is no archive; it is not told that it was cut off. */
async function firstBlock(reader: ByteReader): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  for (let missing = blockSize; missing > 0; ) {
    const piece = await reader.some(missing);
    if (piece === undefined && pieces.length > 0) throw noArchive("it is shorter than one tar header");
    if (piece === undefined) return undefined;
    pieces.push(piece);
    missing -= piece.length;
  }
  return Buffer.concat(pieces, blockSize);
}

function isMeta(block: Buffer): boolean {
  return "xgLK".includes(typeOf(block));
}

/** Collects the extended headers before an entry, then the entry. */
async function readMember(state: ReaderState, first: Buffer): Promise<Found> {
  let meta: EntryMeta = {};
  let block = first;
  while (isMeta(block)) {
    const body = metaNow(state, block) ?? (await readMeta(state, block));
    if (isGlobal(block)) {
      state.globals = new Map([...state.globals, ...globalRecords(body)]);
      const isFirst = meta.pax === undefined && meta.longName === undefined && meta.longLink === undefined;
      state.start = isFirst ? state.reader.consumed() : undefined;
    } else meta = withMeta(meta, block, body);
    const found = nextHeader(state);
    const next = found instanceof Promise ? await found : found;
    if (next === undefined) throw new Failure("ARCHIVE_INVALID", "an extended header belongs to no entry");
    block = next;
  }
  const { reader, limits } = state;
  state.entries++;
  if (state.entries > limits.entries) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `the archive has more than the ${limits.entries} entries allowed`,
      raiseLimit("entries"),
    );
  }
  const entry = resolveEntry(block, meta, state.globals, limits);
  if (reader.consumed() + entry.size > limits.totalSize) throw tooLarge(limits);
  const found = await withMap(state, block, meta.pax ?? new Map(), entry);
  // Holes cost nothing here, but whoever copies the tree without regard for them pays.
  state.fileBytes += found.entry.size;
  if (state.fileBytes > limits.totalSize) throw tooLarge(limits);
  return found;
}

async function withMap(
  { reader, limits }: ReaderState,
  block: Buffer,
  pax: PaxRecords,
  entry: TarEntry,
): Promise<Found> {
  if (!isSparse(block, pax)) return { entry, stored: entry.size, map: undefined };
  if (entry.type !== "file") throw new Failure("ARCHIVE_INVALID", `${showPath(entry.path)}: a sparse ${entry.type}`);
  const map = await readSparseMap(reader, block, pax, entry.size, limits);
  return { entry: { ...entry, size: map.size }, stored: entry.size - map.mapSize, map };
}

/** In full: a spread of every entry would cost as much as to read it. */
function plainMember(entry: TarEntry, body: Content, span: Span): TarMember {
  const { path, type, mode, uid, gid, mtime, size, link, xattrs, device, dropped } = entry;
  return { path, type, mode, uid, gid, mtime, size, link, xattrs, device, dropped, body, span };
}

function sparseMember(entry: TarEntry, map: SparseMap, data: Content): TarMember {
  const body = withHoles(map, data);
  const member = { ...entry, isSparse: true, body };
  return map.extents.length > mostExtents ? member : { ...member, sparse: { extents: map.extents, data } };
}

/** The body of an extended header when all of it is at hand. */
function metaNow({ reader, limits }: ReaderState, block: Buffer): Buffer | undefined {
  const length = metaLength(block, limits);
  return reader.takeNow(length, fillOf(length));
}

async function readMeta({ reader, limits }: ReaderState, block: Buffer): Promise<Buffer> {
  const length = metaLength(block, limits);
  const body = await reader.take(length);
  if (body === undefined) throw truncated();
  await reader.skip(fillOf(length));
  return body;
}

function metaLength(block: Buffer, limits: TarLimits): number {
  const size = numberOf(block, "size");
  if (size === undefined || size < 0) throw new Failure("ARCHIVE_INVALID", "an extended header has no valid size");
  if (size > limits.metaRecord) {
    throw new Failure("LIMIT_EXCEEDED", `an extended header has ${size} bytes, more than ${limits.metaRecord}`);
  }
  return Number(size);
}

async function requireZeros({ reader, limits }: ReaderState): Promise<void> {
  const zeros = Buffer.alloc(64 * 1024);
  for (;;) {
    const piece = await reader.some(zeros.length);
    if (reader.consumed() > limits.totalSize) throw tooLarge(limits);
    if (piece === undefined) return;
    if (!piece.equals(zeros.subarray(0, piece.length))) {
      throw new Failure("ARCHIVE_INVALID", "something other than zeros follows the end of the archive");
    }
  }
}
