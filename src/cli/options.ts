/** Option tables as data: what a declaration means, how one option is read from a line, what was given. Knows no command. */
import { Failure } from "../base/failure.ts";
import { closest } from "../base/suggest.ts";
import type { OptionSpec, OptionValues } from "./command.ts";

export interface OptionDeclaration {
  /** Long name without dashes; `legend` for `--no-legend`. */
  readonly name: string;
  /** As typed: `--no-legend`. */
  readonly long: string;
  readonly short: string | undefined;
  readonly value: "none" | "required" | "optional";
  /** Without brackets: `duration`. */
  readonly valueName: string;
  readonly isRepeatable: boolean;
  readonly isNegated: boolean;
  readonly description: string;
  readonly fallback: string | undefined;
}

/** name → the values given, in order; a flag's are `true` and `false`, an option without its optional value has `undefined`. */
export type GivenOptions = ReadonlyMap<string, readonly (string | undefined)[]>;

const grammar = /^(?:(-[A-Za-z]), )?(--([a-z][a-z0-9-]*))(?: (?:<([^>.]+)>(\*)?|\[([^\].]+)\]))?$/;

/** @throws Failure INTERNAL when the declaration is not of the agreed form */
export function declareOption(spec: OptionSpec): OptionDeclaration {
  const [flags, description, fallback] = spec;
  const match = grammar.exec(flags);
  const long = match?.[2];
  const bare = match?.[3];
  if (match === null || long === undefined || bare === undefined) {
    throw new Failure("INTERNAL", `the option ${flags} is not declared as it should be`);
  }
  const isNegated = bare.slice(0, 3) === "no-";
  return {
    name: isNegated ? bare.slice(3) : bare,
    long,
    short: match[1],
    value: match[4] !== undefined ? "required" : match[6] !== undefined ? "optional" : "none",
    valueName: match[4] ?? match[6] ?? "",
    isRepeatable: match[5] !== undefined,
    isNegated,
    description,
    fallback,
  };
}

export function declareOptions(specs: readonly OptionSpec[]): readonly OptionDeclaration[] {
  return specs.map(declareOption);
}

/** The declared form of what was given; nothing given means the defaults. */
export function optionValues(declarations: readonly OptionDeclaration[], given: GivenOptions): OptionValues {
  const find = (name: string): OptionDeclaration => {
    const declaration = declarations.find((candidate) => candidate.name === name);
    if (declaration === undefined) throw new Failure("INTERNAL", `the option ${name} is not declared`);
    return declaration;
  };
  return {
    flag: (name) => {
      const { isNegated, fallback } = find(name);
      const values = given.get(name);
      if (values !== undefined && values.length > 0) return values.at(-1) !== "false";
      return isNegated || (fallback !== undefined && fallback !== "false");
    },
    text: (name) => {
      const { fallback } = find(name);
      const values = given.get(name);
      return values === undefined || values.length === 0 ? fallback : values.at(-1);
    },
    list: (name) => {
      const { fallback } = find(name);
      const values = (given.get(name) ?? []).filter((value) => value !== undefined);
      return values.length === 0 && fallback !== undefined ? [fallback] : values;
    },
  };
}

/** Appends a value; the map is the collector of one parse. */
export function give(given: Map<string, (string | undefined)[]>, name: string, value: string | undefined): void {
  const values = given.get(name);
  if (values === undefined) given.set(name, [value]);
  else values.push(value);
}

export interface TakenOption {
  readonly declaration: OptionDeclaration;
  readonly value: string | undefined;
  /** Words of the line that it took: 1 or 2. */
  readonly words: number;
}

/** Whether a word of a line is an option; `-` and negative numbers are none. */
export function isOption(word: string): boolean {
  return /^-(?:-[^-]|[A-Za-z])/.test(word);
}

/** The declaration that `word` (`--name`, `--name=value`, `-n`) names. */
export function findOption(declarations: readonly OptionDeclaration[], word: string): OptionDeclaration | undefined {
  const [flag] = splitAssignment(word);
  return declarations.find((declaration) => declaration.long === flag || declaration.short === flag);
}

/**
 * Reads the option at `line[index]`. A flag may be given as `--flag=true` or `--flag=false`; an optional value only as `--x=value`.
 * @throws Failure USAGE when the value is missing or a flag has another one
 */
export function takeOption(declaration: OptionDeclaration, line: readonly string[], index: number): TakenOption {
  const [flag, assigned] = splitAssignment(line[index] ?? "");
  if (declaration.value === "optional") return { declaration, value: assigned, words: 1 };
  if (declaration.value === "none") {
    return { declaration, value: flagValue(declaration, flag, assigned), words: 1 };
  }
  if (assigned !== undefined) return { declaration, value: assigned, words: 1 };
  const value = line[index + 1];
  if (value === undefined) throw missingValue(declaration);
  return { declaration, value, words: 2 };
}

/** The refusal of an option that no table has, with the nearest one that does. */
export function unknownOption(word: string, declarations: readonly OptionDeclaration[]): Failure {
  const [flag] = splitAssignment(word);
  const near = closest(
    flag,
    declarations.map((declaration) => declaration.long),
  );
  return new Failure("USAGE", `there is no option ${flag} here`, {
    subject: flag,
    hint: near === undefined ? undefined : `${near} (did you mean that?)`,
  });
}

export function missingValue(declaration: OptionDeclaration): Failure {
  return new Failure("USAGE", `${declaration.long} needs a value`, {
    subject: declaration.long,
    hint: `${declaration.long}=${declaration.valueName.toUpperCase()}`,
  });
}

function flagValue(declaration: OptionDeclaration, flag: string, assigned: string | undefined): string {
  const isOn = assigned === undefined || assigned === "true";
  if (!isOn && assigned !== "false") {
    throw new Failure("USAGE", `${flag} is on or off: it takes no value but true or false`, { subject: flag });
  }
  return String(isOn !== declaration.isNegated);
}

function splitAssignment(word: string): readonly [string, string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
