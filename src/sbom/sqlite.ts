/**
 * Reads one column of one table of an SQLite database from its bytes, as its file format describes it. No SQL, no index, nothing is executed;
 * every page is visited once at most, so that a database that points into itself ends.
 */
import { Failure } from "../base/failure.ts";
import type { PageOf } from "./sqlite-log.ts";

const magic = "SQLite format 3\0";
const [leaf, interior] = [0x0d, 0x05];

const mostRows = 1_000_000;
/** Bytes that rows may have beyond those of the file, since a log may hold newer ones. */
const largestLog = 16 * 1024 * 1024;

interface Database {
  readonly pageSize: number;
  /** Bytes of a page that are not reserved at its end. */
  readonly usable: number;
  readonly page: PageOf;
  readonly seen: Set<number>;
}

type Column = Buffer | string | number | bigint | null;

/** Page size of a database, which its log has too. @throws Failure IMAGE_INVALID */
export function sqlitePageSize(file: Buffer): number {
  if (file.length < 512 || file.toString("latin1", 0, 16) !== magic) throw damaged("it does not begin like one");
  const raw = file.readUInt16BE(16);
  const size = raw === 1 ? 65_536 : raw;
  if (size < 512 || (size & (size - 1)) !== 0) throw damaged("its page size is impossible");
  return size;
}

/**
 * The values of `column` (from 0) in the rows of `table`, in the order of their row ids.
 * @param overlay pages that a write-ahead log has newer than the file
 * @throws Failure IMAGE_INVALID when the file is damaged or has no such table
 */
export function* sqliteColumn(
  file: Buffer,
  table: string,
  column: number,
  overlay: PageOf = () => undefined,
): Generator<Buffer> {
  const pageSize = sqlitePageSize(file);
  const page: PageOf = (number) => overlay(number) ?? pageOfFile(file, pageSize, number);
  const first = page(1);
  if (first === undefined) throw damaged("it has no first page");
  const database = { pageSize, usable: pageSize - (first[20] ?? 0), page, seen: new Set<number>() };
  if (database.usable < 480) throw damaged("its pages have no room");
  let count = 0;
  let length = 0;
  for (const row of rows(database, rootOf(database, table))) {
    count += 1;
    length += row.length;
    // Many cells may point at the same bytes: a small file would be as much work as a huge one.
    if (count > mostRows || length > 2 * file.length + largestLog) throw damaged("its records lie over each other");
    const value = columns(row)[column];
    if (Buffer.isBuffer(value)) yield value;
  }
}

function pageOfFile(file: Buffer, pageSize: number, number: number): Buffer | undefined {
  const start = (number - 1) * pageSize;
  return number < 1 || start + pageSize > file.length ? undefined : file.subarray(start, start + pageSize);
}

/** sqlite_schema, on page 1: type, name, tbl_name, rootpage, sql. */
function rootOf(database: Database, table: string): number {
  for (const row of rows({ ...database, seen: new Set() }, 1)) {
    const [type, name, , root] = columns(row);
    if (type === "table" && name === table && typeof root === "number") return root;
  }
  throw damaged(`it has no table ${table}`);
}

/** Records of the tree that begins at page `root`, left to right; a stack instead of recursion. */
function* rows(database: Database, root: number): Generator<Buffer> {
  const stack = [root];
  for (let number = stack.pop(); number !== undefined; number = stack.pop()) {
    const page = take(database, number);
    const start = number === 1 ? 100 : 0;
    const kind = page[start];
    const count = page.readUInt16BE(start + 3);
    if (kind !== leaf && kind !== interior) throw damaged(`page ${number} is of no kind that a table has`);
    const pointers = start + (kind === leaf ? 8 : 12);
    if (pointers + 2 * count > page.length) throw damaged(`page ${number} has more cells than room`);
    const cells = Array.from({ length: count }, (_, index) => page.readUInt16BE(pointers + 2 * index));
    if (kind === leaf) {
      for (const cell of cells) yield record(database, page, cell);
    } else {
      stack.push(page.readUInt32BE(start + 8));
      for (const cell of cells.toReversed()) stack.push(within(page, cell, 4).readUInt32BE(cell));
    }
  }
}

/** The bytes of a record: what lies on the page, then what lies on its overflow pages. */
function record(database: Database, page: Buffer, cell: number): Buffer {
  const [length, afterLength] = varint(page, cell);
  const [, start] = varint(page, afterLength);
  const { usable } = database;
  const here = localPart(Number(length), usable);
  within(page, start, here);
  const pieces = [page.subarray(start, start + here)];
  let missing = Number(length) - here;
  let next = missing > 0 ? within(page, start + here, 4).readUInt32BE(start + here) : 0;
  while (missing > 0) {
    const overflow = take(database, next);
    const piece = overflow.subarray(4, Math.min(usable, 4 + missing));
    pieces.push(piece);
    missing -= piece.length;
    next = overflow.readUInt32BE(0);
  }
  return pieces.length === 1 ? page.subarray(start, start + here) : Buffer.concat(pieces);
}

/** How much of a record of `length` bytes lies on the page itself, by the file format's own rule. */
function localPart(length: number, usable: number): number {
  if (!Number.isSafeInteger(length) || length < 0) throw damaged("a record has an impossible length");
  if (length <= usable - 35) return length;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const some = least + ((length - least) % (usable - 4));
  return some <= usable - 35 ? some : least;
}

/** A page is part of one thing only: reading one twice would be a way to make a small file endless. */
function take({ page, seen }: Database, number: number): Buffer {
  const bytes = page(number);
  if (bytes === undefined) throw damaged(`page ${number} is not there`);
  if (seen.has(number)) throw damaged(`page ${number} is used twice`);
  seen.add(number);
  return bytes;
}

function within(page: Buffer, start: number, length: number): Buffer {
  if (start < 0 || start + length > page.length) throw damaged("a cell lies outside of its page");
  return page;
}

/** Bytes of each integer by its serial type. */
const integerSizes: readonly (number | undefined)[] = [undefined, 1, 2, 3, 4, 6, 8];

function columns(row: Buffer): readonly Column[] {
  const [headerLength, start] = varint(row, 0);
  const values: Column[] = [];
  let at = Number(headerLength);
  if (at > row.length) throw damaged("a record is shorter than its header");
  for (let header = start; header < Number(headerLength); ) {
    const [type, next] = varint(row, header);
    header = next;
    const [value, size] = columnAt(row, at, Number(type));
    values.push(value);
    at += size;
  }
  return values;
}

function columnAt(row: Buffer, at: number, type: number): readonly [Column, number] {
  if (type === 0) return [null, 0];
  if (type === 8 || type === 9) return [type - 8, 0];
  const size = type >= 12 ? Math.floor((type - 12) / 2) : type === 7 ? 8 : integerSizes[type];
  if (size === undefined || at + size > row.length) throw damaged("a value lies outside of its record");
  const bytes = row.subarray(at, at + size);
  if (type >= 12) return [type % 2 === 0 ? bytes : bytes.toString("utf8"), size];
  if (type === 7) return [bytes.readDoubleBE(), size];
  return [size > 6 ? bytes.readBigInt64BE() : bytes.readIntBE(0, size), size];
}

/** 1 to 9 bytes, the most significant first. @returns the value and where the next thing begins */
function varint(bytes: Buffer, start: number): readonly [bigint, number] {
  let value = 0n;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw damaged("a number is cut off");
    if (index === 8) return [(value << 8n) | BigInt(byte), start + 9];
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return [value, start + index + 1];
  }
  throw damaged("a number is too long");
}

function damaged(why: string): Failure {
  return new Failure("IMAGE_INVALID", `the SQLite database is damaged: ${why}`);
}
