/** Declarations become a commander command, a line becomes values. The only importer of commander, and only when a line needs it. */
import type { Command as CommanderCommand } from "commander";
import { errnoOf, Failure } from "../base/failure.ts";
import type { Command, OptionValues } from "./command.ts";
import { globalDeclarations, takeScattered } from "./globals.ts";
import {
  declareOptions,
  findOption,
  type GivenOptions,
  give,
  isOption,
  missingValue,
  type OptionDeclaration,
  optionValues,
  takeOption,
  unknownOption,
} from "./options.ts";

export interface ParsedLine {
  readonly args: readonly string[];
  readonly options: OptionValues;
  /** Global flags that stood behind the command's name. */
  readonly globals: GivenOptions;
}

/**
 * Reads the words behind a command's name.
 * @throws Failure USAGE: unknown flags, missing values, too few or too many arguments
 */
export async function parseLine(command: Command, words: readonly string[]): Promise<ParsedLine> {
  const own = declareOptions(command.options ?? []);
  const isOwnParser = command.passThrough === true;
  const app = declareOptions(command.appOptions ?? []);
  if (command.endsWithCommand === true) return parseUpToCommand(words, own);
  const { given: globals, rest } = takeScattered(words, [...own, ...app], isOwnParser);
  const given = new Map<string, (string | undefined)[]>();
  // Nothing to parse: commander would cost a fifth of what starting Node does.
  const isBare = rest.length === 0 && !(command.arguments ?? "").includes("<");
  const isReady = isOwnParser || isBare || globals.has("help");
  const args = isReady ? rest : await parseWithCommander(command, rest, own, given);
  return { args, options: optionValues(own, given), globals };
}

/** Flags up to the first argument, which is the pod; all that stands behind it is kept as it is, but for a `--` right before or behind it. */
function parseUpToCommand(words: readonly string[], own: readonly OptionDeclaration[]): ParsedLine {
  const globals = new Map<string, (string | undefined)[]>();
  const given = new Map<string, (string | undefined)[]>();
  let index = 0;
  while (isOption(words[index] ?? "")) {
    const word = words[index] ?? "";
    const mine = findOption(own, word);
    const declaration = mine ?? findOption(globalDeclarations, word);
    if (declaration === undefined) throw unknownOption(word, [...own, ...globalDeclarations]);
    const taken = takeOption(declaration, words, index);
    give(mine === undefined ? globals : given, declaration.name, taken.value);
    index += taken.words;
  }
  if (words[index] === "--") index += 1;
  const [first, ...others] = words.slice(index);
  const args = first === undefined ? [] : [first, ...(others[0] === "--" ? others.slice(1) : others)];
  return { args, options: optionValues(own, given), globals };
}

async function parseWithCommander(
  command: Command,
  words: readonly string[],
  declarations: readonly OptionDeclaration[],
  given: Map<string, (string | undefined)[]>,
): Promise<readonly string[]> {
  const { Command: Parser, Option } = await import("commander");
  const parser: CommanderCommand = new Parser(command.name)
    .helpOption(false)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .action(() => {});
  if (command.arguments !== undefined) parser.arguments(command.arguments);
  for (const declaration of declarations) {
    const { long, short, value, valueName } = declaration;
    const shape = value === "none" ? "" : value === "required" ? ` <${valueName}>` : ` [${valueName}]`;
    parser.addOption(new Option(`${short === undefined ? "" : `${short}, `}${long}${shape}`));
    parser.on(`option:${long.slice(2)}`, (text: string | null) =>
      give(given, declaration.name, givenValue(declaration, text)),
    );
  }
  try {
    parser.parse(normalise(words, declarations, given), { from: "user" });
  } catch (error) {
    throw usageFailure(error, command, declarations);
  }
  return parser.args;
}

function givenValue({ value, isNegated }: OptionDeclaration, text: string | null): string | undefined {
  if (value === "none") return String(!isNegated);
  return value === "optional" && text === "" ? undefined : (text ?? undefined);
}

/**
 * What rkt's flags allow and commander does not: `--flag=false`, and an optional value that never is the next word
 * (`status --wait UUID` must not wait for the duration UUID).
 */
function normalise(
  words: readonly string[],
  declarations: readonly OptionDeclaration[],
  given: Map<string, (string | undefined)[]>,
): readonly string[] {
  const normal: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "--") return [...normal, ...words.slice(index)];
    const declaration = isOption(word) ? findOption(declarations, word) : undefined;
    if (declaration === undefined) {
      normal.push(word);
    } else if (declaration.value === "optional") {
      normal.push(word.includes("=") ? word : `${word}=`);
    } else if (declaration.value === "none" && word.includes("=")) {
      give(given, declaration.name, takeOption(declaration, words, index).value);
    } else {
      const { words: taken } = takeOption(declaration, words, index);
      normal.push(...words.slice(index, index + taken));
      index += taken - 1;
    }
  }
  return normal;
}

/** commander's refusals in our words; anything else is handed on. */
function usageFailure(error: unknown, command: Command, declarations: readonly OptionDeclaration[]): unknown {
  if (!(error instanceof Error) || error instanceof Failure) return error;
  const code = errnoOf(error);
  const subject = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  const usage = `perigee ${command.name}${command.arguments === undefined ? "" : ` ${command.arguments}`}`;
  if (code === "commander.unknownOption") return unknownOption(subject, declarations);
  if (code === "commander.optionMissingArgument") {
    const declaration = declarations.find(({ long }) => subject.split(/[ ,]+/).includes(long));
    return declaration === undefined ? error : missingValue(declaration);
  }
  if (code === "commander.missingArgument") {
    return new Failure("USAGE", `${command.name} needs ${subject.toUpperCase()}`, { subject, hint: usage });
  }
  if (code === "commander.excessArguments") {
    return new Failure("USAGE", `${command.name} does not take so many arguments`, { hint: usage });
  }
  return error;
}
