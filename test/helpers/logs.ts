/** What the log of an app holds, as the app wrote it: the lines of both streams in their order, of one file. */
import { readFileSync } from "node:fs";
import { LogParser } from "../../src/pod/log-records.ts";

export function loggedBytes(file: string): Buffer {
  const parts = new LogParser().parse(readFileSync(file, { flag: "a+" })).map((record) => {
    if ("lostBytes" in record) throw new Error(`${record.lostBytes} bytes are missing`);
    return record.isWhole ? Buffer.concat([record.bytes, Buffer.from("\n")]) : record.bytes;
  });
  return Buffer.concat(parts);
}

export function loggedText(file: string): string {
  return loggedBytes(file).toString("utf8");
}

/** The time of the `n`th record of a made log. */
export function recordTime(n: number): string {
  return `${new Date(Date.UTC(2026, 0, 31) + n * 1000).toISOString().slice(0, 19)}.000000001Z`;
}

/** A record with a head, as native/log.c writes it: `o` and `e` are whole lines, `O` and `E` parts. */
export function record(n: number, kind: "o" | "e" | "O" | "E" | "!", text: string): string {
  return `${recordTime(n)} ${kind} ${text}\n`;
}
