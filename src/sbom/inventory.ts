/** The files of an image → its packages, in one order whatever the order of the files. */
import { readApkInstalled } from "./alpine.ts";
import {
  addProblem,
  type CollectedFile,
  type Collection,
  collectFiles,
  collectLinked,
  type ImageFile,
  newCollection,
} from "./collect.ts";
import { readDpkgStatus } from "./debian.ts";
import { isUnreadable, readPackageLock } from "./npm.ts";
import { parseOsRelease } from "./os-release.ts";
import type { Distribution, FoundPackage, Inventory } from "./package.ts";
import type { PlaceKind } from "./places.ts";
import { purlOf } from "./purl.ts";
import { type RpmDatabase, readRpmDatabase } from "./rpm.ts";

/** Hands the files of an image to its argument, from the first to the last; called once more when there are hard links. */
export type Pass = (visit: (files: AsyncIterable<ImageFile>) => Promise<void>) => Promise<void>;

/** Reads an image once, or twice. @throws Failure whatever is wrong with the image itself; what is wrong inside of it is a problem of the inventory */
export async function takeInventory(pass: Pass): Promise<Inventory> {
  const collection = newCollection();
  await pass((files) => collectFiles(files, collection));
  if (collection.linked.size > 0) await pass((files) => collectLinked(files, collection));
  return inventoryOf(collection);
}

/** @internal what takeInventory makes of its collection. */
export function inventoryOf(collection: Collection): Inventory {
  const distribution = distributionOf(collection);
  const packages = [
    ...systemPackages(collection, distribution),
    ...npmPackages(collection, [...collection.packages].sort(byPlace)),
  ];
  return { distribution, packages: merge(packages), problems: [...collection.problems].sort() };
}

/** By code units, so that no locale has a say. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function byPlace(left: FoundPackage, right: FoundPackage): number {
  return compare(left.places[0] ?? "", right.places[0] ?? "");
}

/** /etc wins over /usr/lib, as for everybody who reads it. */
function distributionOf({ files }: Collection): Distribution | undefined {
  const found = files.filter(({ kind }) => kind === "os-release").sort((a, b) => compare(a.place, b.place));
  return found.map(({ bytes }) => parseOsRelease(bytes)).find((distribution) => distribution !== undefined);
}

function systemPackages(collection: Collection, distribution: Distribution | undefined): readonly FoundPackage[] {
  const problem = (sentence: string): void => addProblem(collection, sentence);
  const licences = withLinks(collection);
  return collection.files.flatMap(({ kind, place, bytes }) => {
    const context = { distribution, place, problem };
    if (kind === "dpkg") return readDpkgStatus(bytes, { ...context, licences });
    if (kind === "apk") return readApkInstalled(bytes, context);
    const format = rpmFormats.get(kind);
    if (format === undefined) return [];
    return readRpmDatabase({ format, bytes, log: logOf(collection.files, place) }, context);
  });
}

const rpmFormats: ReadonlyMap<PlaceKind, RpmDatabase["format"]> = new Map([
  ["rpm-sqlite", "sqlite"],
  ["rpm-ndb", "ndb"],
  ["rpm-bdb", "bdb"],
]);

function logOf(files: readonly CollectedFile[], place: string): Buffer | undefined {
  return files.find((file) => file.kind === "rpm-log" && file.place === `${place}-wal`)?.bytes;
}

/** Licences of packages whose documents lie in the directory of another. */
function withLinks({ licences, documentLinks }: Collection): ReadonlyMap<string, string> {
  const all = new Map(licences);
  for (const [name, target] of documentLinks) {
    const licence = licences.get(target) ?? licences.get(documentLinks.get(target) ?? "");
    if (licence !== undefined) all.set(name, licence);
  }
  return all;
}

/**
 * Installed packages, with the digests of the lockfiles; and the packages of a lockfile beside which nothing is installed: those of an app that
 * was bundled into one file.
 */
function npmPackages(collection: Collection, installed: readonly FoundPackage[]): readonly FoundPackage[] {
  const byDirectory = new Map(installed.map((found) => [directoryOf(found.places[0] ?? ""), found]));
  const projects = new Set([...byDirectory.keys()].flatMap(projectsAbove));
  const bundled: FoundPackage[] = [];
  for (const { kind, place, bytes } of collection.files) {
    if (kind !== "package-lock") continue;
    const project = projectOf(place);
    for (const { path, found } of lockedPackages(bytes, place, collection)) {
      const directory = project === "" ? path : `${project}/${path}`;
      const there = byDirectory.get(directory);
      if (there !== undefined) byDirectory.set(directory, withLock(there, found));
      else if (!projects.has(project)) bundled.push(found);
    }
  }
  return [...byDirectory.values(), ...bundled];
}

function lockedPackages(bytes: Buffer, place: string, collection: Collection): ReturnType<typeof readPackageLock> {
  try {
    return readPackageLock(bytes, place);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    addProblem(collection, error.message);
    return [];
  }
}

/** A lockfile of another version says nothing of what is installed. */
function withLock(found: FoundPackage, locked: FoundPackage): FoundPackage {
  if (found.version !== locked.version || found.name !== locked.name) return found;
  return { ...found, licence: found.licence ?? locked.licence, sha512: locked.sha512 ?? found.sha512 };
}

function directoryOf(place: string): string {
  return place.split("/").slice(0, -1).join("/");
}

/** The directory of a lockfile's project; the hidden one lies in its node_modules. */
function projectOf(place: string): string {
  return directoryOf(place)
    .split("/")
    .filter((part, index, parts) => !(part === "node_modules" && index === parts.length - 1))
    .join("/");
}

/** `app/node_modules/a/node_modules/b` → `app`, `app/node_modules/a`. */
function projectsAbove(directory: string): readonly string[] {
  const parts = directory.split("/");
  return parts.flatMap((part, index) => (part === "node_modules" ? [parts.slice(0, index).join("/")] : []));
}

/** One for each purl, with all of its places. */
function merge(packages: readonly FoundPackage[]): readonly FoundPackage[] {
  const all = new Map<string, FoundPackage>();
  for (const found of packages) {
    const purl = purlOf(found);
    const other = all.get(purl);
    const places = [...new Set([...(other?.places ?? []), ...found.places])].sort();
    all.set(purl, other === undefined ? found : { ...found, ...defined(other), places });
  }
  return [...all].sort(([left], [right]) => compare(left, right)).map(([, found]) => found);
}

function defined(found: FoundPackage): FoundPackage {
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as unknown as FoundPackage;
}
