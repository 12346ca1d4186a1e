/** Header block + extended headers → one entry. Where the two disagree the extended header wins, for the data entry only (N14, N16). */
import { Failure, raiseLimit } from "../base/failure.ts";
import { aclAttributes, aclFromText, isPlainAcl } from "./acl.ts";
import { type EntryType, showPath, type TarEntry, type Timestamp, type Xattr } from "./entry.ts";
import { type FieldName, nameOf, numberOf, textOf, typeOf } from "./header.ts";
import type { TarLimits } from "./limits.ts";
import { normalisePath } from "./path.ts";
import { type PaxRecords, parsePax, paxNumber, paxTime } from "./pax.ts";

export interface EntryMeta {
  readonly pax?: PaxRecords | undefined;
  readonly longName?: Buffer | undefined;
  readonly longLink?: Buffer | undefined;
}

const types: ReadonlyMap<string, EntryType> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["S", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "character"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/** What a global header may set: it must not name or own every entry (N22). */
const globalKeys = ["comment", "mtime", "atime", "ctime", "uname", "gname", "charset", "hdrcharset"];

export const xattrPrefix = "SCHILY.xattr.";
/** Of one entry; what perigee-shim takes. */
export const mostXattrs = 256;
const largestId = 4_294_967_294;
const largestSize = 2n ** 63n - 1n;
const none = Buffer.alloc(0);
const noXattrs: readonly Xattr[] = [];
const noRecords: PaxRecords = new Map();

export function isGlobal(block: Buffer): boolean {
  return typeOf(block) === "g";
}

export function globalRecords(body: Buffer): PaxRecords {
  const records = parsePax(body);
  for (const key of records.keys()) {
    if (!globalKeys.includes(key)) throw invalid("the global header", `sets ${JSON.stringify(key)} for every entry`);
  }
  return records;
}

/** `meta` and what one more extended header says; two that say the same are refused (N15, N26). */
export function withMeta(meta: EntryMeta, block: Buffer, body: Buffer): EntryMeta {
  const key = ({ x: "pax", L: "longName", K: "longLink" } as const)[typeOf(block) as "x" | "L" | "K"];
  if (meta[key] !== undefined) throw invalid("an entry", "has two extended headers of one kind");
  const next: EntryMeta = { ...meta, [key]: key === "pax" ? parsePax(body) : longText(body) };
  if (next.longName !== undefined && next.pax?.has("path")) throw invalid("an entry", "has two long names");
  if (next.longLink !== undefined && next.pax?.has("linkpath")) throw invalid("an entry", "has two long link targets");
  return next;
}

/** GNU ends long names with a NUL; one inside would hide the rest from some readers. */
function longText(body: Buffer): Buffer {
  const end = body.indexOf(0);
  if (end < 0) return body;
  if (body.subarray(end).some((byte) => byte !== 0)) throw invalid("a long name", "has a NUL byte inside");
  return body.subarray(0, end);
}

/** `size` is that of the body. @throws Failure ARCHIVE_INVALID, LIMIT_EXCEEDED */
export function resolveEntry(block: Buffer, meta: EntryMeta, globals: PaxRecords, limits: TarLimits): TarEntry {
  const pax = meta.pax ?? noRecords;
  const rawName = pax.get("GNU.sparse.name") ?? pax.get("path") ?? meta.longName ?? nameOf(block);
  const path = normalisePath(rawName, limits);
  const shown = path;
  const type = entryType(block, shown);
  if (rawName.at(-1) === 0x2f && type !== "directory") throw invalid(shown, `a ${type} with a trailing slash`); // D17
  if (path.equals(rootPath) && type !== "directory") throw invalid(shown, `the root is a ${type}`);
  const mode = numberIn(block, "mode", shown, 0o7777777) & 0o7777;
  const xattrs = pax.size === 0 ? noXattrs : withAcls(xattrsOf(pax, shown, limits), pax, mode, shown);
  return {
    path,
    type,
    mode,
    uid: paxOrField(pax, block, "uid", shown, largestId),
    gid: paxOrField(pax, block, "gid", shown, largestId),
    mtime: timeOf(pax.get("mtime") ?? globals.get("mtime"), block, shown),
    size: sizeOf(pax, block, type, shown, limits),
    link: linkOf(pax.get("linkpath") ?? meta.longLink ?? textOf(block, "link"), type, shown, limits),
    xattrs,
    device: type === "character" || type === "block" ? deviceOf(block, shown) : undefined,
    dropped: pax.size === 0 ? undefined : droppedOf(pax, xattrs, mode),
  };
}

const rootPath = Buffer.from(".");

function entryType(block: Buffer, shown: Buffer): EntryType {
  const flag = typeOf(block);
  const type = types.get(flag);
  if (type === undefined) throw invalid(shown, `an entry of the unknown type ${JSON.stringify(flag)}`); // D12…D16
  return type;
}

function paxOrField(
  pax: PaxRecords,
  block: Buffer,
  key: "uid" | "gid" | "size",
  shown: Buffer,
  most: number | bigint,
): number {
  const record = pax.get(key);
  if (record === undefined) return numberIn(block, key, shown, most, key === "size" ? 0 : undefined);
  return inRange(paxNumber(record), key, shown, most);
}

function numberIn(block: Buffer, field: FieldName, shown: Buffer, most: number | bigint, blank?: number): number {
  return inRange(numberOf(block, field, blank), field, shown, most);
}

/** N01…N10: a number that is none, negative or too large is refused, and never becomes 0. */
function inRange(value: number | bigint | undefined, what: string, shown: Buffer, most: number | bigint): number {
  if (value === undefined) throw invalid(shown, `the ${what} is no number`);
  if (value < 0 || value > most) throw invalid(shown, `the ${what} ${value} is out of range`);
  return Number(value);
}

function sizeOf(pax: PaxRecords, block: Buffer, type: EntryType, shown: Buffer, limits: TarLimits): number {
  const size = paxOrField(pax, block, "size", shown, largestSize);
  if (size > 0 && type !== "file") throw invalid(shown, `a ${type} with content`); // H09
  if (size > limits.fileSize) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `${showPath(shown)} has ${size} bytes, more than the ${limits.fileSize} allowed`,
      { subject: showPath(shown), ...raiseLimit("fileSize", size) },
    );
  }
  return size;
}

function timeOf(record: Buffer | undefined, block: Buffer, shown: Buffer): Timestamp {
  const whole = record === undefined ? numberOf(block, "mtime", 0) : undefined;
  const time =
    record === undefined ? whole !== undefined && { seconds: BigInt(whole), nanoseconds: 0 } : paxTime(record);
  if (!time) throw invalid(shown, "the mtime is no number");
  if (BigInt.asIntN(64, time.seconds) !== time.seconds) throw invalid(shown, "the mtime is out of range"); // N11
  return time;
}

function linkOf(raw: Buffer, type: EntryType, shown: Buffer, limits: TarLimits): Buffer {
  if (type === "hardlink") return normalisePath(raw, limits);
  if (type !== "symlink") return none;
  if (raw.length === 0) throw invalid(shown, "a symlink without a target");
  if (raw.length > limits.pathLength) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `${showPath(shown)}: the link target has ${raw.length} bytes, more than ${limits.pathLength}`,
    ); // S14
  }
  return raw;
}

function xattrsOf(pax: PaxRecords, shown: Buffer, limits: TarLimits): readonly Xattr[] {
  const xattrs: Xattr[] = [];
  let total = 0;
  for (const [key, value] of pax) {
    if (!key.startsWith(xattrPrefix)) continue;
    total += key.length + value.length;
    if (value.length > limits.xattrValue || total > limits.xattrTotal || xattrs.length === mostXattrs) {
      throw new Failure("LIMIT_EXCEEDED", `${showPath(shown)}: the extended attributes are too large`, {
        subject: showPath(shown),
      }); // X05
    }
    const name = key.slice(xattrPrefix.length);
    // The kernel's own limit on names; an empty one or one without a class cannot be set.
    if (!/^[^.]+\../.test(name) || Buffer.byteLength(name) > 255) throw invalid(shown, "an extended attribute's name");
    xattrs.push({ name, value });
  }
  return xattrs;
}

/** Linux keeps 12 bits of major and 20 of minor; more would wrap to another device. */
function deviceOf(block: Buffer, shown: Buffer) {
  return {
    major: numberIn(block, "major", shown, 0xfff, 0),
    minor: numberIn(block, "minor", shown, 0xfffff, 0),
  };
}

/** X06: ACLs as text become the attributes they stand for; one that says no more than the mode is none. */
function withAcls(xattrs: readonly Xattr[], pax: PaxRecords, mode: number, shown: Buffer): readonly Xattr[] {
  let all = xattrs;
  for (const [key, name] of aclAttributes) {
    const text = pax.get(key);
    const value = text === undefined ? undefined : aclFromText(text);
    if (value === undefined || isRedundant(name, value, mode)) continue;
    const other = xattrs.find((xattr) => xattr.name === name);
    if (other !== undefined && !other.value.equals(value)) throw invalid(shown, "two ACLs that differ");
    if (other === undefined) all = [...all, { name, value }];
  }
  return all;
}

/** GNU tar writes the three permissions as an ACL too; a default ACL always says something. */
function isRedundant(name: string | undefined, acl: Buffer, mode: number): boolean {
  return name === "system.posix_acl_access" && isPlainAcl(acl, mode);
}

/** What is kept nowhere, so that somebody has to say so: ACLs that name users or are none, labels of other tools' making (X06, X07). */
function droppedOf(pax: PaxRecords, xattrs: readonly Xattr[], mode: number): readonly string[] | undefined {
  let dropped: string[] | undefined;
  for (const [key, value] of pax) {
    if (!key.startsWith("SCHILY.acl.") && !key.startsWith("RHT.security.")) continue;
    const name = aclAttributes.get(key);
    const acl = name === undefined ? undefined : aclFromText(value);
    const isSaid = xattrs.some((xattr) => xattr.name === name) || (acl !== undefined && isRedundant(name, acl, mode));
    const isNone = name !== undefined && value.length === 0;
    if (!isSaid && !isNone) dropped = [...(dropped ?? []), key];
  }
  return dropped;
}

/** A path is made fit to be shown only here: most entries are valid. */
function invalid(what: Buffer | string, why: string): Failure {
  const shown = typeof what === "string" ? what : showPath(what);
  return new Failure("ARCHIVE_INVALID", `${shown}: ${why}`, { subject: shown });
}
