/** Globs and the ignore file, compiled and matched without backtracking on what a stranger wrote. Pure: names in, decisions out. */
import { Failure, printable } from "../base/failure.ts";

/** The name of the ignore file, in the context directory. */
export const ignoreFile = ".perigeeignore";

/** Whether a path (relative, `/` between components) matches. */
export type Matcher = (path: string) => boolean;

/** Alternatives of one component: `*` any run, `?` one, `[a-z]` `[!a-z]` one of a set. A leading dot is nothing special. */
type Token = { readonly kind: "any" } | { readonly kind: "one"; readonly fits: (character: string) => boolean };

export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/** RECIPE-12. `**` as a whole component is any number of components. @throws Failure RECIPE_INVALID for an open bracket */
export function compileGlob(pattern: string): Matcher {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  const compiled = parts.map((part) => (part === "**" ? "**" : tokensOf(part, pattern)));
  return (path) => matchParts(compiled, path === "" ? [] : path.split("/"));
}

/** Row by row: `row[n]` says whether the pattern so far fits the first n names, so that many `**` cost no more than their number times the depth. */
function matchParts(pattern: readonly ("**" | readonly Token[])[], names: readonly string[]): boolean {
  let row = [true, ...names.map(() => false)];
  for (const part of pattern) {
    if (part === "**") {
      const first = row.indexOf(true);
      row = row.map((_, index) => first >= 0 && index >= first);
    } else
      row = row.map((_, index) => index > 0 && row[index - 1] === true && matchTokens(part, names[index - 1] ?? ""));
  }
  return row.at(-1) === true;
}

/** The usual two cursors: the last `*` takes one character more when the rest does not fit. */
function matchTokens(tokens: readonly Token[], name: string): boolean {
  let [at, token, star, taken] = [0, 0, -1, 0];
  while (at < name.length) {
    const current = tokens[token];
    if (current?.kind === "any") {
      star = token;
      token += 1;
      taken = at;
    } else if (current?.fits(name.charAt(at)) === true) {
      at += 1;
      token += 1;
    } else if (star >= 0) {
      taken += 1;
      at = taken;
      token = star + 1;
    } else return false;
  }
  while (tokens[token]?.kind === "any") token += 1;
  return token === tokens.length;
}

function tokensOf(part: string, pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < part.length; at += 1) {
    const character = part.charAt(at);
    if (character === "*") tokens.push({ kind: "any" });
    else if (character === "?") tokens.push({ kind: "one", fits: () => true });
    else if (character === "[") {
      const end = part.indexOf("]", at + 2);
      if (end < 0) {
        throw new Failure("RECIPE_INVALID", `RECIPE-12: ${printable(pattern)}: a [ without its ]`, {
          subject: pattern,
        });
      }
      tokens.push({ kind: "one", fits: setOf(part.slice(at + 1, end)) });
      at = end;
    } else {
      const literal = character === "\\" && at + 1 < part.length ? part.charAt(++at) : character;
      tokens.push({ kind: "one", fits: (other) => other === literal });
    }
  }
  return tokens;
}

function setOf(text: string): (character: string) => boolean {
  const isNegated = text[0] === "!" || text[0] === "^";
  const body = isNegated ? text.slice(1) : text;
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < body.length; at += 1) {
    const from = body.charAt(at);
    if (body[at + 1] === "-" && at + 2 < body.length) {
      ranges.push([from, body.charAt(at + 2)]);
      at += 2;
    } else ranges.push([from, from]);
  }
  return (character) => ranges.some(([from, to]) => character >= from && character <= to) !== isNegated;
}

/** Whether a path of the context is left out, asked for each directory before what is in it. */
export type IgnoreRules = (path: string, isDirectory: boolean) => boolean;

/**
 * RECIPE-13: one pattern a line; `#` begins a comment; `!` takes back; a `/` at the end is for directories; a pattern with another `/` counts from the
 * context directory, one without for the name at any depth. The last that matches counts. @throws Failure RECIPE_INVALID
 */
export function compileIgnore(text: string): IgnoreRules {
  const rules = text.split(/\r?\n/).flatMap((line) => {
    const trimmed = line.trimEnd();
    if (trimmed === "" || trimmed[0] === "#") return [];
    const isKept = trimmed[0] === "!";
    const pattern = isKept ? trimmed.slice(1) : trimmed;
    const body = pattern.replace(/(?<!\/)\/+$/, "");
    if (body === "") return [];
    const matches = compileGlob(body.includes("/") ? body : `**/${body}`);
    return [{ isKept, onlyDirectories: body !== pattern, matches }];
  });
  return (path, isDirectory) =>
    rules.findLast((rule) => (isDirectory || !rule.onlyDirectories) && rule.matches(path))?.isKept === false;
}
