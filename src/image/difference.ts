/** What is different between two images: fields of manifests, and files with the reason. Pure. */
import type { FileFacts } from "./facts.ts";
import { type FileRow, type FileTable, factsIn } from "./file-table.ts";

/** In the order in which they are said. */
export const reasons = ["type", "mode", "owner", "content", "link", "device", "xattrs", "hard links", "time"] as const;
export type Reason = (typeof reasons)[number];

export interface ChangedFile {
  readonly path: string;
  readonly why: readonly Reason[];
  readonly before: FileFacts;
  readonly after: FileFacts;
}

export interface LoneFile {
  readonly path: string;
  readonly facts: FileFacts;
}

export interface FileDifference {
  readonly added: readonly LoneFile[];
  readonly removed: readonly LoneFile[];
  readonly changed: readonly ChangedFile[];
  /** Files of which only the time differs; they are part of `changed` when that was asked for. */
  readonly timeOnly: number;
}

export interface FieldDifference {
  /** `app.exec[0]`, `labels[version].value` */
  readonly field: string;
  /** Absent: the field is not there. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * Paths in byte order. Only what differs becomes objects: where every file has another time, all of them would.
 * @param times files of which only the time differs are named too
 */
export function compareFiles(before: FileTable, after: FileTable, times = false): FileDifference {
  const [added, removed, changed]: [LoneFile[], LoneFile[], ChangedFile[]] = [[], [], []];
  let timeOnly = 0;
  for (const [old, now] of inStep(before, after)) {
    if (old === undefined || now === undefined) {
      if (old !== undefined) removed.push({ path: old.path, facts: factsIn(old.record) });
      if (now !== undefined) added.push({ path: now.path, facts: factsIn(now.record) });
      continue;
    }
    const difference = compareRows(old, now);
    if (difference === undefined) continue;
    const isTimeOnly = difference.why.length === 1 && difference.why[0] === "time";
    if (isTimeOnly) timeOnly++;
    if (!isTimeOnly || times) changed.push(difference);
  }
  return { added, removed, changed, timeOnly };
}

/** Undefined for what is the same. */
function compareRows(old: FileRow, now: FileRow): ChangedFile | undefined {
  const isLinkedAnew = old.names !== now.names;
  if (!isLinkedAnew && old.record.equals(now.record)) return undefined;
  const [before, after] = [factsIn(old.record), factsIn(now.record)];
  const why = whyDifferent(before, after);
  if (isLinkedAnew) why.push("hard links");
  return { path: old.path, why: reasons.filter((one) => why.includes(one)), before, after };
}

/** Two tables as one: rows of one path come together. */
function* inStep(before: FileTable, after: FileTable): Generator<readonly [FileRow | undefined, FileRow | undefined]> {
  const [ours, theirs] = [before[Symbol.iterator](), after[Symbol.iterator]()];
  let [old, now] = [next(ours), next(theirs)];
  while (old !== undefined || now !== undefined) {
    const isFirst = now === undefined || (old !== undefined && old.path <= now.path);
    const isSecond = old === undefined || (now !== undefined && now.path <= old.path);
    yield [isFirst ? old : undefined, isSecond ? now : undefined];
    if (isFirst) old = next(ours);
    if (isSecond) now = next(theirs);
  }
}

function next(rows: Iterator<FileRow>): FileRow | undefined {
  const step = rows.next();
  return step.done === true ? undefined : step.value;
}

export function whyDifferent(a: FileFacts, b: FileFacts): Reason[] {
  const why: Reason[] = [];
  if (a.type !== b.type) why.push("type");
  if (a.mode !== b.mode) why.push("mode");
  if (a.uid !== b.uid || a.gid !== b.gid) why.push("owner");
  if (a.content !== b.content || a.size !== b.size) why.push("content");
  if (a.link !== b.link) why.push("link");
  if (a.device !== b.device) why.push("device");
  if (a.xattrs.join("\n") !== b.xattrs.join("\n")) why.push("xattrs");
  if (a.time !== b.time) why.push("time");
  return why;
}

/** Two JSON documents. Lists whose items have unique names are compared by name, others by place. */
export function compareDocuments(before: unknown, after: unknown, field = ""): readonly FieldDifference[] {
  if (before === undefined || after === undefined) {
    if (before === after) return [];
    return [{ field, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  }
  const [one, other] = [membersOf(before, after), membersOf(after, before)];
  if (one === undefined || other === undefined) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ field, before, after }];
  }
  const keys = [...new Set([...one.keys(), ...other.keys()])];
  return keys.flatMap((key) => compareDocuments(one.get(key), other.get(key), `${field}${suffix(key, field, before)}`));
}

function suffix(key: string, field: string, container: unknown): string {
  if (Array.isArray(container)) return `[${key}]`;
  return field === "" ? key : `.${key}`;
}

/** The parts of a value that can be compared with those of `other`; undefined for what has none. */
function membersOf(value: unknown, other: unknown): ReadonlyMap<string, unknown> | undefined {
  if (Array.isArray(value) && Array.isArray(other)) {
    return new Map(hasNames(value) && hasNames(other) ? value.map(named) : value.map((item, at) => [String(at), item]));
  }
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord && typeof other === "object" && other !== null && !Array.isArray(other)
    ? new Map(Object.entries(value))
    : undefined;
}

function hasNames(list: readonly unknown[]): boolean {
  const names = list.map((item) => named(item)[0]);
  return !names.includes("") && new Set(names).size === names.length;
}

function named(item: unknown): [string, unknown] {
  const name: unknown = typeof item === "object" && item !== null && "name" in item ? item.name : "";
  return [typeof name === "string" ? name : "", item];
}
