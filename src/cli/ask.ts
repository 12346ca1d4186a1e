/**
 * Questions on the terminal of the caller, which is opened by name: descriptors 0–2 belong to pipes and to apps.
 * Where there is no terminal there is no answer, and the command says which flag to use instead.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { isTerminal } from "./output.ts";

export interface Question {
  readonly question: string;
  /** The answer is not shown while it is typed. */
  readonly secret: boolean;
  readonly signal: AbortSignal;
}

/** One line without its end, or undefined when standard input or standard error is no terminal. @throws Failure INTERRUPTED */
export async function ask(options: Question): Promise<string | undefined> {
  if (!isTerminal(0) || !isTerminal(2)) return undefined;
  const { ReadStream } = await import("node:tty");
  const fd = openSync("/dev/tty", "r+");
  let terminal: InstanceType<typeof ReadStream> | undefined;
  try {
    terminal = new ReadStream(fd);
    // Raw for secrets, because only then does the terminal not echo them.
    terminal.setRawMode(options.secret);
    writeSync(fd, options.question);
    return await readLine(terminal, options.signal);
  } finally {
    terminal?.setRawMode(false);
    if (options.secret) writeSync(fd, "\n");
    if (terminal === undefined) closeSync(fd);
    else terminal.destroy();
  }
}

/** The characters of raw mode that cooked mode would have acted on. */
const keys = { interrupt: "\u0003", endOfFile: "\u0004", backspace: "\u0008", erase: "\u007f", kill: "\u0015" };

/** What a line typed so far becomes by one more character; `end` when it is complete. Exported for its test. */
export function typed(line: string, character: string): { readonly line: string; readonly end?: "line" | "interrupt" } {
  if (character === "\r" || character === "\n" || character === keys.endOfFile) return { line, end: "line" };
  if (character === keys.interrupt) return { line, end: "interrupt" };
  if (character === keys.kill) return { line: "" };
  if (character === keys.backspace || character === keys.erase) return { line: [...line].slice(0, -1).join("") };
  return { line: line + character };
}

function readLine(terminal: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const interrupted = () => reject(new Failure("INTERRUPTED", "interrupted"));
    let line = "";
    terminal.setEncoding("utf8");
    terminal.on("data", (text: string) => {
      for (const character of text) {
        const next = typed(line, character);
        line = next.line;
        if (next.end === "interrupt") return interrupted();
        if (next.end === "line") return resolve(line);
      }
    });
    terminal.on("end", () => resolve(line));
    terminal.on("error", reject);
    if (signal.aborted) interrupted();
    else signal.addEventListener("abort", interrupted, { once: true });
  });
}
