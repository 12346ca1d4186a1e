/** The last lines of a log, found from its end: a log is never read as a whole for them. */
import { closeSync, fstatSync } from "node:fs";
import { blockBytes, type LogFile, neighbour, openNumber, readAt } from "./log-files.ts";
import { LogReader } from "./log-reader.ts";
import { headBytes, lineEnds } from "./log-records.ts";

/** Where the last lines begin: lines that end at or before `after` in the reader's first file are none of them. */
export interface LogTail {
  readonly reader: LogReader;
  readonly after: number;
}

/** At the last `count` lines of the log; a line that was never ended counts as none. Undefined when there is no log. @throws Failure IO_FAILED */
export function openTail(directory: string, name: string, count: number): LogTail | undefined {
  let file = openNumber(directory, name, 0) ?? LogReader.open(directory, name)?.giveUp();
  if (file === undefined) return undefined;
  const at = (position: number, after: number, here: LogFile): LogTail => ({
    reader: LogReader.continue(directory, name, { ...here, position }),
    after,
  });
  for (let missing = count; ; ) {
    const found = findLines(file, missing);
    if (typeof found === "object") return at(found.start, found.after, file);
    missing -= found;
    const older = neighbour(directory, name, file.inode, 1);
    if (older === undefined) return at(0, 0, file);
    closeSync(file.fd);
    file = older;
  }
}

/**
 * Where to begin reading for the last `count` lines of this file, or how many it has when those are no more. Read backwards, block by
 * block. A line of one stream may begin before the end of a line of the other, so that reading begins earlier than `after`.
 */
function findLines(file: LogFile, count: number): { readonly start: number; readonly after: number } | number {
  const buffer = Buffer.allocUnsafe(blockBytes);
  let missing = count + 1;
  for (let end = fstatSync(file.fd).size; end > 0; ) {
    const start = Math.max(0, end - blockBytes);
    const block = buffer.subarray(0, readAt(file, buffer.subarray(0, end - start), start));
    // The first record of a block is whole only at the beginning of the file; it is read with the block before.
    const first = start === 0 ? 0 : block.indexOf(0x0a) + 1;
    const ends = lineEnds(block.subarray(first));
    const last = ends.at(-missing);
    if (last !== undefined) return { start: beginBefore(file, start + first + last), after: start + first + last };
    missing -= ends.length;
    end = start + first;
    // No line end in all of it: none of our records.
    if (start > 0 && (first === 0 || first === block.length)) end = start;
  }
  return count + 1 - missing;
}

/** The beginning of a record with a head, about two blocks before `position` if there are as many bytes. */
function beginBefore(file: LogFile, position: number): number {
  const from = Math.max(0, position - 2 * blockBytes);
  if (from === 0) return 0;
  const buffer = Buffer.allocUnsafe(blockBytes);
  const block = buffer.subarray(0, readAt(file, buffer, from));
  for (let at = block.indexOf(0x0a) + 1; at > 0; at = block.indexOf(0x0a, at) + 1) {
    if (/^\d{4}-\d\d-\d\dT/.test(block.toString("latin1", at, at + headBytes))) return from + at;
  }
  return position;
}
