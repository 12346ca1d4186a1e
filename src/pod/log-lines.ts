/** Lines out of the records of one app's log: parts that belong together are put together, within a bound. */
import type { LogRecord, LogStream } from "./log-records.ts";

export interface LogLine {
  /** Of its first part. */
  readonly time: string;
  readonly stream: LogStream;
  /** Without the line's end. */
  readonly bytes: Buffer;
  /** false: the line began in an earlier one of these. */
  readonly isStart: boolean;
  /** false: it goes on in a later one, or was never ended. */
  readonly isEnd: boolean;
}

/** Bytes of a line that are held while its end is not there. */
export const mostHeld = 64 * 1024;

interface Open {
  readonly parts: Buffer[];
  size: number;
  time: string | undefined;
  isStart: boolean;
}

/** The unfinished line of each stream of one app. */
export class LineJoiner {
  readonly #open: Readonly<Record<LogStream, Open>> = { stdout: emptyLine(), stderr: emptyLine() };

  /** The line that this record completes, or makes too long to be held. */
  add(record: LogRecord): LogLine | undefined {
    const open = this.#open[record.stream];
    if (record.isWhole && open.parts.length === 0) {
      const { isStart } = open;
      open.isStart = true;
      return { time: record.time, stream: record.stream, bytes: record.bytes, isStart, isEnd: true };
    }
    // Kept longer than the block that it is a part of.
    open.parts.push(Buffer.from(record.bytes));
    open.size += record.bytes.length;
    open.time ??= record.time;
    return record.isWhole || open.size >= mostHeld ? take(open, record.stream, record.isWhole) : undefined;
  }

  /** What is unfinished, in the order of time: nobody waits for its end any longer. */
  flush(): readonly LogLine[] {
    const lines = (["stdout", "stderr"] as const)
      .filter((stream) => this.#open[stream].parts.length > 0)
      .map((stream) => take(this.#open[stream], stream, false));
    return lines.sort((a, b) => (a.time < b.time ? -1 : 1));
  }

  get isHolding(): boolean {
    return this.#open.stdout.parts.length + this.#open.stderr.parts.length > 0;
  }
}

function emptyLine(): Open {
  return { parts: [], size: 0, time: undefined, isStart: true };
}

function take(open: Open, stream: LogStream, isEnd: boolean): LogLine {
  const bytes = Buffer.concat(open.parts.splice(0));
  const line = { time: open.time ?? "", stream, bytes, isStart: open.isStart, isEnd };
  open.size = 0;
  open.time = undefined;
  open.isStart = isEnd;
  return line;
}
