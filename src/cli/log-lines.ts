/** Lines of logs as they are printed: as the apps wrote them, with times and names in front, or as JSON. */
import { isUtf8 } from "node:buffer";
import type { PodLogLine } from "../api/merge-lines.ts";
import { printable } from "../base/failure.ts";
import { jsonText } from "./json.ts";

export interface LogPresentation {
  readonly format: "table" | "json";
  readonly timestamps: boolean;
  /** Whose lines there are; of several each line says whose it is. */
  readonly apps: readonly string[];
  /** Bytes of an app repaint a terminal, or type on it: there they are shown, not sent (CLI-72). */
  readonly isTerminal: boolean;
}

const lineEnd = Buffer.from("\n");

/** What to print for lines, in the order of the calls. */
export function logPrinter(presentation: LogPresentation): (lines: readonly PodLogLine[]) => Uint8Array {
  const { format, timestamps, apps, isTerminal } = presentation;
  if (format === "json") return (lines) => Buffer.from(lines.map((line) => `${jsonText(jsonLine(line))}\n`).join(""));
  const shown = isTerminal ? harmless : (bytes: Buffer) => bytes;
  if (!timestamps && apps.length < 2) return (lines) => Buffer.concat(lines.flatMap((line) => plain(line, shown)));
  const width = Math.max(...apps.map((app) => app.length));
  const prefixOf = ({ app, time }: PodLogLine): string =>
    `${apps.length < 2 ? "" : `${app.padEnd(width)} | `}${timestamps ? `${time} ` : ""}`;
  return labelled(prefixOf, shown);
}

function plain(line: PodLogLine, shown: (bytes: Buffer) => Buffer): readonly Buffer[] {
  return line.isEnd ? [shown(line.bytes), lineEnd] : [shown(line.bytes)];
}

/** A line that another one interrupts is ended, and goes on behind a prefix of its own. */
function labelled(
  prefixOf: (line: PodLogLine) => string,
  shown: (bytes: Buffer) => Buffer,
): (lines: readonly PodLogLine[]) => Uint8Array {
  let unfinished: string | undefined;
  return (lines) => {
    const parts: Buffer[] = [];
    for (const line of lines) {
      const key = `${line.app} ${line.stream}`;
      if (unfinished !== undefined && (unfinished !== key || line.isStart)) {
        parts.push(lineEnd);
        unfinished = undefined;
      }
      if (unfinished === undefined) parts.push(Buffer.from(prefixOf(line)));
      parts.push(...plain(line, shown));
      unfinished = line.isEnd ? undefined : key;
    }
    return Buffer.concat(parts);
  };
}

/** `base64` has the bytes where the text cannot: of what is no UTF-8. */
function jsonLine({ time, app, stream, bytes, isEnd }: PodLogLine): object {
  return {
    time,
    app,
    stream,
    line: bytes.toString("utf8"),
    ...(isUtf8(bytes) ? {} : { base64: bytes.toString("base64") }),
    ...(isEnd ? {} : { partial: true }),
  };
}

function harmless(bytes: Buffer): Buffer {
  // The end of a line as terminals and other systems have it.
  const text = bytes.toString("utf8").replace(/\r$/, "");
  return Buffer.from(text.split("\t").map(printable).join("\t"));
}
