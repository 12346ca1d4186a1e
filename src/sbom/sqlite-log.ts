/** The write-ahead log beside an SQLite database: pages newer than those of the file, up to the last transaction that was finished. */

/** The bytes of a page by its number (from 1), or undefined. */
export type PageOf = (number: number) => Buffer | undefined;

const headerSize = 32;
const frameHeaderSize = 24;
const magicBig = 0x377f0683;
const magicLittle = 0x377f0682;

/**
 * The pages of finished transactions. A frame whose salt or checksum is wrong ends the log, as it does for SQLite itself: what follows is of an
 * earlier use of the file or was never finished.
 */
export function readSqliteLog(log: Buffer, pageSize: number): PageOf {
  const pages = new Map<number, Buffer>();
  const lookUp: PageOf = (number) => pages.get(number);
  if (log.length < headerSize) return lookUp;
  const kind = log.readUInt32BE(0);
  if ((kind !== magicBig && kind !== magicLittle) || log.readUInt32BE(8) !== pageSize) return lookUp;
  const isLittle = kind === magicLittle;
  const salt = log.subarray(16, 24);
  let sum = checksum(log.subarray(0, 24), [0, 0], isLittle);
  if (!isSum(log, 24, sum)) return lookUp;
  let pending: (readonly [number, Buffer])[] = [];
  const step = frameHeaderSize + pageSize;
  for (let at = headerSize; at + step <= log.length; at += step) {
    const frame = log.subarray(at, at + step);
    if (!frame.subarray(8, 16).equals(salt)) break;
    sum = checksum(frame.subarray(frameHeaderSize), checksum(frame.subarray(0, 8), sum, isLittle), isLittle);
    if (!isSum(frame, 16, sum)) break;
    pending.push([frame.readUInt32BE(0), frame.subarray(frameHeaderSize)]);
    // The last frame of a transaction says how many pages the database has then.
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [number, bytes] of pending) pages.set(number, bytes);
    pending = [];
  }
  return lookUp;
}

function isSum(bytes: Buffer, at: number, [first, second]: readonly [number, number]): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function checksum(bytes: Buffer, start: readonly [number, number], isLittle: boolean): readonly [number, number] {
  let [first, second] = start;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    first = (first + (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) + second) >>> 0;
    second = (second + (isLittle ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4)) + first) >>> 0;
  }
  return [first, second];
}
