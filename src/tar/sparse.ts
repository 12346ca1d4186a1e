/**
 * Sparse files in the four forms that GNU tar has written (old GNU, PAX 0.0, 0.1, 1.0): where their data lies and how large
 * they are. The map is checked here, so that data and holes make exactly one file of exactly that size.
 */
import { Failure, printable, raiseLimit } from "../base/failure.ts";
import { type ByteReader, truncated } from "./bytes.ts";
import { blockSize, type Extent } from "./entry.ts";
import { numberAt, typeOf } from "./header.ts";
import type { TarLimits } from "./limits.ts";
import { type PaxRecords, paxNumber } from "./pax.ts";

export interface SparseMap {
  /** Ascending, apart, not empty. */
  readonly extents: readonly Extent[];
  /** Bytes of the file, holes included. */
  readonly size: number;
  /** Bytes of the body that were the map. */
  readonly mapSize: number;
}

const prefix = "GNU.sparse.";
/** Of an old header: places of its first four extents, of the mark that more follow, and of the size. */
const old = { first: 386, count: 4, more: 482, size: 483 } as const;
/** Of a block of more extents. */
const further = { count: 21, more: 504 } as const;

export function isSparse(block: Buffer, pax: PaxRecords): boolean {
  return typeOf(block) === "S" || [...pax.keys()].some((key) => key.startsWith(prefix));
}

/**
 * Reads what belongs to the map behind the header, up to the first byte of data.
 * @param stored bytes of the body; of the old form without its further blocks
 * @throws Failure ARCHIVE_INVALID, LIMIT_EXCEEDED (D18, D19), UNSUPPORTED
 */
export async function readSparseMap(
  reader: ByteReader,
  block: Buffer,
  pax: PaxRecords,
  stored: number,
  limits: TarLimits,
): Promise<SparseMap> {
  const inPax = [...pax.keys()].some((key) => key.startsWith(prefix));
  if (typeOf(block) === "S" && inPax) throw invalid("it is described twice");
  if (typeOf(block) === "S") {
    const { numbers, size } = await readOld(reader, block, limits);
    return checked(numbers, size, stored, 0, limits);
  }
  const size = paxSize(pax);
  const map = pax.get("GNU.sparse.map");
  if (map !== undefined) {
    if (pax.has("GNU.sparse.major")) throw invalid("it is described twice");
    return checked(map.length === 0 ? [] : map.toString("latin1").split(",").map(number), size, stored, 0, limits);
  }
  const version = `${pax.get("GNU.sparse.major")}.${pax.get("GNU.sparse.minor")}`;
  if (version !== "1.0") {
    throw new Failure("UNSUPPORTED", `a sparse file in the form ${printable(version)} is not read`, {
      hint: "make the archive without --sparse",
    });
  }
  const { numbers, mapSize } = await readBodyMap(reader, stored, limits);
  return checked(numbers, size, stored - mapSize, mapSize, limits);
}

function paxSize(pax: PaxRecords): bigint {
  const size = pax.get("GNU.sparse.realsize");
  const other = pax.get("GNU.sparse.size");
  const value = size ?? other;
  if (value === undefined || (size !== undefined && other !== undefined)) throw invalid("it has not one size");
  return number(value.toString("latin1"));
}

/** The form 1.0: decimal numbers, a line each, in the first blocks of the body; how many pairs come first. */
async function readBodyMap(reader: ByteReader, stored: number, limits: TarLimits) {
  const lines: string[] = [];
  let rest = "";
  let mapSize = 0;
  for (let wanted = 1; lines.length < wanted; ) {
    if (mapSize + blockSize > stored) throw invalid("its map is longer than its content");
    const block = await mapBlock(reader, mapSize, limits);
    mapSize += blockSize;
    const parts = (rest + block.toString("latin1")).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push(part);
    if (lines[0] !== undefined) {
      const count = number(lines[0]);
      if (count > BigInt(limits.metaRecord)) throw mapTooLarge(limits);
      wanted = 1 + 2 * Number(count);
    }
    if (lines.length < wanted && rest.length > 20) throw invalid("its map has something that is no number");
    if (lines.length > wanted) throw invalid("its map is longer than it says");
  }
  if (/[^\0]/.test(rest)) throw invalid("something follows its map");
  return { numbers: lines.slice(1).map(number), mapSize };
}

/** The next block of a map of which `before` bytes were read. */
async function mapBlock(reader: ByteReader, before: number, limits: TarLimits): Promise<Buffer> {
  if (before + blockSize > limits.metaRecord) throw mapTooLarge(limits);
  const block = await reader.take(blockSize);
  if (block === undefined) throw truncated();
  return block;
}

/** The old form: four pairs in the header, 21 in each block that follows. */
async function readOld(reader: ByteReader, header: Buffer, limits: TarLimits) {
  const numbers: bigint[] = [];
  const size = oldNumber(header, old.size);
  if (size === undefined) throw invalid("it has no size");
  let [block, at, count, more]: [Buffer, number, number, number] = [header, old.first, old.count, old.more];
  for (let bytes = 0; ; bytes += blockSize) {
    for (let i = 0; i < count; i++) {
      const offset = oldNumber(block, at + 24 * i);
      const length = oldNumber(block, at + 24 * i + 12);
      if (offset === undefined && length === undefined) continue; // an empty place
      if (offset === undefined || length === undefined) throw invalid("its map has half of a pair");
      numbers.push(offset, length);
    }
    if (block[more] === 0) return { numbers, size };
    if (block[more] !== 1) throw invalid("its map has no end");
    [block, at, count, more] = [await mapBlock(reader, bytes, limits), 0, further.count, further.more];
  }
}

/** Undefined when the field is empty. */
function oldNumber(block: Buffer, at: number): bigint | undefined {
  if (block[at] === 0) return undefined;
  const value = numberAt(block, at, 12);
  if (value === undefined || value < 0) throw invalid("its map has something that is no number");
  return BigInt(value);
}

function number(text: string): bigint {
  const value = paxNumber(Buffer.from(text, "latin1"));
  if (value === undefined) throw invalid("its map has something that is no number");
  return value;
}

function checked(
  numbers: readonly bigint[],
  size: bigint,
  stored: number,
  mapSize: number,
  limits: TarLimits,
): SparseMap {
  if (size > BigInt(limits.fileSize)) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `a sparse file has ${size} bytes, more than the ${limits.fileSize} allowed`,
      raiseLimit("fileSize", size),
    );
  }
  if (numbers.length % 2 !== 0) throw invalid("its map has half of a pair");
  const extents: Extent[] = [];
  let end = 0n;
  let total = 0n;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset = 0n, length = 0n] = numbers.slice(i, i + 2);
    if (offset < end || offset + length > size) throw invalid("its data overlap or lie behind its end");
    end = offset + length;
    total += length;
    if (length > 0n) extents.push({ offset: Number(offset), size: Number(length) });
  }
  if (total !== BigInt(stored)) throw invalid("its content is not of the size of its map");
  return { extents, size: Number(size), mapSize };
}

function mapTooLarge(limits: TarLimits): Failure {
  return new Failure(
    "LIMIT_EXCEEDED",
    `the map of a sparse file is larger than the ${limits.metaRecord} bytes allowed`,
  );
}

function invalid(why: string): Failure {
  return new Failure("ARCHIVE_INVALID", `a sparse file: ${why}`);
}

const zeros = Buffer.alloc(256 * 1024);

/** The whole file: `data` with zeros where it has holes. */
export async function* withHoles(map: SparseMap, data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = data[Symbol.asyncIterator]();
  let at = 0;
  let rest: Uint8Array = zeros.subarray(0, 0);
  for (const { offset, size } of map.extents) {
    yield* hole(offset - at);
    for (let left = size; left > 0; ) {
      if (rest.length === 0) {
        const next = await pieces.next();
        if (next.done === true) throw truncated();
        rest = next.value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
    at = offset + size;
  }
  yield* hole(map.size - at);
}

function* hole(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= zeros.length) yield left < zeros.length ? zeros.subarray(0, left) : zeros;
}
