/** The lines of an acbuild script as words that know where they stand. Quoting as in acbuild: no variables, no substitution, no globs. */
import { Failure, printable } from "../base/failure.ts";

export interface Place {
  /** As the script was named. */
  readonly file: string;
  /** Both from 1; columns count characters. */
  readonly line: number;
  readonly column: number;
}

export interface Word {
  readonly text: string;
  readonly place: Place;
  /** A shell would have put something else where this says `$NAME`, `${…}`, `$(…)` or a backquote. */
  readonly hasVariable?: true;
}

/** One command: at least one word. */
export type CommandLine = readonly Word[];

export function showPlace({ file, line, column }: Place): string {
  return `${printable(file)}:${line}:${column}`;
}

/** @param rule ACB-n, which the sentence breaks */
export function scriptFailure(place: Place, rule: string, sentence: string, hint?: string): Failure {
  return new Failure("RECIPE_INVALID", `${showPlace(place)}: ${rule}: ${sentence}`, {
    subject: showPlace(place),
    hint,
  });
}

interface Cursor {
  readonly file: string;
  readonly characters: readonly string[];
  at: number;
  line: number;
  column: number;
  hasVariable: boolean;
}

/**
 * ACB-1, ACB-2. Words are separated by blanks, commands by line ends; `\` before a line end joins lines, `#` at the beginning of a word comments
 * the rest of the line away, so that a first line `#!…` is one too.
 * @throws Failure RECIPE_INVALID for a quote that is not closed, a NUL, or nothing behind the last `\`
 */
export function commandLines(text: string, file: string): readonly CommandLine[] {
  const cursor: Cursor = { file, characters: [...text], at: 0, line: 1, column: 1, hasVariable: false };
  const lines: CommandLine[] = [];
  let words: Word[] = [];
  for (;;) {
    skipBlanks(cursor);
    const character = cursor.characters[cursor.at];
    if (character === undefined || character === "\n") {
      if (words.length > 0) lines.push(words);
      words = [];
      if (character === undefined) return lines;
      take(cursor);
    } else if (character === "#") {
      while (cursor.at < cursor.characters.length && cursor.characters[cursor.at] !== "\n") take(cursor);
    } else {
      words.push(readWord(cursor));
    }
  }
}

function take(cursor: Cursor): string {
  const character = cursor.characters[cursor.at] ?? "";
  if (character === "\0") throw scriptFailure(placeOf(cursor), "ACB-2", "a NUL byte");
  cursor.at += 1;
  cursor.line += character === "\n" ? 1 : 0;
  cursor.column = character === "\n" ? 1 : cursor.column + 1;
  return character;
}

function placeOf({ file, line, column }: Cursor): Place {
  return { file, line, column };
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\r";
}

function isJoint({ characters, at }: Cursor): boolean {
  return (
    characters[at] === "\\" &&
    (characters[at + 1] === "\n" || (characters[at + 1] === "\r" && characters[at + 2] === "\n"))
  );
}

function takeJoint(cursor: Cursor): void {
  while (take(cursor) !== "\n");
}

function skipBlanks(cursor: Cursor): void {
  for (;;) {
    if (isJoint(cursor)) takeJoint(cursor);
    else if (isBlank(cursor.characters[cursor.at])) take(cursor);
    else return;
  }
}

function readWord(cursor: Cursor): Word {
  const place = placeOf(cursor);
  let text = "";
  cursor.hasVariable = false;
  for (;;) {
    const character = cursor.characters[cursor.at];
    if (character === undefined || character === "\n" || isBlank(character)) {
      return cursor.hasVariable ? { text, place, hasVariable: true } : { text, place };
    }
    noteVariable(cursor);
    if (isJoint(cursor)) takeJoint(cursor);
    else if (character === "'") text += readSingle(cursor);
    else if (character === '"') text += readDouble(cursor);
    else if (character === "\\") text += readEscaped(cursor);
    else text += take(cursor);
  }
}

function noteVariable(cursor: Cursor): void {
  const { characters, at } = cursor;
  const isDollar = characters[at] === "$" && /^[A-Za-z_{(]/.test(characters[at + 1] ?? "");
  cursor.hasVariable ||= isDollar || characters[at] === "`";
}

function readSingle(cursor: Cursor): string {
  const place = placeOf(cursor);
  take(cursor);
  let text = "";
  while (cursor.characters[cursor.at] !== "'") {
    if (cursor.at >= cursor.characters.length) throw notClosed(place);
    text += take(cursor);
  }
  take(cursor);
  return text;
}

/** Inside of double quotes `\` escapes what would otherwise mean something, and stands for itself before anything else. */
function readDouble(cursor: Cursor): string {
  const place = placeOf(cursor);
  take(cursor);
  let text = "";
  while (cursor.characters[cursor.at] !== '"') {
    if (cursor.at >= cursor.characters.length) throw notClosed(place);
    noteVariable(cursor);
    if (isJoint(cursor)) takeJoint(cursor);
    else if (cursor.characters[cursor.at] !== "\\") text += take(cursor);
    else {
      take(cursor);
      const next = cursor.characters[cursor.at];
      text += next !== undefined && '"\\$`'.includes(next) ? take(cursor) : "\\";
    }
  }
  take(cursor);
  return text;
}

function readEscaped(cursor: Cursor): string {
  const place = placeOf(cursor);
  take(cursor);
  if (cursor.at >= cursor.characters.length) throw scriptFailure(place, "ACB-2", "nothing follows the last \\");
  return take(cursor);
}

function notClosed(place: Place): Failure {
  return scriptFailure(place, "ACB-2", "a quote that is not closed");
}
