/**
 * Which entries of which archive make a tree (ACE-5, ACE-7). Pure: names in, decisions out; trees.ts lets the bytes follow.
 * Paths are those of the archive, relative, `.` for the root, one character a byte (latin1), so that every name survives.
 */

/** What a decision needs of an entry. */
export interface EntryName {
  readonly path: string;
  readonly type: string;
  /** Of a hard link: the path of an earlier entry of the same archive. */
  readonly link: string;
}

/** A pathWhitelist made ready for look-ups. */
export interface Whitelist {
  readonly paths: ReadonlySet<string>;
  /** The same in byte order. A list of their parents would be the square of a hostile list. */
  readonly sorted: readonly string[];
}

/** Undefined for an empty list, which keeps everything (ACI-49). Entries are compared whole: no globs, no subtrees. */
export function compileWhitelist(list: readonly string[]): Whitelist | undefined {
  if (list.length === 0) return undefined;
  const paths = new Set(list.map((path) => Buffer.from(path).toString("latin1").split("/").filter(isNamed).join("/")));
  return { paths, sorted: [...paths].sort() };
}

/** Whether a listed path lies below `path`: then the first that is not before `path/` does. */
function isOnTheWay({ sorted }: Whitelist, path: string): boolean {
  const prefix = `${path}/`;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") < prefix) low = middle + 1;
    else high = middle;
  }
  return sorted[low]?.slice(0, prefix.length) === prefix;
}

function isNamed(part: string): boolean {
  return part !== "" && part !== ".";
}

/**
 * Whether an entry passes its own image's whitelist and that of every image above it (ACE-7). The root always stays, and so
 * does a directory on the way to a listed path, with the owner and mode its image gave it.
 */
export function isKept(entry: EntryName, whitelists: readonly Whitelist[]): boolean {
  if (entry.path === ".") return true;
  return whitelists.every(
    (list) => list.paths.has(entry.path) || (entry.type === "directory" && isOnTheWay(list, entry.path)),
  );
}

/** Where an entry of an archive goes: under which path, and for a hard link, to which. */
export interface Placement {
  readonly path: string;
  readonly link: string;
}

/**
 * The entries of one archive that stay, by their path in it. The names of one file (hard links) are looked at together: when
 * the name that carries the content is filtered out, the content goes to the first name that stays.
 */
export function placeEntries(
  entries: readonly EntryName[],
  whitelists: readonly Whitelist[],
): ReadonlyMap<string, Placement> {
  const origin = originsOf(entries);
  const originOf = (path: string): string => origin.get(path) ?? path;
  const carrier = new Map<string, string>();
  for (const entry of entries) {
    const source = originOf(entry.path);
    if (isKept(entry, whitelists) && !carrier.has(source)) carrier.set(source, entry.path);
  }
  const placements = new Map<string, Placement>();
  for (const entry of entries) {
    const source = originOf(entry.path);
    const path = carrier.get(source);
    if (path === undefined) continue;
    if (entry.path === source) placements.set(entry.path, { path, link: entry.link });
    else if (entry.path !== path && isKept(entry, whitelists))
      placements.set(entry.path, { path: entry.path, link: path });
  }
  return placements;
}

/** Of every hard link the path whose entry carries the content, through links to links. */
function originsOf(entries: readonly EntryName[]): ReadonlyMap<string, string> {
  const origin = new Map<string, string>();
  for (const { path, type, link } of entries) {
    if (type === "hardlink") origin.set(path, origin.get(link) ?? link);
  }
  return origin;
}
