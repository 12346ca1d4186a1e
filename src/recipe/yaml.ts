/** YAML → plain values that know where they stand. What two readers could read in two ways is refused, as in strict-json.ts. */
import { type Alias, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, parseDocument } from "yaml";
import { Failure, printable } from "../base/failure.ts";
import type { JsonPosition, LocatedJson } from "../schema/strict-json.ts";

/** Bytes of a document. */
const sizeLimit = 1024 * 1024;
/**
 * What the library's time grows with: the smallest parts it reads, a blank or a colon by itself being one. Nobody is heard while it reads, so this
 * many take it less than a second; a recipe of a thousand steps has a quarter of them.
 */
const tokenLimit = 120_000;
/** Values of a recipe, after aliases were followed: what a few lines can unfold to (RECIPE-3). What is wrong with each may take the schema a while to say. */
export const valueLimit = 20_000;
const depthLimit = 32;

interface Reading {
  readonly subject: string;
  readonly lines: LineCounter;
  readonly offsets: Map<object, Map<PropertyKey, number>>;
  /** The last node so far with each anchor; looked up here because the library walks the whole document for every alias. */
  readonly anchors: Map<string, Node>;
  /** Whether what is read now is the target of an alias, whose anchors are known. */
  isUnfolding: boolean;
  values: number;
}

/** @throws Failure RECIPE_INVALID with line and column, LIMIT_EXCEEDED */
export function parseLocatedYaml(bytes: Uint8Array, subject: string): LocatedJson {
  if (bytes.length > sizeLimit) {
    throw new Failure("LIMIT_EXCEEDED", `${printable(subject)} has more than ${sizeLimit} bytes`, { subject });
  }
  const text = decode(bytes, subject);
  requireShallow(text, subject);
  requireFewTokens(text, subject);
  const lines = new LineCounter();
  const document = parseQuickly(text, lines);
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw invalid(subject, positionOf(lines, fault.pos[0]), fault.message);
  const reading: Reading = { subject, lines, offsets: new Map(), anchors: new Map(), isUnfolding: false, values: 0 };
  const root = document.contents;
  const value = root === null ? null : readNode(reading, root, 0);
  const locate = (path: readonly PropertyKey[]): JsonPosition => {
    let offset = root?.range?.[0] ?? 0;
    let container: unknown = value;
    for (const key of path) {
      if (typeof container !== "object" || container === null) break;
      const member = reading.offsets.get(container)?.get(key);
      if (member === undefined) break;
      offset = member;
      container = Reflect.get(container, key);
    }
    return positionOf(lines, offset);
  };
  return { value, locate };
}

/** The library gathers a mistake for every few bytes of a hostile text: without their stack traces it ends many times sooner. */
function parseQuickly(text: string, lineCounter: LineCounter): ReturnType<typeof parseDocument> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    // Keys that repeat are refused by mapOf: the library compares each with all before it, which takes minutes for a megabyte of keys.
    const options = { version: "1.2", schema: "core", uniqueKeys: false, merge: false, prettyErrors: false } as const;
    return parseDocument(text, { ...options, lineCounter });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function decode(bytes: Uint8Array, subject: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw invalid(subject, { line: 1, column: 1 }, "the bytes are not UTF-8");
  }
}

/** The parser recurses: what is nested deeper than any recipe is refused before it is parsed. */
function requireShallow(text: string, subject: string): void {
  let depth = 0;
  let line = 1;
  for (const character of text) {
    if (character === "\n") line += 1;
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth = Math.max(0, depth - 1);
    if (depth > 500) throw invalid(subject, { line, column: 1 }, "RECIPE-3: nested too deeply");
  }
  const indicators = /^[ \t]*(?:[-?:][ \t]+){100}/m.exec(text);
  if (indicators === null) return;
  throw invalid(
    subject,
    { line: text.slice(0, indicators.index).split("\n").length, column: 1 },
    "RECIPE-3: nested too deeply",
  );
}

function requireFewTokens(text: string, subject: string): void {
  let [tokens, line] = [0, 1];
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    line += token.split("\n").length - 1;
    if (tokens > tokenLimit) throw invalid(subject, { line, column: 1 }, `RECIPE-3: more than ${tokenLimit} tokens`);
  }
}

function readNode(reading: Reading, node: Node, depth: number): unknown {
  reading.values += 1;
  if (reading.values > valueLimit) throw fault(reading, node, `RECIPE-3: more than ${valueLimit} values`);
  if (depth > depthLimit) throw fault(reading, node, `RECIPE-3: more than ${depthLimit} levels`);
  if (isAlias(node)) return readAlias(reading, node, depth);
  if (node.anchor !== undefined && !reading.isUnfolding) reading.anchors.set(node.anchor, node);
  if (isMap(node)) return mapOf(reading, node.items, node, depth);
  if (isSeq(node)) return listOf(reading, node.items as readonly Node[], depth);
  if (!isScalar(node)) throw fault(reading, node, "a value of an unknown kind");
  return scalarOf(reading, node.value, node);
}

function readAlias(reading: Reading, alias: Alias, depth: number): unknown {
  const target = reading.anchors.get(alias.source);
  if (target === undefined) throw fault(reading, alias, "an alias of nothing");
  const before = reading.isUnfolding;
  reading.isUnfolding = true;
  const value = readNode(reading, target, depth + 1);
  reading.isUnfolding = before;
  return value;
}

function mapOf(
  reading: Reading,
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  node: Node,
  depth: number,
): object {
  const object: Record<string, unknown> = Object.create(null);
  const places = new Map<PropertyKey, number>();
  for (const { key, value } of items) {
    const at = isScalar(key) ? key : node;
    if (!isScalar(key) || typeof key.value !== "string") throw fault(reading, at, "a key is text; put it in quotes");
    if (key.value === "__proto__") throw fault(reading, at, "the key __proto__ is refused");
    if (places.has(key.value)) throw fault(reading, at, `the key ${JSON.stringify(printable(key.value))} stands twice`);
    places.set(key.value, key.range?.[0] ?? 0);
    object[key.value] = value === null ? null : readNode(reading, value as Node, depth + 1);
  }
  reading.offsets.set(object, places);
  return object;
}

function listOf(reading: Reading, items: readonly Node[], depth: number): readonly unknown[] {
  const list: unknown[] = [];
  const places = new Map<PropertyKey, number>();
  items.forEach((item, index) => {
    places.set(index, item.range?.[0] ?? 0);
    list.push(readNode(reading, item, depth + 1));
  });
  reading.offsets.set(list, places);
  return list;
}

function scalarOf(reading: Reading, value: unknown, node: Node): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)))
    return value;
  throw fault(reading, node, "a number out of range");
}

function fault({ subject, lines }: Reading, node: Node, what: string): Failure {
  return invalid(subject, positionOf(lines, node.range?.[0] ?? 0), what);
}

function positionOf(lines: LineCounter, offset: number): JsonPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function invalid(subject: string, { line, column }: JsonPosition, what: string): Failure {
  return new Failure("RECIPE_INVALID", `${printable(subject)}:${line}:${column}: ${printable(what.trim())}`, {
    subject,
    hint: "docs/recipes.md has the reference",
  });
}
