/** JSON of results, harmless for a terminal. Knows nothing of where it is written. */
import { isObject } from "../base/objects.ts";

/** JSON whose text cannot repaint a terminal: what `printable` would change is escaped the JSON way. */
export function jsonText(value: unknown): string {
  return escaped(JSON.stringify(value) ?? "null");
}

/**
 * As jsonText, for people, in pieces that belong one behind the other: the items of a list, and of the lists of an object. The text of
 * a hundred thousand items would otherwise be in memory whole, and more than once.
 */
export function* prettyJson(value: unknown): Generator<string> {
  if (Array.isArray(value)) yield* list(value, "");
  else if (isObject(value) && !("toJSON" in value)) yield* object(value);
  else yield leaf(value, "") ?? "null";
}

const indentation = "  ";

function* object(value: Readonly<Record<string, unknown>>): Generator<string> {
  let before = "{\n";
  for (const [key, member] of Object.entries(value)) {
    const text = Array.isArray(member) ? "" : leaf(member, indentation);
    if (text === undefined) continue; // a member that is undefined is none
    yield `${before}${indentation}${jsonText(key)}: ${text}`;
    if (Array.isArray(member)) yield* list(member, indentation);
    before = ",\n";
  }
  yield before === ",\n" ? "\n}" : "{}";
}

function* list(items: readonly unknown[], indent: string): Generator<string> {
  let before = "[\n";
  for (const item of items) {
    yield `${before}${indent}${indentation}${leaf(item, indent + indentation) ?? "null"}`;
    before = ",\n";
  }
  yield before === ",\n" ? `\n${indent}]` : "[]";
}

/** Behind `indent`, on lines that begin with it; undefined for what has no JSON. A line end that is no layout is escaped in JSON. */
function leaf(value: unknown, indent: string): string | undefined {
  const text = JSON.stringify(value, undefined, indentation) as string | undefined;
  return text === undefined ? undefined : escaped(text).replaceAll("\n", `\n${indent}`);
}

function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
