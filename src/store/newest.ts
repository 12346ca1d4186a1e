/**
 * The newest signature that a name brought: one small self-checking file for each name with its labels (spec/store.md), so that
 * nobody is led back to an older image (T-D12). It outlives the image.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { syncDirectory, writeAtomic } from "../base/files.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import { FileLock } from "../shim/flock.ts";
import { sha512 } from "../shim/sha512.ts";
import type { Store } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { decodeSelfChecking, encodeSelfChecking, isText } from "./records.ts";
import { throwAway } from "./staging.ts";

export interface Named {
  readonly name: string;
  /** What was asked for, the host's os and arch included; in any order. */
  readonly labels: readonly { readonly name: string; readonly value: string }[];
}

export const newestOf = (store: Store): string => join(store.root, "newest");

/** When the newest image of that name and labels was signed; undefined when none was seen, or the file is not whole. */
export function readNewest(store: Store, named: Named): Date | undefined {
  const key = newestKey(named);
  const file = readStateFile(pathOf(store, key));
  const value = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  if (!isObject(value) || value["key"] !== key || !isText(value["signedAt"])) return undefined;
  const time = new Date(value["signedAt"]);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** Notes it when it is newer than what is noted; with `lower` also when it is older. Durable when resolved. */
export async function noteNewest(store: Store, named: Named, signedAt: Date, lower: boolean): Promise<void> {
  makeDirectories(newestOf(store), 0o700);
  const lock = await FileLock.acquire(newestOf(store), "exclusive");
  try {
    const noted = readNewest(store, named);
    const difference = signedAt.getTime() - (noted?.getTime() ?? Number.NEGATIVE_INFINITY);
    // Who noted it may have been killed before that was durable.
    if (difference === 0) return await syncDirectory(newestOf(store));
    if (difference < 0 && !lower) return;
    const key = newestKey(named);
    await writeAtomic(pathOf(store, key), encodeSelfChecking({ key, signedAt: signedAt.toISOString() }), 0o600);
  } finally {
    lock.release();
  }
}

/** Removes what writers who were killed left: whoever holds the lock knows that none is at work. */
export async function sweepNewest(store: Store): Promise<void> {
  // Made with the first mark: a store may have none.
  if (!existsSync(newestOf(store))) return;
  const lock = await FileLock.acquire(newestOf(store), "exclusive");
  try {
    const left = listNames(newestOf(store)).filter((name) => !/^[0-9a-f]{128}\.json$/.test(name));
    await throwAway(
      store,
      left.map((name) => join(newestOf(store), name)),
    );
  } finally {
    lock.release();
  }
}

/** Which mark it is; its file is named after the SHA-512 of this. */
export function newestKey({ name, labels }: Named): string {
  const pairs = labels.map((label) => [label.name, label.value]).sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  return JSON.stringify([name, pairs]);
}

function pathOf(store: Store, key: string): string {
  return join(newestOf(store), `${sha512(key)}.json`);
}
