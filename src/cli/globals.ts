/** The flags that every command takes, before and behind its name. Reads lines only; api/settings.ts gives them meaning. */
import type { GlobalOptions } from "../api/settings.ts";
import { Failure } from "../base/failure.ts";
import type { OptionSpec } from "./command.ts";
import {
  declareOptions,
  findOption,
  type GivenOptions,
  give,
  isOption,
  type OptionDeclaration,
  optionValues,
  takeOption,
  unknownOption,
} from "./options.ts";

export const globalSpecs: readonly OptionSpec[] = [
  ["--dir <directory>", "data directory, absolute (see perigee help environment)"],
  ["--system-config <directory>", "vendor's configuration", "/usr/lib/perigee"],
  ["--local-config <directory>", "administrator's configuration", "/etc/perigee"],
  ["--user-config <directory>", "user's configuration and keys (see perigee help environment)"],
  ["--insecure-options <list>", "checks to leave out, comma separated (see perigee help trust)", "none"],
  ["--trust-keys-from-https", "accept signing keys found by discovery over https without asking"],
  ["--ca-file <pem>*", "trust these TLS authorities too"],
  ["--connect-to <host:addr:port>*", "connect to ADDR:PORT for HOST; the TLS name stays HOST"],
  ["--format <table|json>", "how results are printed", "table"],
  ["--quiet", "neither progress nor remarks on standard error: only warnings and failures"],
  ["--debug", "say more on standard error, with the whole chain of causes"],
  ["-h, --help", "show help"],
];

export const globalDeclarations: readonly OptionDeclaration[] = declareOptions(globalSpecs);

export type Format = "table" | "json";

export interface Globals {
  readonly settings: GlobalOptions;
  readonly format: Format;
  readonly isQuiet: boolean;
  readonly isHelpWanted: boolean;
}

export interface SplitLine {
  readonly given: GivenOptions;
  readonly rest: readonly string[];
}

/** The global flags before the command's name, and the rest from the name on. @throws Failure USAGE */
export function takeLeading(argv: readonly string[]): SplitLine {
  const given = new Map<string, (string | undefined)[]>();
  let index = 0;
  while (index < argv.length) {
    const word = argv[index] ?? "";
    if (!isOption(word)) break;
    const declaration = findOption(globalDeclarations, word);
    if (declaration === undefined) throw unknownOption(word, globalDeclarations);
    const { value, words } = takeOption(declaration, argv, index);
    give(given, declaration.name, value);
    index += words;
  }
  return { given, rest: argv.slice(index) };
}

/**
 * Takes the global flags out of the line behind a command's name. The value of an option in `own` is left even if it looks like a flag,
 * and so is everything behind `--`; with `hasSegments` (pods) only up to the next `---`.
 * @throws Failure USAGE for a flag without its value
 */
export function takeScattered(
  line: readonly string[],
  own: readonly OptionDeclaration[],
  hasSegments: boolean,
): SplitLine {
  const given = new Map<string, (string | undefined)[]>();
  const rest: string[] = [];
  for (let index = 0; index < line.length; ) {
    const word = line[index] ?? "";
    const mine = isOption(word) ? findOption(own, word) : undefined;
    const global = isOption(word) && mine === undefined ? findOption(globalDeclarations, word) : undefined;
    let words = 1;
    if (global !== undefined) {
      const taken = takeOption(global, line, index);
      give(given, global.name, taken.value);
      index += taken.words;
      continue;
    }
    if (mine !== undefined) words = takeOption(mine, line, index).words;
    if (word === "--") words = (hasSegments ? endOfSegment(line, index) : line.length) - index;
    rest.push(...line.slice(index, index + words));
    index += words;
  }
  return { given, rest };
}

function endOfSegment(line: readonly string[], index: number): number {
  const end = line.indexOf("---", index);
  return end < 0 ? line.length : end + 1;
}

/** The flags of both sides of the command's name; the right one wins. */
export function mergeGiven(left: GivenOptions, right: GivenOptions): GivenOptions {
  const merged = new Map<string, (string | undefined)[]>();
  for (const side of [left, right]) {
    for (const [name, values] of side) for (const value of values) give(merged, name, value);
  }
  return merged;
}

/** @throws Failure USAGE for a format that does not exist */
export function readGlobals(given: GivenOptions): Globals {
  const values = optionValues(globalDeclarations, given);
  // What was not given must stay undefined: settings fill it in from configuration files.
  const text = (name: string) => (given.has(name) ? values.text(name) : undefined);
  const format = values.text("format");
  if (format !== "table" && format !== "json") {
    throw new Failure("USAGE", `there is no format ${format ?? ""}`, { hint: "--format table or --format json" });
  }
  return {
    settings: {
      dir: text("dir"),
      systemConfig: text("system-config"),
      localConfig: text("local-config"),
      userConfig: text("user-config"),
      insecureOptions: text("insecure-options"),
      trustKeysFromHttps: values.flag("trust-keys-from-https"),
      debug: values.flag("debug"),
      caFile: values.list("ca-file"),
      connectTo: values.list("connect-to"),
    },
    format,
    isQuiet: values.flag("quiet"),
    isHelpWanted: values.flag("help"),
  };
}

/** The format and `--debug` of a line that could not be read, so that its failure is printed as asked. */
export function guessPresentation(argv: readonly string[]): { readonly format: Format; readonly debug: boolean } {
  const end = argv.indexOf("--");
  const line = end < 0 ? argv : argv.slice(0, end);
  const isJson = line.some(
    (word, index) => word === "--format=json" || (word === "json" && line[index - 1] === "--format"),
  );
  return { format: isJson ? "json" : "table", debug: line.includes("--debug") };
}
