/** PAX extended header records, `LENGTH KEY=VALUE\n`, as bytes. Knows nothing of headers or entries. */
import { isUtf8 } from "node:buffer";
import { excerpt, Failure } from "../base/failure.ts";

/** In the order of the archive; a Map, so that no key is special (N21). */
export type PaxRecords = ReadonlyMap<string, Buffer>;

/**
 * The records of one header body. A key that stands twice is refused: readers disagree on which one counts (N17).
 * @throws Failure ARCHIVE_INVALID for a wrong length, a missing newline, a NUL where text is expected (P11, N18…N20)
 */
export function parsePax(body: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const pairs: (readonly [string, Buffer])[] = [];
  for (let at = 0; at < body.length; ) {
    const blank = afterDigits(body, at);
    const end = at + lengthIn(body, at, blank);
    if (end <= blank + 1 || end > body.length || body[end - 1] !== 0x0a) {
      throw invalidPax("an extended header record has a wrong length");
    }
    let equals = blank + 1;
    while (equals < end && body[equals] !== 0x3d) equals++;
    if (equals === blank + 1 || equals === end) throw invalidPax("an extended header record has no key");
    const key = keyOf(body, blank + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    at = end;
    if (sparsePair.includes(key)) {
      pairs.push([key, value]);
      continue;
    }
    if (records.has(key)) throw invalidPax(`the extended header has ${excerpt(key)} twice`);
    if (hasNul(value) && !key.startsWith("SCHILY.xattr.")) {
      throw invalidPax(`the extended header's ${excerpt(key)} has a NUL byte`);
    }
    records.set(key, value);
  }
  joinPairs(records, pairs);
  return records;
}

/** Digits of a length; a header has fewer bytes than eight of them can say. */
const mostDigits = 7;

/** Where the digits end that begin at `at`. Byte by byte, as everything here: a search by Node costs more than all of a short record. */
function afterDigits(body: Buffer, at: number): number {
  let end = at;
  while (end < body.length && end - at <= mostDigits && isDigit(body[end])) end++;
  return end;
}

/** What the digits say, when there is a blank behind them; else 0. */
function lengthIn(body: Buffer, at: number, blank: number): number {
  if (body[blank] !== 0x20 || blank - at > mostDigits || body[at] === 0x30) return 0;
  let length = 0;
  for (let digit = at; digit < blank; digit++) length = length * 10 + (body[digit] ?? 0) - 0x30;
  return length;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

const sparseMap = "GNU.sparse.map";
const sparsePair = ["GNU.sparse.offset", "GNU.sparse.numbytes"];

/**
 * The oldest sparse form is the only one whose keys may stand often: one pair for each extent. They become the map of the
 * next form, so that nothing else has to know it.
 */
function joinPairs(records: Map<string, Buffer>, pairs: readonly (readonly [string, Buffer])[]): void {
  if (pairs.length === 0) return;
  const inTurn = pairs.every(([key, value], index) => key === sparsePair[index % 2] && paxNumber(value) !== undefined);
  if (!inTurn || pairs.length % 2 !== 0 || records.has(sparseMap)) throw invalidPax("a sparse file has no valid map");
  records.set(sparseMap, Buffer.from(pairs.map(([, value]) => value.toString("latin1")).join(",")));
}

function keyOf(body: Buffer, start: number, end: number): string {
  if (isMtime(body, start, end)) return "mtime";
  const bytes = body.subarray(start, end);
  if (!isUtf8(bytes) || bytes.includes(0)) throw invalidPax("a key of the extended header is no text");
  return bytes.toString("utf8");
}

const mtime = Buffer.from("mtime");

/** What nearly every record says. */
function isMtime(body: Buffer, start: number, end: number): boolean {
  if (end - start !== mtime.length) return false;
  for (let at = 0; at < mtime.length; at++) if (body[start + at] !== mtime[at]) return false;
  return true;
}

function hasNul(value: Buffer): boolean {
  if (value.length > 64) return value.includes(0);
  for (let at = 0; at < value.length; at++) if (value[at] === 0) return true;
  return false;
}

/** A decimal without sign or exponent (N05, N07), else undefined. */
export function paxNumber(value: Buffer): bigint | undefined {
  const text = value.toString("latin1");
  return /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

/** Seconds with an optional fraction, which counts upwards from the whole second below; undefined when it is no time (N13). */
export function paxTime(value: Buffer): { readonly seconds: bigint; readonly nanoseconds: number } | undefined {
  const plain = plainTime(value);
  if (plain !== undefined) return plain;
  const match = /^(-?)(\d{1,20})(?:\.(\d*))?$/.exec(value.toString("latin1"));
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = ""] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds: BigInt(whole), nanoseconds };
  return nanoseconds === 0
    ? { seconds: -BigInt(whole), nanoseconds }
    : { seconds: -BigInt(whole) - 1n, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** What nearly every entry has, without a pattern: ten digits, a point, nine digits at most. */
function plainTime(value: Buffer): { readonly seconds: bigint; readonly nanoseconds: number } | undefined {
  if (value.length > 20 || value[10] !== 0x2e) return undefined;
  let seconds = 0;
  let nanoseconds = 0;
  for (let at = 0; at < 20; at++) {
    if (at === 10) continue;
    const digit = at < value.length ? (value[at] ?? 0) - 0x30 : 0;
    if (digit < 0 || digit > 9) return undefined;
    if (at < 10) seconds = seconds * 10 + digit;
    else nanoseconds = nanoseconds * 10 + digit;
  }
  return { seconds: BigInt(seconds), nanoseconds };
}

/** One record; its length counts its own digits. */
export function encodePaxRecord(key: string, value: Buffer | string): Buffer {
  const length = recordLength(Buffer.byteLength(key) + Buffer.byteLength(value));
  if (typeof value === "string") return Buffer.from(`${length} ${key}=${value}\n`);
  const record = Buffer.allocUnsafe(length);
  value.copy(record, record.write(`${length} ${key}=`));
  record[length - 1] = 0x0a;
  return record;
}

/** As encodePaxRecord, as text, for a key and a value that are ASCII. */
export function asciiPaxRecord(key: string, value: string): string {
  return `${recordLength(key.length + value.length)} ${key}=${value}\n`;
}

/** Of a record whose key and value have that many bytes. */
function recordLength(bytes: number): number {
  const rest = bytes + 3;
  let digits = 1;
  while (String(digits + rest).length !== digits) digits++;
  return digits + rest;
}

function invalidPax(message: string): Failure {
  return new Failure("ARCHIVE_INVALID", message);
}
