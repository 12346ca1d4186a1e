/** What a schema found wrong, in our words: `expected a string, got a number`. A rule that has a sentence of its own keeps it. */
import type * as z from "zod";
import { closest } from "../base/suggest.ts";

const kinds: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  map: "an object",
  null: "null",
};

/** The sentence for an issue of a schema that brings none; undefined leaves zod its own. */
export function ruleOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? "this field is needed"
        : `expected ${kindOf(issue.expected)}, got ${gotten(issue)}${quotesOf(issue)}`;
    case "invalid_value":
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "too_small":
      return `expected ${issue.inclusive === false ? "more than" : "at least"} ${amount(issue.minimum, issue.origin)}`;
    case "too_big":
      return `expected ${issue.inclusive === false ? "less than" : "at most"} ${amount(issue.maximum, issue.origin)}`;
    case "unrecognized_keys":
      return unknownFields(issue);
    default:
      return undefined;
  }
}

/** A sentence for each field, a line each, in the order of `keys`: validate.ts says each where its field stands. */
function unknownFields({ keys, inst }: { readonly keys: readonly string[]; readonly inst?: unknown }): string {
  const shape: unknown = Reflect.get(Object(inst), "shape");
  const known = Object.keys(Object(shape));
  return keys.map((key) => `unknown field ${key.replace(/\n/g, " ")}${meant(closest(key, known))}`).join("\n");
}

/** What stands behind a sentence about a word that is not known. */
export const meant = (word: string | undefined): string => (word === undefined ? "" : `; did you mean ${word}?`);

/** YAML makes 1 of the version 1.0: what is text to us has to be text to its reader (RECIPE-8). */
function quotesOf({ expected, input }: { readonly expected: string; readonly input?: unknown }): string {
  const isBare = typeof input === "number" || typeof input === "boolean";
  return expected === "string" && isBare ? "; put it in quotes" : "";
}

const kindOf = (name: string): string => kinds[name] ?? name;

/** What stands there instead. A number where an integer is wanted is one with a fraction, or one too large to be exact. */
function gotten({ input, code, ...issue }: z.core.$ZodRawIssue): string {
  if (input === null) return "null";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "boolean") return String(input);
  const wantsInteger = code === "invalid_type" && "expected" in issue && issue["expected"] === "int";
  return typeof input === "number" && wantsInteger ? String(input) : kindOf(typeof input);
}

function amount(limit: number | bigint, origin: string): string {
  if (origin === "string") return `${limit} characters`;
  if (origin === "array" || origin === "set") return limit === 1 ? "one item" : `${limit} items`;
  return String(limit);
}
