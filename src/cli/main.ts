/** From argv to an exit status: find the command, read the line, load settings, run, print. The only place that ends the process. */
import { loadSettings, readEnvironment } from "../api/settings.ts";
import { Failure } from "../base/failure.ts";
import { closest } from "../base/suggest.ts";
import type { Command, CommandContext } from "./command.ts";
import { commands, commandsBelow, findCommand } from "./commands/index.ts";
import { type Globals, guessPresentation, mergeGiven, readGlobals, type SplitLine, takeLeading } from "./globals.ts";
import { createOutput, type Output, type Presentation } from "./output.ts";
import { parseLine } from "./parse.ts";

/** What one run of the program needs from outside. */
interface Invocation {
  readonly argv: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly interruption: Interruption;
}

interface Interruption {
  readonly controller: AbortController;
  /** The number of the signal that came, if one did. */
  readonly signalNumber: () => number | undefined;
}

/** The status of a program whose output has no reader, as if SIGPIPE had ended it. */
const readerGone = 141;

async function main(invocation: Invocation): Promise<number> {
  const { argv, interruption } = invocation;
  let output = outputFor(invocation, guessPresentation(argv));
  let kind: Command["kind"];
  try {
    const line = throughGroup(takeLeading(argv));
    const help = await helpFor(line);
    if (help !== undefined) {
      output.lines(help);
      return 0;
    }
    const { command, words } = await loadCommand(line.rest);
    kind = command.kind;
    const parsed = await parseLine(command, words);
    const globals = readGlobals(mergeGiven(line.given, parsed.globals));
    const { format, isQuiet } = globals;
    output = outputFor(invocation, { format, isQuiet, debug: globals.settings.debug === true });
    if (globals.isHelpWanted) {
      output.lines((await import("./help.ts")).commandHelp(command));
      return 0;
    }
    return await runCommand(command, { ...parsed, globals, output, signal: interruption.controller.signal });
  } catch (error) {
    return output.isReaderGone() ? readerGone : await report(error, output, kind, interruption);
  }
}

function outputFor({ environment, interruption }: Invocation, presentation: Presentation): Output {
  return createOutput({
    ...presentation,
    environment,
    onReaderGone: () => interruption.controller.abort(interrupted()),
  });
}

/** `perigee image --debug validate`: global flags stand behind a group word, too, as scripts for actool have them (CLI-1). */
function throughGroup(line: SplitLine): SplitLine {
  const [first = "", ...others] = line.rest;
  if (commandsBelow(first).length === 0 || findCommand(line.rest) !== undefined) return line;
  const { given, rest } = takeLeading(others);
  return { given: mergeGiven(line.given, given), rest: [first, ...rest] };
}

/** Help that needs no command to be loaded: none at all, `--help`, `help …`, a group word alone. */
async function helpFor({ given, rest }: SplitLine): Promise<readonly string[] | undefined> {
  const [first, ...others] = rest;
  const isAsked = given.has("help");
  if (first === undefined) {
    const help = await import("./help.ts");
    return isAsked ? help.overview() : help.frontPage;
  }
  if (first === "help") return await helpAbout(others);
  const isGroup = commandsBelow(first).length > 0 && findCommand(rest) === undefined;
  if (isGroup && others[0] === "help") {
    const below = [first, ...others.slice(1)];
    return await helpAbout(others.length === 1 || findCommand(below) !== undefined ? below : others.slice(1));
  }
  if (isGroup && (isAsked || others.includes("--help") || others.includes("-h"))) {
    return (await import("./help.ts")).groupHelp(first);
  }
  return isAsked ? await helpAbout(rest) : undefined;
}

async function helpAbout(words: readonly string[]): Promise<readonly string[]> {
  const help = await import("./help.ts");
  const { topic } = await import("./topics.ts");
  const [first] = words;
  if (first === undefined || first === "help") return help.overview();
  const text = topic(first);
  if (text !== undefined) return text;
  if (words.length === 1 && commandsBelow(first).length > 0) return help.groupHelp(first);
  return help.commandHelp((await loadCommand(words)).command);
}

async function loadCommand(line: readonly string[]): Promise<{ command: Command; words: readonly string[] }> {
  const found = findCommand(line);
  if (found === undefined) throw unknownCommand(line);
  const { default: command } = await found.entry.load();
  return { command, words: line.slice(found.words) };
}

/** What other tools call it. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["images", "image list"],
  ["rmi", "image rm"],
  ["pull", "fetch"],
  ["ps", "list"],
  ["inspect", "status"],
  ["kill", "stop --force"],
  ["exec", "enter"],
  ["start", "run-prepared"],
  ["create", "prepare"],
  ["untrust", "trust rm"],
]);

function unknownCommand(line: readonly string[]): Failure {
  const [first = "", second] = line;
  const below = commandsBelow(first);
  const name = below.length > 0 && second !== undefined ? `${first} ${second}` : first;
  if (below.length > 0 && second === undefined) {
    return new Failure("USAGE", `${first} needs one of its commands`, {
      hint: below.map((one) => `perigee ${one}`).join("\n"),
    });
  }
  // Names are not abbreviated: a new command would change what an old script does.
  const firstWords = new Set([...commands.keys(), "help"].map((one) => one.split(" ")[0] ?? ""));
  const near = elsewhere.get(name) ?? closest(name, below.length > 0 ? below : [...firstWords]);
  return new Failure("USAGE", `there is no command ${name}`, {
    subject: name,
    hint: near === undefined ? "perigee --help lists the commands" : `perigee ${near}`,
  });
}

interface Prepared {
  readonly args: readonly string[];
  readonly options: CommandContext["options"];
  readonly globals: Globals;
  readonly output: Output;
  readonly signal: AbortSignal;
}

async function runCommand(command: Command, prepared: Prepared): Promise<number> {
  const { args, options, globals, output, signal } = prepared;
  const { format } = globals;
  const settings = await loadSettings({ ...globals.settings, log: output.log });
  const context: CommandContext = {
    args,
    options,
    settings,
    signal,
    format,
    emit: (text, value) => (format === "json" ? output.json(value, "line") : output.lines([text])),
    write: (bytes) => output.bytes(bytes, signal),
    isTerminal: output.isTerminal,
    screen: output.screen,
    ask: async (question, { secret = false } = {}) => {
      const { ask } = await import("./ask.ts");
      return await ask({ question, secret, signal });
    },
  };
  const result = await command.run(context);
  if (format === "json") {
    const value = command.json === undefined ? result : command.json(result);
    if (value !== undefined) output.json(value, "pretty");
  } else {
    output.lines(command.text(result, context));
  }
  return output.isReaderGone() ? readerGone : (command.status?.(result) ?? 0);
}

/** Prints what was thrown and says with which status to end; whatever work throws once it was interrupted is the interruption's doing. */
async function report(
  thrown: unknown,
  output: Output,
  kind: Command["kind"],
  { signalNumber }: Interruption,
): Promise<number> {
  const { failureLines, failureObject, statusOf, toFailure, withHint } = await import("./failures.ts");
  const number = signalNumber();
  const cause = withHint(toFailure(thrown));
  const failure = number === undefined || cause.code === "INTERRUPTED" ? cause : interrupted(cause);
  output.failure(`error[${failure.code}]`, failureLines(failure, output.debug), failureObject(failure, output.debug));
  return failure.code === "INTERRUPTED" && number !== undefined ? 128 + number : statusOf(failure, kind);
}

function interrupted(cause?: Failure): Failure {
  return new Failure("INTERRUPTED", "interrupted", { cause });
}

/** The first signal lets the command clean up, the second has its default effect. */
function listenForSignals(): Interruption {
  const controller = new AbortController();
  let received: number | undefined;
  for (const [name, number] of [
    ["SIGHUP", 1],
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ] as const) {
    process.once(name, () => {
      received = number;
      controller.abort(interrupted());
    });
  }
  return { controller, signalNumber: () => received };
}

// What we make we must be able to use: a mask may take rights from others, never from ourselves.
process.umask(process.umask(0o077) & 0o077);
// Should there ever be nothing left to wait for before main has ended, that must not look like success.
process.exitCode = 1;
const words = process.argv.slice(2);
void main({
  argv: words[0] === "--version" ? ["version", ...words.slice(1)] : words,
  environment: readEnvironment(),
  interruption: listenForSignals(),
}).then((status) => process.exit(status));
