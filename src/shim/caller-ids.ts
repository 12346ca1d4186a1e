/**
 * The ids that pods of an ordinary user have: the user's own as root, and behind it the ranges that root of the host granted in /etc/subuid
 * and /etc/subgid, where the programs that map them are installed. Knows nothing of pods.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { geteuid } from "node:process";
import type { IdMap } from "./plan.ts";

export interface CallerIds {
  /** The first is the caller's own id as 0; they follow each other inside without a gap. */
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
  /** Absolute paths of newuidmap and newgidmap; undefined: the one id of the caller is all there is. */
  readonly mappers?: { readonly uids: string; readonly gids: string } | undefined;
  /** Why there is one id only. */
  readonly lacks?: string | undefined;
}

/** What is asked of the machine. */
export interface IdSources {
  readonly uid: number;
  readonly gid: number;
  /** As the password file calls the caller; undefined: it does not. */
  readonly name: string | undefined;
  /** Content, undefined when it cannot be read. */
  readonly read: (path: string) => string | undefined;
  readonly isExecutable: (path: string) => boolean;
}

let found: CallerIds | undefined;

/** Undefined for root, whose pods have ranges of their own. Looked for once in a process. */
export function callerIds(): CallerIds | undefined {
  if ((geteuid?.() ?? 0) === 0) return undefined;
  found ??= findCallerIds({
    uid: geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    name: nameOf(),
    read: readOrNothing,
    isExecutable,
  });
  return found;
}

/** Whether trees can have the owners that their images say. */
export function canKeepOwners(): boolean {
  const ids = callerIds();
  return ids === undefined || ids.mappers !== undefined;
}

/** Places of programs of the host's; PATH is for what the user installs. */
const places = ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"];

/** newuidmap takes each range by itself; so many are on one line of a plan. */
const mostRanges = 32;
/** The largest id is -1 to the kernel. */
const idLimit = 0xffff_fffe;

export function findCallerIds(sources: IdSources): CallerIds {
  const { uid, gid } = sources;
  const own = { uids: [{ inside: 0, outside: uid, count: 1 }], gids: [{ inside: 0, outside: gid, count: 1 }] };
  const uids = rangesOf(sources, "/etc/subuid", uid);
  const gids = rangesOf(sources, "/etc/subgid", gid);
  const programs = ["newuidmap", "newgidmap"].map((name) =>
    places.map((place) => `${place}/${name}`).find(sources.isExecutable),
  );
  const [uidMapper, gidMapper] = programs;
  const lacks = [
    ...(uids.length === 0 ? ["a range in /etc/subuid"] : []),
    ...(gids.length === 0 ? ["a range in /etc/subgid"] : []),
    ...(uidMapper === undefined ? ["the program newuidmap"] : []),
    ...(gidMapper === undefined ? ["the program newgidmap"] : []),
    // Programs that are set-user-ID root have no effect then.
    ...(/^NoNewPrivs:\s*1$/m.test(sources.read("/proc/self/status") ?? "") ? ["the right to new privileges"] : []),
  ];
  if (lacks.length > 0 || uidMapper === undefined || gidMapper === undefined)
    return { ...own, lacks: lacks.join(", ") };
  return {
    uids: inARow([...own.uids, ...uids]),
    gids: inARow([...own.gids, ...gids]),
    mappers: { uids: uidMapper, gids: gidMapper },
  };
}

/** What an id of the host is inside, of either list; undefined: it is not mapped. */
export function idInside(maps: readonly IdMap[], outside: number): number | undefined {
  const map = maps.find((one) => outside >= one.outside && outside - one.outside < one.count);
  return map === undefined ? undefined : map.inside + outside - map.outside;
}

/** Lines `NAME:FIRST:COUNT` of the caller, by name or number, whole; what overlaps an earlier one, root or the caller is passed over. */
function rangesOf({ name, uid, read }: IdSources, path: string, own: number): readonly IdMap[] {
  const ranges: IdMap[] = [];
  for (const line of (read(path) ?? "").split("\n")) {
    const match = /^([^:]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim());
    const [outside, count] = [Number(match?.[2]), Number(match?.[3])];
    if (match === null || (match[1] !== name && match[1] !== String(uid)) || ranges.length === mostRanges) continue;
    const isSane = outside > 0 && count > 0 && outside + count <= idLimit;
    const isFree = [...ranges, { outside: own, count: 1 }].every(
      (other) => outside + count <= other.outside || other.outside + other.count <= outside,
    );
    if (isSane && isFree) ranges.push({ inside: 0, outside, count });
  }
  return ranges;
}

function inARow(maps: readonly IdMap[]): readonly IdMap[] {
  let inside = 0;
  return maps.flatMap(({ outside, count }) => {
    const map = { inside, outside, count: Math.min(count, idLimit - inside) };
    inside += map.count;
    return map.count > 0 ? [map] : [];
  });
}

/** Not every uid has a name. */
function nameOf(): string | undefined {
  try {
    return process.getBuiltinModule("node:os").userInfo().username;
  } catch {
    return undefined;
  }
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
