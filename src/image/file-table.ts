/**
 * The facts of all files of an image in little memory, for comparing images of any number of files: as bytes outside of the
 * heap, some 130 a file, and as objects only when they are looked at. Knows neither archives nor differences.
 */
import { pathKey } from "../tar/entry.ts";
import type { FileFacts } from "./facts.ts";

/** What the table knows of one path. */
export interface FileRow {
  /** Below rootfs, one character a byte. */
  readonly path: string;
  /** Equal bytes are equal facts. */
  readonly record: Buffer;
  /** Of a file with several names how many there are and the first of them; undefined for one with a single name. */
  readonly names: string | undefined;
}

/** In byte order of paths. */
export type FileTable = Iterable<FileRow>;

export interface FileTableBuilder {
  /** A path comes once. The names of one file are told by `link`, an earlier path; one that did not come means nothing. */
  add(path: Buffer, facts: FileFacts, link?: Buffer): void;
  finish(): FileTable;
}

/** One more name of a file: the entry of that number is the one of `link`. */
interface Link {
  readonly entry: number;
  readonly link: string;
}

interface Names {
  readonly first: string;
  readonly count: number;
}

export function fileTable(): FileTableBuilder {
  const slabs = recordSlabs();
  // Entries are told by their number; each is two records, the path and the facts.
  const [paths, facts]: [number[], number[]] = [[], []];
  const links: Link[] = [];
  const pathOf = (entry: number): string => pathKey(slabs.at(paths[entry] ?? 0));
  return {
    add: (path, fact, link) => {
      if (link !== undefined) links.push({ entry: paths.length, link: pathKey(link) });
      paths.push(slabs.addPath(path));
      facts.push(slabs.addFacts(fact));
    },
    finish: () => {
      const order = Array.from(paths.keys()).sort((a, b) => slabs.compare(paths[a] ?? 0, paths[b] ?? 0));
      const origins = originsOf(links, (path) => findEntry(order, pathOf, path));
      const names = namesOf(order, origins, pathOf);
      return {
        *[Symbol.iterator]() {
          for (const entry of order) {
            const origin = origins.get(entry) ?? entry;
            const several = names.get(origin);
            yield {
              path: pathOf(entry),
              record: slabs.at(facts[origin] ?? 0),
              names: several === undefined ? undefined : `${several.count} ${several.first}`,
            };
          }
        },
      };
    },
  };
}

/** Of every further name the entry that came with the content, through links to links. */
function originsOf(links: readonly Link[], find: (path: string) => number | undefined): ReadonlyMap<number, number> {
  const origins = new Map<number, number>();
  for (const { entry, link } of links) {
    const target = find(link);
    if (target !== undefined && target < entry) origins.set(entry, origins.get(target) ?? target);
  }
  return origins;
}

function namesOf(
  order: readonly number[],
  origins: ReadonlyMap<number, number>,
  pathOf: (entry: number) => string,
): ReadonlyMap<number, Names> {
  const names = new Map<number, Names>();
  const shared = new Set(origins.values());
  for (const entry of shared.size === 0 ? [] : order) {
    const origin = origins.get(entry) ?? entry;
    if (!shared.has(origin)) continue;
    const known = names.get(origin);
    names.set(origin, { first: known?.first ?? pathOf(entry), count: (known?.count ?? 0) + 1 });
  }
  return names;
}

function findEntry(order: readonly number[], pathOf: (entry: number) => string, path: string): number | undefined {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pathOf(order[middle] ?? 0) < path) low = middle + 1;
    else high = middle;
  }
  const found = order[low];
  return found !== undefined && pathOf(found) === path ? found : undefined;
}

/** The facts that `record` was made of: number of bytes of the digest, these bytes, and the other facts as a list in JSON. */
export function factsIn(record: Buffer): FileFacts {
  const end = 1 + (record[0] ?? 0);
  const [type, mode, uid, gid, time, size, link, device, xattrs]: OtherFacts = JSON.parse(record.toString("utf8", end));
  return { type, mode, uid, gid, time, size, content: record.toString("hex", 1, end), link, device, xattrs };
}

type Fact<Name extends keyof FileFacts> = FileFacts[Name];
type OtherFacts = readonly [
  ...[Fact<"type">, Fact<"mode">, Fact<"uid">, Fact<"gid">, Fact<"time">, Fact<"size">],
  ...[Fact<"link">, Fact<"device">, Fact<"xattrs">],
];

function otherFacts({ type, mode, uid, gid, time, size, link, device, xattrs }: FileFacts): OtherFacts {
  return [type, mode, uid, gid, time, size, link, device, xattrs];
}

const slabBytes = 256 * 1024;
const lengthBytes = 4;

/** Bytes one behind another in large buffers, found again by the place that adding them gave. */
interface RecordSlabs {
  addPath(path: Uint8Array): number;
  addFacts(facts: FileFacts): number;
  at(place: number): Buffer;
  /** Negative when the bytes at `a` come first. */
  compare(a: number, b: number): number;
}

/** Written where they stay: buffers in between would be as much again that waits to be collected. */
function recordSlabs(): RecordSlabs {
  const slabs: Buffer[] = [];
  let [slab, used]: [Buffer, number] = [Buffer.alloc(0), 0];
  /** Room for `size` bytes behind their number, from `used - size` on. */
  const reserve = (size: number): number => {
    const whole = lengthBytes + size;
    if (used + whole > slab.length) {
      // One that is larger than a slab has one of its own, and begins at its beginning.
      slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, whole));
      slabs.push(slab);
      used = 0;
    }
    const place = (slabs.length - 1) * slabBytes + used;
    slab.writeUInt32LE(size, used);
    used += whole;
    return place;
  };
  const slabOf = (place: number): Buffer => slabs[Math.floor(place / slabBytes)] ?? slab;
  const startOf = (place: number): number => (place % slabBytes) + lengthBytes;
  const lengthAt = (place: number): number => slabOf(place).readUInt32LE(place % slabBytes);
  return {
    addPath: (path) => {
      const place = reserve(path.length);
      slab.set(path, used - path.length);
      return place;
    },
    addFacts: (facts) => {
      const text = JSON.stringify(otherFacts(facts));
      const [digestBytes, textBytes] = [facts.content.length / 2, Buffer.byteLength(text)];
      const place = reserve(1 + digestBytes + textBytes);
      slab[used - textBytes - digestBytes - 1] = digestBytes;
      slab.write(facts.content, used - textBytes - digestBytes, "hex");
      slab.write(text, used - textBytes, "utf8");
      return place;
    },
    at: (place) => {
      const start = startOf(place);
      return slabOf(place).subarray(start, start + lengthAt(place));
    },
    compare: (a, b) => {
      const [ours, theirs] = [startOf(a), startOf(b)];
      return slabOf(a).compare(slabOf(b), theirs, theirs + lengthAt(b), ours, ours + lengthAt(a));
    },
  };
}
