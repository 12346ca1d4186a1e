/**
 * Looks near the top of a writable volume of the host for files that give their owner's power. The filter keeps an app from making one and
 * the kernel takes the marks off one that is written to, but not off one that is changed through a shared mapping.
 */
import { type Dir, lstatSync, opendirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { hasXattr } from "../shim/libc.ts";

/** Directory levels below the source that are looked at, and entries in all: a volume may hold millions, and waits for nothing (ISO-9). */
const bounds = { levels: 2, entries: 1000 } as const;

/**
 * One file that is set-user-ID, set-group-ID or has capabilities: the source itself or one of the first two levels below it, on the same
 * file system (another may be one that answers slowly or is mounted by looking). Undefined: none among the first 1000 entries.
 */
export function findMarkedFile(source: string): string | undefined {
  const top = lookAt(source);
  if (top === undefined) return undefined;
  if (isMarked(source, top)) return source;
  let directories = top.isDirectory() ? [source] : [];
  let left: number = bounds.entries;
  for (let level = 0; level < bounds.levels; level++) {
    const entries = directories.flatMap((directory) => {
      const names = firstNames(directory, left);
      left -= names.length;
      return names.map((name) => join(directory, name));
    });
    const below: string[] = [];
    for (const path of entries) {
      const stat = lookAt(path);
      if (stat !== undefined && isMarked(path, stat)) return path;
      if (stat?.isDirectory() === true && stat.dev === top.dev) below.push(path);
    }
    directories = below;
  }
  return undefined;
}

/** Unread beyond `limit`: a directory may have any number. One that cannot be read, or went meanwhile, has none. */
function firstNames(directory: string, limit: number): readonly string[] {
  if (limit <= 0) return [];
  const names: string[] = [];
  let open: Dir | undefined;
  try {
    open = opendirSync(directory);
    while (names.length < limit) {
      const entry = open.readSync();
      if (entry === null) break;
      names.push(entry.name);
    }
  } catch {
    // Only a warning would come of it.
  } finally {
    open?.closeSync();
  }
  return names;
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

const executes = 0o111;

/** S_ISGID counts with the group's right to execute only; without it, it gives no power. */
function isMarked(path: string, stat: Stats): boolean {
  if (!stat.isFile()) return false;
  if ((stat.mode & 0o4000) !== 0 || (stat.mode & 0o2010) === 0o2010) return true;
  return (stat.mode & executes) !== 0 && hasXattr(Buffer.from(path), "security.capability");
}
