/** One command line of an acbuild script → which command, which flags, which arguments. Knows the grammar of the commands, not what they mean. */
import { printable } from "../base/failure.ts";
import { type CommandLine, type Place, scriptFailure, type Word } from "./acbuild-words.ts";

export interface Grammar {
  /** `--name VALUE` or `--name` alone; behind `=` both take one. */
  readonly flags?: Readonly<Record<string, "value" | "switch">>;
  /** As help would show them. */
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  /** Flags end at the first argument: the rest is another program's command line. */
  readonly isCommand?: true;
}

export interface Call {
  readonly name: string;
  readonly place: Place;
  readonly args: readonly Word[];
  /** Of a switch `true` or `false`. */
  flag(name: string): string | undefined;
  /** All values of a flag that was given more than once. */
  flags(name: string): readonly Word[];
}

/** What acbuild calls it, too. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["set-eh", "set-event-handler"],
  ["set-wd", "set-working-directory"],
  ["volume", "mount"],
  ["rm", "remove"],
]);

/** Flags before the command. */
const globals: Readonly<Record<string, "value" | "switch">> = {
  "--debug": "switch",
  "--no-history": "switch",
  "--work-path": "value",
  "--modify-appc": "value",
  "--modify-oci": "value",
};

/** @param grammars by the whole name, `label add` @throws Failure RECIPE_INVALID */
export function readCall(line: CommandLine, grammars: Readonly<Record<string, Grammar>>): Call {
  const words = withoutGlobals(line);
  const [first, ...rest] = words;
  if (first === undefined) throw scriptFailure(placeAfter(line), "ACB-3", "a command is missing");
  const names = Object.keys(grammars);
  const group = resolveName(first, [...new Set(names.map((name) => name.split(" ")[0] ?? ""))]);
  const below = names.filter((name) => name.split(" ")[0] === group).flatMap((name) => name.split(" ").slice(1));
  const [second, ...others] = rest;
  if (below.length === 0) return withFlags(group, first.place, rest, grammars[group]);
  if (second === undefined) throw scriptFailure(first.place, "ACB-3", `${group} is followed by ${below.join(" or ")}`);
  const name = `${group} ${resolveName(second, below)}`;
  return withFlags(name, first.place, others, grammars[name]);
}

/** Global flags, and the word `acbuild` itself where a shell script was taken over. */
function withoutGlobals(line: CommandLine): CommandLine {
  let words = line[0]?.text === "acbuild" ? line.slice(1) : line;
  for (let word = words[0]; word !== undefined && word.text[0] === "-"; word = words[0]) {
    const { name, value, taken } = takeFlag(words, 0, globals);
    if (name === "--modify-appc" || name === "--modify-oci") {
      throw scriptFailure(
        word.place,
        "ACB-4",
        `${name} changes an image that is there; a script makes one`,
        "begin with that image, or use perigee image patch-manifest",
      );
    }
    if (value === undefined) throw scriptFailure(word.place, "ACB-4", `${name} needs a value`);
    words = words.slice(taken);
  }
  return words;
}

/** A name, an alias, or the beginning of one name. */
function resolveName(word: Word, names: readonly string[]): string {
  const alias = aliases.get(word.text);
  const exact = names.find((name) => name === word.text || name === alias);
  if (exact !== undefined) return exact;
  const matches = word.text === "" ? [] : names.filter((name) => name.slice(0, word.text.length) === word.text);
  const [match, other] = matches;
  if (match !== undefined && other === undefined) return match;
  const shown = printable(word.text);
  const what = other === undefined ? `there is no command ${shown}` : `${shown} may be ${matches.join(" or ")}`;
  throw scriptFailure(word.place, "ACB-3", what, hintFor(word.text));
}

/** What begins lines of a script for a shell, of which acbuild's are some of the lines. */
const shellWords =
  /^(?:set|trap|if|then|else|elif|fi|for|while|until|do|done|case|esac|function|export|local|source|exit|echo|printf|cd|mkdir|rm|cp|curl|\.|\[\[?|[A-Za-z_]\w*(?:=.*|\(\)))$/s;

function hintFor(word: string): string {
  return shellWords.test(word)
    ? "scripts for a shell are not read: docs/acbuild.md says what to do with one"
    : "docs/acbuild.md lists the commands";
}

function withFlags(name: string, place: Place, words: readonly Word[], grammar: Grammar | undefined): Call {
  if (grammar === undefined) throw scriptFailure(place, "ACB-3", `there is no command ${printable(name)}`);
  const given = new Map<string, Word[]>();
  const args: Word[] = [];
  for (let at = 0; at < words.length; ) {
    const word = words[at];
    if (word === undefined) break;
    if (word.text === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    if (!/^-./.test(word.text)) {
      args.push(word);
      at += 1;
      if (!grammar.isCommand) continue;
      args.push(...words.slice(at));
      break;
    }
    const { name: flag, value, taken } = takeFlag(words, at, grammar.flags ?? {});
    if (value === undefined) throw scriptFailure(word.place, "ACB-4", `${flag} needs a value`);
    given.set(flag, [...(given.get(flag) ?? []), { text: value, place: word.place }]);
    at += taken;
  }
  if (args.length < grammar.least || args.length > grammar.most) {
    throw scriptFailure(place, "ACB-3", `it is ${name} ${grammar.usage}`.trimEnd());
  }
  const flags = (flag: string): readonly Word[] => given.get(flag) ?? [];
  return { name, place, args, flags, flag: (flag) => flags(flag).at(-1)?.text };
}

function takeFlag(words: readonly Word[], at: number, flags: Readonly<Record<string, "value" | "switch">>) {
  const word = words[at] as Word;
  const equals = word.text.indexOf("=");
  const name = equals < 0 ? word.text : word.text.slice(0, equals);
  const assigned = equals < 0 ? undefined : word.text.slice(equals + 1);
  const kind = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (kind === undefined) {
    throw scriptFailure(word.place, "ACB-4", `there is no flag ${printable(name)} here`);
  }
  if (kind === "value") {
    return { name, value: assigned ?? words[at + 1]?.text, taken: assigned === undefined ? 2 : 1 };
  }
  if (assigned !== undefined && assigned !== "true" && assigned !== "false") {
    throw scriptFailure(word.place, "ACB-4", `${name} is on or off: it takes no value but true or false`);
  }
  return { name, value: assigned ?? "true", taken: 1 };
}

function placeAfter(line: CommandLine): Place {
  return line.at(-1)?.place ?? { file: "", line: 1, column: 1 };
}
