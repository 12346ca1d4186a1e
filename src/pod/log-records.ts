/** The records of an app's log as native/log.c writes them (SHIM-20…29): bytes in, records out. Knows no files. */

export type LogStream = "stdout" | "stderr";

/** A line of one stream, or a part of one that the app wrote in several. */
export interface LogRecord {
  /** RFC 3339 in UTC with nine digits behind the point: as text in the order of time. When it was read from the app. */
  readonly time: string;
  readonly stream: LogStream;
  /** Without the line's end. Of the block that was parsed. */
  readonly bytes: Buffer;
  /** false: the line goes on in the stream's next record. */
  readonly isWhole: boolean;
  /** Where in the block the next one begins. */
  readonly end: number;
}

/** What the log says of itself: so many bytes of the app are missing here, because there was no room for them. */
export interface LostRecord {
  readonly time: string;
  readonly lostBytes: number;
  readonly end: number;
}

/** `TIME KIND ` */
export const headBytes = 33;

const [lineEnd, plus, minus, digit0, digit9] = [0x0a, 0x2b, 0x2d, 0x30, 0x39];
const headPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) ([oeOE]) $/;
const lostPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) ! (\d{1,15})$/;

interface Head {
  readonly time: string;
  readonly stream: LogStream;
}

/** Reads one file from its beginning, or from some record's. What is no record is passed over, with what leans on it. */
export class LogParser {
  #head: Head | undefined;

  /** `block` holds whole records: it ends with a line end. */
  parse(block: Buffer): (LogRecord | LostRecord)[] {
    const records: (LogRecord | LostRecord)[] = [];
    for (let start = 0; start < block.length; ) {
      const end = block.indexOf(lineEnd, start);
      if (end < 0) break;
      const record = this.#record(block, start, end);
      if (record !== undefined) records.push(record);
      start = end + 1;
    }
    return records;
  }

  #record(block: Buffer, start: number, end: number): LogRecord | LostRecord | undefined {
    const mark = block[start];
    if (mark === plus || mark === minus) {
      if (this.#head === undefined) return undefined;
      return { ...this.#head, bytes: block.subarray(start + 1, end), isWhole: mark === plus, end: end + 1 };
    }
    this.#head = undefined;
    const match = headPattern.exec(block.toString("latin1", start, Math.min(start + headBytes, end)));
    if (match === null) return lostRecord(block.toString("latin1", start, Math.min(start + 64, end)), end + 1);
    const [, time = "", kind = ""] = match;
    this.#head = { time, stream: kind === "o" || kind === "O" ? "stdout" : "stderr" };
    const bytes = block.subarray(start + headBytes, end);
    return { ...this.#head, bytes, isWhole: kind === "o" || kind === "e", end: end + 1 };
  }
}

function lostRecord(text: string, end: number): LostRecord | undefined {
  const match = lostPattern.exec(text);
  return match === null ? undefined : { time: match[1] ?? "", lostBytes: Number(match[2]), end };
}

/** Where the records end that complete a line, in the order of the block; for counting lines without reading them. */
export function lineEnds(block: Buffer): number[] {
  const ends: number[] = [];
  for (let start = 0; start < block.length; ) {
    const end = block.indexOf(lineEnd, start);
    if (end < 0) break;
    const mark = block[start] ?? 0;
    const kind = mark >= digit0 && mark <= digit9 ? block[start + headBytes - 2] : mark;
    // `+`, `o`, `e`
    if (kind === plus || kind === 0x6f || kind === 0x65) ends.push(end + 1);
    start = end + 1;
  }
  return ends;
}
