/**
 * rpm's database before sqlite (`Packages`): a Berkeley DB hash table, key package number, value header. Its pages are read in the order of the
 * file; the hashing itself, which only finds keys faster, is not looked at.
 */
import { Failure } from "../base/failure.ts";

const hashMagic = 0x061561;
const pageHeaderSize = 26;
const pageTypes = { hashUnsorted: 2, overflow: 7, hashMeta: 8, hash: 13 } as const;
const itemTypes = { here: 1, offPage: 3 } as const;

interface Database {
  readonly file: Buffer;
  readonly pageSize: number;
  readonly word: (bytes: Buffer, at: number) => number;
  readonly half: (bytes: Buffer, at: number) => number;
  /** Overflow pages read already: each belongs to one value. */
  readonly seen: Set<number>;
}

/** The package headers. @throws Failure IMAGE_INVALID, UNSUPPORTED for an encrypted or another kind of table */
export function* bdbBlobs(file: Buffer): Generator<Buffer> {
  const database = open(file);
  const pages = Math.floor(file.length / database.pageSize);
  for (let number = 1; number < pages; number++) {
    const page = pageAt(database, number);
    const type = page[25];
    if (type === pageTypes.hash || type === pageTypes.hashUnsorted) yield* valuesOf(database, page);
  }
}

function open(file: Buffer): Database {
  if (file.length < 512) throw damaged("it is too short");
  const isLittle = file.readUInt32LE(12) === hashMagic;
  if (!isLittle && file.readUInt32BE(12) !== hashMagic) throw damaged("it is no hash table");
  const word = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const half = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const pageSize = word(file, 20);
  if (file[25] !== pageTypes.hashMeta) throw damaged("its first page is of another kind");
  if ((file[24] ?? 0) !== 0) throw new Failure("UNSUPPORTED", "the rpm database Packages is encrypted");
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    throw damaged("its page size is impossible");
  if ((word(file, 32) + 1) * pageSize > file.length) throw damaged("its end is missing");
  return { file, pageSize, word, half, seen: new Set() };
}

/** Items come in pairs, key and value, and lie from the end of the page towards its beginning. */
function* valuesOf(database: Database, page: Buffer): Generator<Buffer> {
  const { half, word, pageSize } = database;
  const count = half(page, 20);
  if (pageHeaderSize + 2 * count > pageSize) throw damaged("a page has more items than room");
  const starts = Array.from({ length: count }, (_, index) => half(page, pageHeaderSize + 2 * index));
  const item = (index: number): Buffer => {
    const start = starts[index] ?? 0;
    const end = index === 0 ? pageSize : (starts[index - 1] ?? 0);
    if (start < pageHeaderSize || start >= end || end > pageSize) throw damaged("an item lies outside of its page");
    return page.subarray(start, end);
  };
  for (let index = 0; index + 1 < count; index += 2) {
    const key = item(index);
    // Key 0 holds the next number to give away.
    if (key.length === 5 && key.readUInt32LE(1) === 0) continue;
    const value = item(index + 1);
    if (value[0] === itemTypes.here) yield value.subarray(1);
    else if (value[0] === itemTypes.offPage && value.length >= 12) {
      yield overflow(database, word(value, 4), word(value, 8));
    } else throw damaged("a value is of an unknown kind");
  }
}

/** A value on a chain of pages of its own. */
function overflow(database: Database, first: number, length: number): Buffer {
  const { word, half, pageSize, seen, file } = database;
  if (length > file.length) throw damaged("a value is longer than the file");
  const pieces: Buffer[] = [];
  let missing = length;
  for (let number = first; missing > 0; ) {
    if (seen.has(number)) throw damaged("a page is used twice");
    seen.add(number);
    const page = pageAt(database, number);
    const size = half(page, 22);
    if (page[25] !== pageTypes.overflow || size === 0 || pageHeaderSize + size > pageSize) {
      throw damaged("a value is not where its item says");
    }
    pieces.push(page.subarray(pageHeaderSize, pageHeaderSize + Math.min(size, missing)));
    missing -= Math.min(size, missing);
    number = word(page, 16);
  }
  return Buffer.concat(pieces);
}

function pageAt({ file, pageSize }: Database, number: number): Buffer {
  const start = number * pageSize;
  if (number < 1 || start + pageSize > file.length) throw damaged(`page ${number} is not there`);
  return file.subarray(start, start + pageSize);
}

function damaged(why: string): Failure {
  return new Failure("IMAGE_INVALID", `the rpm database Packages is damaged: ${why}`);
}
