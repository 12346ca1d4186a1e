/**
 * The only writer to standard output and standard error. Results on the one, everything else on the other.
 * Writes by descriptor: process.stdout and process.stderr would set O_NONBLOCK on pipes that a pod inherits after execve.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { errnoOf, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { jsonText, prettyJson } from "./json.ts";
import { createProgress, type ProgressMode, quietPeriod } from "./progress.ts";

export interface Presentation {
  readonly format: "table" | "json";
  readonly debug: boolean;
  /** Neither progress nor remarks: warnings and failures only. */
  readonly isQuiet?: boolean | undefined;
}

export interface OutputOptions extends Presentation {
  /** NO_COLOR and TERM are read from it. */
  readonly environment: ReadonlyMap<string, string>;
  /** Standard output has no reader any more: what is under way should end. */
  readonly onReaderGone: () => void;
}

export interface Output {
  readonly debug: boolean;
  readonly log: Log;
  /** The result for people. */
  lines(lines: readonly string[]): void;
  /** Foreign bytes as they are, for as long as `signal` lets them wait: the caller has seen that it is no terminal, or made them harmless. */
  bytes(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  readonly isTerminal: boolean;
  /** As lines, in place of all that a terminal shows. */
  screen(lines: readonly string[]): void;
  /** The result, or one of many, as one JSON document on lines of its own. */
  json(value: unknown, layout: "pretty" | "line"): void;
  /** A failure in both forms (cli/failures.ts); the label is what the first line begins with. */
  failure(label: string, lines: readonly string[], object: unknown): void;
  /** Whether standard output has lost its reader (`perigee list | head -1`). */
  isReaderGone(): boolean;
}

const standardOutput = 1;
const standardError = 2;

/** To the upper left, and nothing behind that. */
const clearScreen = "\u001b[H\u001b[J";

export function createOutput(options: OutputOptions): Output {
  const { format, debug, isQuiet = false, environment, onReaderGone } = options;
  let isReaderGone = false;
  const write = (text: string): void => {
    if (isReaderGone || text === "") return;
    if (writeFully(standardOutput, text)) return;
    isReaderGone = true;
    onReaderGone();
  };
  let send: PatientWrite | undefined;
  const errors = createErrorStream(format === "table" && !isQuiet, environment);
  const isToTerminal = isTerminal(standardOutput);
  const filterLine = isToTerminal ? harmless : (line: string) => line;
  const say = (level: "debug" | "info" | "warn", message: string): void => {
    if (format === "json") errors.write(`${jsonText({ log: { level, message } })}\n`);
    else errors.write(`${level === "warn" ? `${errors.coloured("warning", "33")}: ` : ""}${printable(message)}\n`);
  };

  return {
    debug,
    log: {
      debug: (message) => {
        if (debug) say("debug", message);
      },
      info: (message) => {
        if (!isQuiet) say("info", message);
      },
      warn: (message) => say("warn", message),
      progress: (progress) => errors.progress(progress),
    },
    lines: (lines) => {
      errors.write("");
      if (lines.length > 0) write(`${lines.map(filterLine).join("\n")}\n`);
    },
    bytes: async (bytes, signal) => {
      send ??= openPatiently(standardOutput);
      if (isReaderGone || (await send(bytes, signal))) return;
      isReaderGone = true;
      onReaderGone();
    },
    isTerminal: isToTerminal,
    screen: (lines) => {
      errors.write("");
      const isCleared = isToTerminal && environment.get("TERM") !== "dumb";
      write(`${isCleared ? clearScreen : ""}${lines.map((line) => `${filterLine(line)}\n`).join("")}`);
    },
    json: (value, layout) => {
      errors.write("");
      if (layout === "line") write(`${jsonText(value)}\n`);
      else writePieces(prettyJson(value), write, () => isReaderGone);
    },
    failure: (label, lines, object) => {
      const [first = "", ...others] = lines;
      const coloured = `${errors.coloured(label, "31")}${first.slice(label.length)}`;
      errors.write(
        format === "json" ? `${jsonText(object)}\n` : [coloured, ...others].map((line) => `${line}\n`).join(""),
      );
    },
    isReaderGone: () => isReaderGone,
  };
}

/** Characters written at once. */
const blockLength = 64 * 1024;

/** What nobody reads is not made into text either. */
function writePieces(pieces: Iterable<string>, write: (text: string) => void, isOver: () => boolean): void {
  let block = "";
  for (const piece of pieces) {
    if (isOver()) return;
    block += piece;
    if (block.length < blockLength) continue;
    write(block);
    block = "";
  }
  write(`${block}\n`);
}

interface ErrorStream {
  /** Writes, with overwritten progress lines taken away first. */
  write(text: string): void;
  coloured(text: string, colour: string): string;
  readonly progress: Log["progress"];
}

function createErrorStream(hasProgress: boolean, environment: ReadonlyMap<string, string>): ErrorStream {
  // Asked once and late: most commands write nothing here, and asking costs.
  let known: { readonly isTerminal: boolean; readonly isDumb: boolean } | undefined;
  const ask = () => {
    known ??= { isTerminal: isTerminal(standardError), isDumb: environment.get("TERM") === "dumb" };
    return known;
  };
  const mode = (): ProgressMode => {
    const { isTerminal, isDumb } = ask();
    return !hasProgress ? "none" : isTerminal && !isDumb ? "overwrite" : "lines";
  };
  let view: ReturnType<typeof createProgress> | undefined;
  let isTicking = false;
  const tick = (): void => {
    isTicking = view?.isActive() === true;
    if (view === undefined || !isTicking) return;
    tell(view.tick(Date.now()));
    setTimeout(tick, quietPeriod).unref();
  };
  return {
    write: (text) => {
      tell(`${view?.clear() ?? ""}${text}`);
    },
    coloured: (text, colour) => {
      const { isTerminal, isDumb } = ask();
      const isPlain = !isTerminal || isDumb || (environment.get("NO_COLOR") ?? "") !== "";
      return isPlain ? text : `\u001b[${colour}m${text}\u001b[0m`;
    },
    progress: (progress) => {
      view ??= createProgress(mode());
      tell(view.update(progress, Date.now()));
      if (isTicking) return;
      isTicking = true;
      setTimeout(tick, quietPeriod).unref();
    },
  };
}

/** To standard error, as far as it goes: when it cannot be written there is nobody left to tell. */
function tell(text: string): void {
  if (text === "") return;
  try {
    writeFully(standardError, text);
  } catch {
    // Nothing: see above.
  }
}

/**
 * Whether descriptor `fd` is a terminal. Only a character device is asked further, because node:tty loads the network stack
 * (4 ms of the 5 that a short command may take).
 */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    // 1:3 is /dev/null, the usual other device.
    return stat.isCharacterDevice() && stat.rdev !== 0x103 && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    return false;
  }
}

/**
 * All of `text`, waiting while a pipe that somebody made non-blocking is full; false when there is no reader.
 * @throws the system error: a result that did not arrive must not look like success
 */
export function writeFully(fd: number, text: string): boolean {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EPIPE") return false;
      if (errno !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
  return true;
}

/** As writeFully, and signals are heard while a reader does not read; `signal` ends the wait. */
type PatientWrite = (bytes: Uint8Array, signal: AbortSignal) => Promise<boolean>;

/**
 * Of the caller's pipe or terminal under a descriptor that never waits: O_NONBLOCK on its own would be that of everybody who shares it. A
 * socket has no other descriptor; there node:net does as it always does.
 */
function openPatiently(fd: number): PatientWrite {
  let patient = fd;
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) return socketWrite(fd);
    if (stat.isFIFO() || isTerminal(fd)) {
      patient = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    }
  } catch {
    // The reader is gone, or it is another user's: the write itself will tell.
  }
  return async (bytes, signal) => await writePatiently(patient, bytes, signal);
}

async function writePatiently(fd: number, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
  let left = bytes;
  for (let waited = 1; left.length > 0 && !signal.aborted; ) {
    try {
      left = left.subarray(writeSync(fd, left));
      waited = 1;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EPIPE") return false;
      if (errno !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, waited));
      waited = Math.min(waited * 2, 50);
    }
  }
  return true;
}

function socketWrite(fd: number): PatientWrite {
  const socket = new (process.getBuiltinModule("node:net").Socket)({ fd, readable: false, writable: true });
  // Each write hears of it.
  socket.on("error", () => {});
  return (bytes, signal) =>
    new Promise((resolve, reject) => {
      const end = (): void => resolve(true);
      if (signal.aborted) return end();
      signal.addEventListener("abort", end, { once: true });
      socket.write(bytes, (error) => {
        signal.removeEventListener("abort", end);
        const errno = errnoOf(error);
        if (errno === undefined) resolve(true);
        else if (errno === "EPIPE" || errno === "ECONNRESET" || errno === "ERR_STREAM_DESTROYED") resolve(false);
        else reject(error ?? new Error(errno));
      });
    });
}

/** Last defence for a terminal: commands escape foreign text themselves. Tabs and line ends are layout. */
function harmless(text: string): string {
  return text
    .split("\n")
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");
}
