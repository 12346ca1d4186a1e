/** One app's log as lines that were asked for: of a stream, between two times, the last ones; read on from where it ended before. */
import { LineJoiner, type LogLine } from "./log-lines.ts";
import { LogReader } from "./log-reader.ts";
import { LogParser, type LogStream } from "./log-records.ts";
import { openTail } from "./log-tail.ts";

export interface LogWindow {
  /** RFC 3339 in UTC with nine digits, as in the log: lines of this time and later. */
  readonly since?: string | undefined;
  /** Lines before this time. */
  readonly until?: string | undefined;
  /** The last so many of those. */
  readonly tail?: number | undefined;
  /** Only of this stream. */
  readonly stream?: LogStream | undefined;
}

/** What was lost before the lines that come next. */
export interface LogLoss {
  /** Bytes of the app that there was no room for. */
  readonly bytes: number;
  /** Files were rotated away before they were read. */
  readonly hasGap: boolean;
}

export interface AppLogOptions extends LogWindow {
  /** The directory of the logs. */
  readonly directory: string;
  readonly app: string;
  readonly onLoss?: ((loss: LogLoss) => void) | undefined;
}

/** A log that is read; `close` gives its files back. */
export class AppLog {
  readonly #window: AppLogOptions;
  readonly #onLoss: AppLogOptions["onLoss"];
  readonly #reader: LogReader;
  readonly #joiner = new LineJoiner();
  #parser = new LogParser();
  /** Lines that end there or before in the first file were not asked for; undefined: it was left behind. */
  #after: number | undefined;
  #hasRead = false;
  /** How many bytes are read yet, at most; undefined: whatever comes. */
  #left: number | undefined;

  private constructor(options: AppLogOptions, reader: LogReader, after: number | undefined) {
    this.#window = options;
    this.#onLoss = options.onLoss;
    this.#reader = reader;
    this.#after = after;
  }

  /** Undefined when the app has no log. @throws Failure IO_FAILED */
  static open(options: AppLogOptions): AppLog | undefined {
    const { directory, app, tail, since } = options;
    // The last lines of a stream, or before a time, are not the last of the log: those are counted when all have been read.
    if (tail !== undefined && !isCounted(options)) {
      const found = openTail(directory, app, tail);
      return found && new AppLog(options, found.reader, found.after);
    }
    const reader = LogReader.open(directory, app, since === undefined ? 0 : Date.parse(since));
    return reader && new AppLog(options, reader, undefined);
  }

  /** The next lines, in the order in which they were completed; undefined when there are none yet. @throws Failure IO_FAILED */
  next(): readonly LogLine[] | undefined {
    if (this.#hasRead || !isCounted(this.#window)) return this.#read();
    this.#hasRead = true;
    const before = this.#left;
    this.end();
    const last: LogLine[] = [];
    for (let lines = this.#read(); lines !== undefined; lines = this.#read()) {
      last.push(...lines.map((line) => ({ ...line, bytes: Buffer.from(line.bytes) })));
      dropExcess(last, this.#window.tail ?? 0);
    }
    // What was asked for by its end is all that was there; who follows reads on.
    this.#left = before === undefined ? undefined : 0;
    return last.length === 0 ? undefined : last;
  }

  /** What is there by now is read, and nothing that comes later has to be: an app may write faster than anybody reads. */
  end(): void {
    this.#left = this.#reader.bytesAhead();
  }

  /** What is unfinished and will not be waited for. */
  flush(): readonly LogLine[] {
    return this.#wanted(this.#joiner.flush());
  }

  get isHolding(): boolean {
    return this.#joiner.isHolding;
  }

  close(): void {
    this.#reader.close();
  }

  #read(): readonly LogLine[] | undefined {
    const block = this.#left !== undefined && this.#left <= 0 ? undefined : this.#reader.read();
    if (block === undefined) return undefined;
    if (this.#left !== undefined) this.#left -= block.bytes.length;
    if (block.isNew && this.#hasBegun) {
      this.#after = undefined;
      this.#parser = new LogParser();
    }
    this.#hasBegun = true;
    if (block.hasGap) this.#onLoss?.({ bytes: 0, hasGap: true });
    const lines: LogLine[] = [];
    for (const record of this.#parser.parse(block.bytes)) {
      const isAsked = this.#after === undefined || block.start + record.end > this.#after;
      if ("lostBytes" in record) {
        if (isAsked) this.#onLoss?.({ bytes: record.lostBytes, hasGap: false });
        continue;
      }
      const line = this.#joiner.add(record);
      if (line !== undefined && isAsked) lines.push(line);
    }
    return this.#wanted(lines);
  }

  #hasBegun = false;

  #wanted(lines: readonly LogLine[]): readonly LogLine[] {
    const { since, until, stream } = this.#window;
    if (since === undefined && until === undefined && stream === undefined) return lines;
    return lines.filter(
      (line) =>
        (since === undefined || line.time >= since) &&
        (until === undefined || line.time < until) &&
        (stream === undefined || line.stream === stream),
    );
  }
}

function isCounted({ tail, until, stream }: LogWindow): boolean {
  return tail !== undefined && (until !== undefined || stream !== undefined);
}

/** A line that was given in parts is counted by its last. */
function dropExcess(lines: LogLine[], most: number): void {
  let missing = most;
  let first = lines.length;
  while (first > 0) {
    const line = lines[first - 1];
    if (line?.isEnd === true && missing-- === 0) break;
    first -= 1;
  }
  lines.splice(0, first);
}
