/** What a tree takes on the disk: allocated blocks, so that holes count nothing, and each file once whatever its names. */
import { lstatSync, readdirSync } from "node:fs";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

const slash = Buffer.from("/");
const blockSize = 512;

/**
 * Bytes. Follows no link; names are bytes, which a stranger chose. What cannot be looked at, because its path is too long or a
 * directory on the way is closed to us, is left out.
 */
export function sizeOnDisk(root: string): number {
  const seen = new Set<number>();
  const waiting: Buffer[] = [];
  let size = 0;
  const take = (path: Buffer): void => {
    const found = reach(path, () => lstatSync(path));
    if (found === undefined) return;
    if (found.isDirectory()) waiting.push(path);
    else if (found.nlink > 1 && seen.has(found.ino)) return;
    else if (found.nlink > 1) seen.add(found.ino);
    size += found.blocks * blockSize;
  };
  take(Buffer.from(root));
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const path = directory;
    const names = reach(path, () => readdirSync(path, { encoding: "buffer" })) ?? [];
    for (const name of names) take(Buffer.concat([path, slash, name]));
  }
  return size;
}

function reach<T>(path: Buffer, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENAMETOOLONG", "EACCES", "ENOENT"].includes(errnoOf(error) ?? "")) return undefined;
    const name = path.toString("latin1");
    throw ioFailure(error, `cannot look at ${name}`, name);
  }
}
