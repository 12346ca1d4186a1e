/**
 * Compares the store with what spec/store.md says of it (CHECK-1…): what is damaged, and what only takes space. Changes nothing;
 * repair.ts does. The bytes of archives and the files of trees are read by the caller, who needs no lock for that.
 */
import { existsSync, lstatSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { readStateFile } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { answersOf } from "./answers.ts";
import { isFreeTurn } from "./downloads.ts";
import { openPlanner, type Planner } from "./layers.ts";
import {
  blobPath,
  blobsOf,
  directories,
  indexOf,
  manifestPath,
  manifestsOf,
  quarantineOf,
  type Store,
  signaturePath,
  stagingOf,
  trashOf,
  treesOf,
  turnsOf,
} from "./layout.ts";
import { listIdsSync, listNames, listRecordsSync, readManifestOf, readRecordSync, shelvesOf } from "./lookup.ts";
import { newestOf } from "./newest.ts";
import { decodeSelfChecking, isImageID, type StoredRecord } from "./records.ts";
import type { TreeUsers } from "./removal.ts";
import { isDeadStaging } from "./staging.ts";
import { findTree } from "./trees.ts";

export type FindingKind = "layout" | "record" | "manifest" | "archive" | "signature" | "tree" | "mark" | "leftover";

/** What can be done: made anew, put aside, removed, or nothing but what `advice` says. */
export type Remedy = "make" | "rebuild" | "quarantine" | "remove" | "none";

export interface Found {
  readonly kind: FindingKind;
  /** Absolute. */
  readonly path: string;
  /** A sentence without foreign text that is not printable. */
  readonly problem: string;
  /** False: only space is lost. */
  readonly isDamage: boolean;
  readonly remedy: Remedy;
  readonly advice?: string | undefined;
  /** That use it, so that it stays as it is. */
  readonly pods?: readonly string[] | undefined;
  /** The image, where it is known. */
  readonly id?: ImageID | undefined;
}

/** Digests of archives whose bytes were found to differ. */
export type Rotten = ReadonlySet<string>;

/**
 * Everything that is wrong but the content of trees, in a store whose layout is whole; the caller holds the store's exclusive lock,
 * so that nothing is half done.
 */
export function scanStore(store: Store, rotten: Rotten, users: TreeUsers): readonly Found[] {
  const records = listRecordsSync(store);
  return [
    ...scanIndex(store),
    ...records.flatMap((record) => scanImage(store, record, rotten)),
    ...scanArchives(store, records, rotten),
    ...scanManifests(store),
    ...scanTrees(store, records, users),
    ...scanMarks(store),
    ...scanLeftovers(store),
  ];
}

/** Directories that every store has and this one has not; without them nothing else can be told. */
export function scanLayout(store: Store): readonly Found[] {
  // Made when they are needed; but nothing can be made where something else stands.
  const later = [turnsOf(store), newestOf(store), answersOf(store)];
  return [...directories.map((name) => join(store.root, name)), ...later]
    .filter((path, at, all) => all.indexOf(path) === at && !isRight(path, later.includes(path)))
    .map((path) => ({ kind: "layout", path, problem: "no directory", isDamage: true, remedy: "make" }) as const);
}

function isRight(path: string, mayBeMissing: boolean): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    // Below something that is no directory itself there is none.
    if (errnoOf(error) === "ENOTDIR") return false;
    if (errnoOf(error) !== "ENOENT") throw error;
    return mayBeMissing;
  }
}

function scanIndex(store: Store): readonly Found[] {
  return listNames(indexOf(store)).flatMap((name): Found[] => {
    const id = name.replace(/\.json$/, "");
    const path = join(indexOf(store), name);
    if (id === name || !isImageID(id)) return [leftover(path, "not an entry of the index", "quarantine")];
    if (readRecordSync(store, id) !== undefined) return [];
    const problem = "the entry is not what was written: its own digest, its form or its name does not fit";
    return [{ kind: "record", path, problem, isDamage: true, remedy: "rebuild", id }];
  });
}

function scanImage(store: Store, record: StoredRecord, rotten: Rotten): readonly Found[] {
  const { id } = record;
  const name = printable(record.name);
  const found: Found[] = [];
  const path = blobPath(store, record.archive.sha512);
  const advice = `perigee fetch ${name}, or perigee image rm ${id.slice(0, 19)}`;
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) {
    found.push({ ...damage("archive", path, `the archive of ${name} is gone`), remedy: "none", advice, id });
  } else if (!file.isFile() || file.size !== record.archive.size || rotten.has(record.archive.sha512)) {
    found.push({ ...damage("archive", path, `the archive of ${name} is not what was stored`), advice, id });
  }
  if (record.signers.length > 0 && !existsSync(signaturePath(store, record.archive.sha512))) {
    const signature = signaturePath(store, record.archive.sha512);
    found.push({
      ...{ ...damage("signature", signature, `the signature of ${name} is gone`), remedy: "none" },
      ...{ advice: `perigee fetch ${name}`, id },
    });
  }
  const problem = problemOf(() => readManifestOf(store, record));
  if (problem !== undefined) {
    found.push({ ...damage("manifest", manifestPath(store, id), problem), remedy: "rebuild", id });
  }
  return found;
}

function scanArchives(store: Store, records: readonly StoredRecord[], rotten: Rotten): readonly Found[] {
  const owned = new Set(records.map((record) => record.archive.sha512));
  const shelves = shelvesOf(store);
  const strangers = listNames(blobsOf(store))
    .map((name) => join(blobsOf(store), name))
    .filter((path) => !shelves.includes(path))
    .map((path) => leftover(path, "not a directory of archives", "quarantine"));
  const files = shelves.flatMap((shelf) => listNames(shelf).map((name) => ({ shelf, name })));
  const found = files.flatMap(({ shelf, name }): Found[] => {
    const path = join(shelf, name);
    const digest = name.replace(/\.asc$/, "");
    if (!/^[0-9a-f]{128}$/.test(digest) || digest.slice(0, 2) !== basename(shelf))
      return [leftover(path, "not an archive", "quarantine")];
    if (owned.has(digest)) return [];
    if (digest !== name)
      return existsSync(join(shelf, digest)) ? [] : [leftover(path, "a signature without its archive")];
    if (rotten.has(digest)) return [damage("archive", path, "an archive of no image, and not what was stored")];
    return [{ ...damage("archive", path, "an archive that the index does not know"), remedy: "rebuild" }];
  });
  return [...strangers, ...found];
}

function scanManifests(store: Store): readonly Found[] {
  const owned = new Set<string>(listIdsSync(store));
  return listNames(manifestsOf(store))
    .filter((name) => !owned.has(name))
    .map((name) => leftover(join(manifestsOf(store), name), "a manifest of no image"));
}

function scanTrees(store: Store, records: readonly StoredRecord[], users: TreeUsers): readonly Found[] {
  // The tree of a broken entry is that of the image it becomes.
  const planner = openPlanner(store, records);
  const given = new Set<string>([
    ...listIdsSync(store),
    ...records.flatMap((record) => treeIdIfKnown(planner, record.id) ?? []),
  ]);
  return listNames(treesOf(store)).flatMap((name): Found[] => {
    const path = join(treesOf(store), name);
    const pods = users.get(name) ?? [];
    if (findTree(store, name) === undefined) {
      const half = { ...damage("tree", path, "half a tree: no mark, or no files"), remedy: "remove" } as const;
      return [pods.length > 0 ? { ...half, ...keptBy(pods) } : half];
    }
    return given.has(name) || pods.length > 0 ? [] : [leftover(path, "a tree that no image gives and no pod uses")];
  });
}

export function treeIdIfKnown(planner: Planner, id: ImageID): string | undefined {
  try {
    return planner.treeId(id);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export function keptBy(users: readonly string[]): Pick<Found, "remedy" | "advice" | "pods"> {
  const pods = [...new Set(users)];
  return { remedy: "none", advice: `perigee rm ${pods.join(" ")}, then perigee store check --repair`, pods };
}

/** Without its mark a name could be led back to an older image (T-D12). */
function scanMarks(store: Store): readonly Found[] {
  return optional(newestOf(store)).flatMap((path): Found[] => {
    if (isWhole(path)) return [];
    return [{ ...damage("mark", path, "a mark against going back to older images cannot be read"), remedy: "rebuild" }];
  });
}

function scanLeftovers(store: Store): readonly Found[] {
  const dead = listNames(stagingOf(store)).map((name) => join(stagingOf(store), name));
  return [
    ...dead.filter(isDeadStaging).map((path) => leftover(path, "work of a process that is dead")),
    ...optional(turnsOf(store))
      .filter(isFreeTurn)
      .map((path) => leftover(path, "the lock of a process that is dead")),
    ...optional(answersOf(store)).flatMap((path) => (isWhole(path) ? [] : [leftover(path, "not a whole answer")])),
    ...listNames(trashOf(store)).map((name) => leftover(join(trashOf(store), name), "thrown away")),
    ...optional(quarantineOf(store)).map((path) => ({
      ...leftover(path, "put aside by an earlier repair", "none"),
      advice: `look at it, then rm -r ${printable(path)}`,
    })),
  ];
}

/** Paths in a directory that is made only when it is needed. */
function optional(directory: string): readonly string[] {
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return listNames(directory).map((name) => join(directory, name));
}

function isWhole(path: string): boolean {
  const file = readStateFile(path);
  return !("problem" in file) && decodeSelfChecking(file.bytes) !== undefined;
}

function problemOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

function damage(kind: FindingKind, path: string, problem: string): Found {
  return { kind, path, problem, isDamage: true, remedy: "quarantine" };
}

function leftover(path: string, problem: string, remedy: Remedy = "remove"): Found {
  return { kind: "leftover", path, problem, isDamage: false, remedy };
}

/** A path of the store as it is shown. */
export function shownPath(store: Store, path: string): string {
  return printable(relative(store.root, path));
}
