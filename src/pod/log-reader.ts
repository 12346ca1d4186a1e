/** Reads one app's log in order, across its files, while it is written and rotated: whole records only, in little memory. */
import { closeSync, fstatSync, lstatSync } from "node:fs";
import { join } from "node:path";
import {
  blockBytes,
  bytesBehind,
  inodesOf,
  type LogFile,
  mostTries,
  neighbour,
  numbersOf,
  openNumber,
  readAt,
} from "./log-files.ts";

/** Whole records: it ends with a line end. The bytes are valid until the next read. */
export interface LogBlock {
  readonly bytes: Buffer;
  /** In its file. */
  readonly start: number;
  /** In another file than the block before, or behind bytes that are no records: nothing of that one goes on in this one. */
  readonly isNew: boolean;
  /** Files were rotated away before they were read. */
  readonly hasGap: boolean;
}

/** Open files of one log; `close` gives them back. */
export class LogReader {
  readonly #directory: string;
  readonly #name: string;
  readonly #buffer = Buffer.allocUnsafeSlow(blockBytes);
  #file: LogFile | undefined;
  #isNew = true;
  #hasGap = false;
  /** What comes first is the rest of something that was passed over. */
  #isInside = false;

  private constructor(directory: string, name: string, file: LogFile) {
    this.#directory = directory;
    this.#name = name;
    this.#file = file;
  }

  /** From the oldest file that was written to since `since` (milliseconds since 1970). Undefined when there is no log. @throws Failure IO_FAILED */
  static open(directory: string, name: string, since = 0): LogReader | undefined {
    for (let attempt = 0; attempt < mostTries; attempt++) {
      const numbers = numbersOf(directory, name);
      if (numbers.length === 0) return undefined;
      for (const number of numbers.toReversed()) {
        const file = openNumber(directory, name, number);
        // Renamed meanwhile, or no file at all.
        if (file === undefined) break;
        if (number === 0 || fstatSync(file.fd).mtimeMs >= since) return new LogReader(directory, name, file);
        closeSync(file.fd);
      }
    }
    return undefined;
  }

  /** From the position of an open file, which is the reader's from now on. */
  static continue(directory: string, name: string, file: LogFile): LogReader {
    return new LogReader(directory, name, file);
  }

  /** The next records; undefined when there are none yet. @throws Failure IO_FAILED */
  read(): LogBlock | undefined {
    while (this.#file !== undefined) {
      const isNewest = this.#isNewest(this.#file);
      // Looked at before the end was met: the last write to a file comes before it is renamed.
      const block = this.#fill(this.#file);
      if (block !== undefined) return block;
      if (isNewest || !this.#advance(this.#file)) return undefined;
    }
    return undefined;
  }

  /** No fewer than there are at this moment for it to read. */
  bytesAhead(): number {
    return this.#file === undefined ? 0 : bytesBehind(this.#directory, this.#name, this.#file);
  }

  close(): void {
    const file = this.giveUp();
    if (file !== undefined) closeSync(file.fd);
  }

  /** Its file, which it no longer reads. */
  giveUp(): LogFile | undefined {
    const file = this.#file;
    this.#file = undefined;
    return file;
  }

  #fill(file: LogFile): LogBlock | undefined {
    for (;;) {
      const start = file.position;
      const length = readAt(file, this.#buffer, start);
      if (length === 0) {
        if (!this.#isCut(file)) return undefined;
        continue;
      }
      const end = this.#buffer.subarray(0, length).lastIndexOf(0x0a) + 1;
      const first = this.#isInside ? this.#buffer.subarray(0, end).indexOf(0x0a) + 1 : 0;
      // A record that is being written, or torn; so many bytes without a line end are none: a disk that lost power may leave such.
      if (end === 0 && length < blockBytes) return undefined;
      file.position = end === 0 ? start + length : start + end;
      this.#isInside = end === 0;
      if (end === 0) this.#isNew = true;
      if (first < end) return this.#block(this.#buffer.subarray(first, end), start + first);
    }
  }

  #block(bytes: Buffer, start: number): LogBlock {
    const block = { bytes, start, isNew: this.#isNew, hasGap: this.#hasGap };
    this.#isNew = false;
    this.#hasGap = false;
    return block;
  }

  /** Where files cannot be renamed the supervisor empties the one it has: it is read from its beginning. */
  #isCut(file: LogFile): boolean {
    if (fstatSync(file.fd).size >= file.position) return false;
    this.#begin(file, true);
    return true;
  }

  #begin(file: LogFile, hasGap: boolean): void {
    file.position = 0;
    this.#file = file;
    this.#isNew = true;
    this.#isInside = false;
    this.#hasGap ||= hasGap;
  }

  #isNewest({ inode }: LogFile): boolean {
    const stat = lstatSync(join(this.#directory, this.#name), { throwIfNoEntry: false });
    return stat?.ino === inode;
  }

  #advance(file: LogFile): boolean {
    const next = neighbour(this.#directory, this.#name, file.inode, -1);
    const isGone = next === undefined && !inodesOf(this.#directory, this.#name).has(file.inode);
    const oldest = isGone ? LogReader.open(this.#directory, this.#name)?.giveUp() : undefined;
    const following = next ?? oldest;
    if (following === undefined) return false;
    closeSync(file.fd);
    this.#begin(following, isGone);
    return true;
  }
}
