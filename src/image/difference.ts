/** What is different between two images: fields of manifests, and files with the reason. Pure. */
import type { FileFacts, FileTable } from "./facts.ts";

/** In the order in which they are said. */
export const reasons = ["type", "mode", "owner", "content", "link", "device", "xattrs", "hard links", "time"] as const;
export type Reason = (typeof reasons)[number];

export interface ChangedFile {
  readonly path: string;
  readonly why: readonly Reason[];
  readonly before: FileFacts;
  readonly after: FileFacts;
}

export interface FileDifference {
  readonly added: readonly { readonly path: string; readonly facts: FileFacts }[];
  readonly removed: readonly { readonly path: string; readonly facts: FileFacts }[];
  readonly changed: readonly ChangedFile[];
}

export interface FieldDifference {
  /** `app.exec[0]`, `labels[version].value` */
  readonly field: string;
  /** Absent: the field is not there. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Paths in order. */
export function compareFiles(before: FileTable, after: FileTable): FileDifference {
  const names = { before: firstNames(before), after: firstNames(after) };
  const changed: ChangedFile[] = [];
  const only = (one: FileTable, other: FileTable) =>
    [...one].filter(([path]) => !other.has(path)).map(([path, facts]) => ({ path, facts }));
  for (const [path, old] of before) {
    const now = after.get(path);
    if (now === undefined) continue;
    const isLinkedAnew = names.before.get(old) !== names.after.get(now);
    const why = whyDifferent(old, now);
    if (isLinkedAnew) why.push("hard links");
    if (why.length > 0)
      changed.push({ path, why: reasons.filter((one) => why.includes(one)), before: old, after: now });
  }
  return {
    added: only(after, before).sort(byPath),
    removed: only(before, after).sort(byPath),
    changed: changed.sort(byPath),
  };
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

/** Of a file with several names the first of them, and how many there are; undefined for one with a single name. */
function firstNames(table: FileTable): ReadonlyMap<FileFacts, string> {
  const seen = new Set<FileFacts>();
  const names = new Map<FileFacts, { first: string; count: number }>();
  // Most files have one name and need no record.
  for (const facts of table.values()) {
    if (seen.has(facts)) names.set(facts, { first: "", count: 0 });
    else seen.add(facts);
  }
  for (const [path, facts] of names.size === 0 ? [] : table) {
    const known = names.get(facts);
    if (known === undefined) continue;
    known.first = known.count === 0 || path < known.first ? path : known.first;
    known.count++;
  }
  return new Map([...names].map(([facts, { first, count }]) => [facts, `${count} ${first}`]));
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
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
