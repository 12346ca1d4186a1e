/**
 * JSON without surprises (T-R46, A05, A06): what two parsers could read in two ways is refused, and every value knows
 * where it stands. Knows nothing of what a document means.
 */
import { isUtf8 } from "node:buffer";
import { excerpt, Failure } from "../base/failure.ts";

export interface JsonLimits {
  /** Bytes of the whole document. */
  readonly bytes: number;
  /** Arrays and objects inside each other. */
  readonly depth: number;
}

export const defaultJsonLimits: JsonLimits = { bytes: 4 * 1024 * 1024, depth: 64 };

export interface JsonPosition {
  /** Both from 1; columns count characters. */
  readonly line: number;
  readonly column: number;
}

export interface LocatedJson {
  readonly value: unknown;
  /** Where the value at `path` begins; for a path that is not there, its nearest parent. */
  locate(path: readonly PropertyKey[]): JsonPosition;
}

/** Offsets of the members of each container; filled only when somebody asks for positions. */
type Offsets = Map<object, Map<PropertyKey, number>>;

/**
 * Parses UTF-8 bytes; objects have no prototype. Refused: duplicate keys, the key `__proto__`, a byte order mark, trailing
 * bytes, numbers that are no finite double or no safe integer, lone surrogates, invalid UTF-8, too deep, too long.
 * @throws Failure JSON_INVALID with line, column and rule (JSON-2…9 of spec/image.md), LIMIT_EXCEEDED (JSON-1)
 */
export function parseStrictJson(bytes: Uint8Array, subject: string, limits: JsonLimits = defaultJsonLimits): unknown {
  return parseText(decode(bytes, subject, limits), subject, limits, undefined);
}

/** As parseStrictJson, for a caller that has to say where something stands. */
export function parseLocatedJson(bytes: Uint8Array, subject: string, limits = defaultJsonLimits): LocatedJson {
  const text = decode(bytes, subject, limits);
  const offsets: Offsets = new Map();
  const value = parseText(text, subject, limits, offsets);
  const start = afterBlanks(text, 0);
  const locate = (path: readonly PropertyKey[]): JsonPosition => {
    let offset = start;
    let container = value;
    for (const key of path) {
      if (typeof container !== "object" || container === null) break;
      const member = offsets.get(container)?.get(key);
      if (member === undefined) break;
      offset = member;
      container = Object.hasOwn(container, key) ? Reflect.get(container, key) : undefined;
    }
    return position(text, offset);
  };
  return { value, locate };
}

function decode(bytes: Uint8Array, subject: string, limits: JsonLimits): string {
  const shown = excerpt(subject);
  if (bytes.length > limits.bytes) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `${shown} has ${bytes.length} bytes, more than the ${limits.bytes} allowed (JSON-1)`,
      {
        subject,
      },
    );
  }
  const [first, second, third] = bytes;
  if ((first === 0xef && second === 0xbb && third === 0xbf) || (first === 0xff && second === 0xfe) || first === 0xfe) {
    throw invalid(subject, { line: 1, column: 1 }, "JSON-2: a byte order mark; the document is plain UTF-8");
  }
  if (!isUtf8(bytes)) throw invalid(subject, firstBadByte(bytes), "JSON-2: the bytes are not UTF-8");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

/** Bisects for the shortest prefix that is wrong: the decoder itself does not say where it stopped. */
function firstBadByte(bytes: Uint8Array): JsonPosition {
  const isGood = (length: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isGood(middle)) good = middle;
    else bad = middle;
  }
  const text = new TextDecoder("utf-8").decode(bytes.subarray(0, good), { stream: true });
  return position(text, text.length);
}

function position(text: string, offset: number): JsonPosition {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0 && end < offset; end = text.indexOf("\n", start)) {
    line++;
    start = end + 1;
  }
  let column = 1;
  // By characters, not by halves of them; without a copy, as the line may be all of a hostile document.
  for (let at = start; at < offset; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) column++;
  return { line, column };
}

function invalid(subject: string, { line, column }: JsonPosition, what: string): Failure {
  return new Failure(
    "JSON_INVALID",
    `${excerpt(subject)} is not valid JSON at line ${line} column ${column}: ${what}`,
    {
      subject,
    },
  );
}

function afterBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

// Sticky, so that each token is matched where the cursor stands and nowhere later.
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const plainCharacters = /[^"\\\u0000-\u001f]*/y;
const wordToken = /true|false|null/y;
const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

interface Cursor {
  readonly text: string;
  readonly subject: string;
  readonly depthLimit: number;
  readonly offsets: Offsets | undefined;
  at: number;
}

function parseText(text: string, subject: string, limits: JsonLimits, offsets: Offsets | undefined): unknown {
  const cursor: Cursor = { text, subject, depthLimit: limits.depth, offsets, at: 0 };
  const value = parseValue(cursor, 0);
  blanks(cursor);
  if (cursor.at < text.length) throw fault(cursor, "JSON-9: something after the end of the document");
  return value;
}

/** Recursive descent, bounded by the depth limit. */
function parseValue(cursor: Cursor, depth: number): unknown {
  blanks(cursor);
  const begin = cursor.at;
  const character = cursor.text[begin];
  if (character === "{" || character === "[") {
    if (depth >= cursor.depthLimit) throw fault(cursor, `JSON-8: more than ${cursor.depthLimit} levels`);
    return character === "{" ? parseObject(cursor, depth + 1) : parseArray(cursor, depth + 1);
  }
  if (character === '"') return parseString(cursor);
  const number = token(cursor, numberToken);
  if (number !== undefined) return checkedNumber(cursor, number, begin);
  const word = token(cursor, wordToken);
  if (word === undefined) throw fault(cursor, `JSON-3: expected a value${found(cursor)}`);
  return words.get(word);
}

function parseObject(cursor: Cursor, depth: number): object {
  const object: Record<string, unknown> = Object.create(null);
  const places = new Map<PropertyKey, number>();
  parseMembers(cursor, "}", () => {
    const begin = cursor.at;
    if (cursor.text[begin] !== '"') throw fault(cursor, `JSON-3: expected a key in quotes${found(cursor)}`);
    const key = parseString(cursor);
    if (places.has(key)) throw fault(cursor, `JSON-4: the key ${JSON.stringify(excerpt(key))} stands twice`, begin);
    // Harmless here, but not to whoever copies the object into an ordinary one.
    if (key === "__proto__") throw fault(cursor, "JSON-5: the key __proto__ is refused", begin);
    blanks(cursor);
    if (cursor.text[cursor.at] !== ":") throw fault(cursor, `JSON-3: expected ":"${found(cursor)}`);
    cursor.at = afterBlanks(cursor.text, cursor.at + 1);
    places.set(key, cursor.at);
    object[key] = parseValue(cursor, depth);
  });
  cursor.offsets?.set(object, places);
  return object;
}

function parseArray(cursor: Cursor, depth: number): readonly unknown[] {
  const array: unknown[] = [];
  const places = cursor.offsets === undefined ? undefined : new Map<PropertyKey, number>();
  parseMembers(cursor, "]", () => {
    places?.set(array.length, cursor.at);
    array.push(parseValue(cursor, depth));
  });
  if (places !== undefined) cursor.offsets?.set(array, places);
  return array;
}

/** What is between the brackets, commas between; `parseMember` begins at the first character of each member. */
function parseMembers(cursor: Cursor, close: string, parseMember: () => void): void {
  cursor.at++;
  blanks(cursor);
  if (cursor.text[cursor.at] === close) {
    cursor.at++;
    return;
  }
  for (;;) {
    blanks(cursor);
    parseMember();
    blanks(cursor);
    const next = cursor.text[cursor.at];
    if (next !== "," && next !== close) throw fault(cursor, `JSON-3: expected "," or "${close}"${found(cursor)}`);
    cursor.at++;
    if (next === close) return;
  }
}

function parseString(cursor: Cursor): string {
  const begin = cursor.at;
  cursor.at++;
  let result = token(cursor, plainCharacters) ?? "";
  let isEscaped = false;
  while (cursor.text[cursor.at] === "\\") {
    isEscaped = true;
    result += parseEscape(cursor);
    result += token(cursor, plainCharacters) ?? "";
  }
  if (cursor.at >= cursor.text.length) throw fault(cursor, "JSON-3: a string without its closing quote", begin);
  if (cursor.text[cursor.at] !== '"') throw fault(cursor, "JSON-3: a control character in a string");
  // The bytes are valid UTF-8, so that half a pair can only come from an escape.
  if (isEscaped && /\p{Surrogate}/u.test(result)) throw fault(cursor, "JSON-7: half of a surrogate pair", begin);
  cursor.at++;
  return result;
}

function parseEscape(cursor: Cursor): string {
  const letter = cursor.text[cursor.at + 1] ?? "";
  const simple = escapes.get(letter);
  if (simple !== undefined) {
    cursor.at += 2;
    return simple;
  }
  const digits = cursor.text.slice(cursor.at + 2, cursor.at + 6);
  if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits)) throw fault(cursor, "JSON-3: an unknown escape");
  cursor.at += 6;
  return String.fromCharCode(Number.parseInt(digits, 16));
}

function checkedNumber(cursor: Cursor, digits: string, begin: number): number {
  const value = Number(digits);
  if (!Number.isFinite(value)) throw fault(cursor, "JSON-6: a number out of range", begin);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw fault(cursor, "JSON-6: an integer beyond 2^53, which programs round differently", begin);
  }
  return value;
}

function blanks(cursor: Cursor): void {
  cursor.at = afterBlanks(cursor.text, cursor.at);
}

function token(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const match = pattern.exec(cursor.text)?.[0];
  if (match !== undefined) cursor.at += match.length;
  return match;
}

function found({ text, at }: Cursor): string {
  return at < text.length ? `, not ${JSON.stringify(excerpt(text.charAt(at)))}` : ", not the end";
}

function fault(cursor: Cursor, what: string, offset = cursor.at): Failure {
  return invalid(cursor.subject, position(cursor.text, offset), what);
}
