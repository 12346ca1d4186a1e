/**
 * Picks out of the files of an image those that say what packages it has. They may come from a tar stream or from a tree: what is seen is
 * headers and bodies in order, never a path of this host. Links are not followed; a hard link is read in a second pass, under its target.
 */
import { printable } from "../base/failure.ts";
import { type EntryType, pathKey, showPath } from "../tar/entry.ts";
import { readCopyright } from "./debian.ts";
import { isUnreadable, readPackageJson } from "./npm.ts";
import { type FoundPackage, mostPackages } from "./package.ts";
import { type Place, type PlaceKind, placeOf } from "./places.ts";

export interface ImageFile {
  /** Relative to the root of the image. */
  readonly path: Buffer;
  readonly type: EntryType;
  readonly size: number | bigint;
  /** Of a hard link in the form of `path`. */
  readonly link: Buffer;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface CollectedFile {
  readonly kind: PlaceKind;
  readonly place: string;
  readonly bytes: Buffer;
}

/** What the passes have gathered. */
export interface Collection {
  readonly files: CollectedFile[];
  readonly packages: FoundPackage[];
  /** Package → licence, of the copyright files; and a directory of /usr/share/doc → the one it links to. */
  readonly licences: Map<string, string>;
  readonly documentLinks: Map<string, string>;
  /** Key of a path that a second pass has to read → the places it is another name of. */
  readonly linked: Map<string, string[]>;
  readonly problems: Set<string>;
  /** Bytes of `files`. */
  size: number;
}

/** All databases together; one image has one of them. */
const largestCollection = 512 * 1024 * 1024;
const mostProblems = 100;

export function newCollection(): Collection {
  return {
    files: [],
    packages: [],
    licences: new Map(),
    documentLinks: new Map(),
    linked: new Map(),
    problems: new Set(),
    size: 0,
  };
}

export function addProblem({ problems }: Collection, sentence: string): void {
  if (problems.size < mostProblems) problems.add(printable(sentence));
}

/** The first pass. Bodies that nobody wants are left to the reader to skip. */
export async function collectFiles(files: AsyncIterable<ImageFile>, collection: Collection): Promise<void> {
  for await (const file of files) {
    const key = pathKey(file.path);
    const documents = /^usr\/share\/doc\/([^/]+)$/.exec(key)?.[1];
    if (file.type === "symlink" && documents !== undefined) noteDocuments(collection, documents, pathKey(file.link));
    const place = placeOf(key);
    if (place !== undefined) await collectOne(file, place, collection);
  }
}

/** The second pass, for what was a hard link in the first. */
export async function collectLinked(files: AsyncIterable<ImageFile>, collection: Collection): Promise<void> {
  for await (const file of files) {
    const names = file.type === "file" ? collection.linked.get(pathKey(file.path)) : undefined;
    if (names === undefined) continue;
    const wanted = names.flatMap((name) => {
      const place = placeOf(name);
      return place === undefined ? [] : [{ ...place, name: Buffer.from(name, "latin1") }];
    });
    const bytes = await read(file, Math.max(...wanted.map(({ limit }) => limit)));
    for (const { kind, limit, name } of wanted) {
      if (bytes !== undefined && bytes.length <= limit) keep(kind, showPath(name), bytes, collection);
      else addProblem(collection, tooLarge(showPath(name), file.size));
    }
  }
}

async function collectOne(file: ImageFile, { kind, limit }: Place, collection: Collection): Promise<void> {
  const place = showPath(file.path);
  if (file.type === "hardlink") {
    const target = pathKey(file.link);
    const names = collection.linked.get(target);
    if (names === undefined) collection.linked.set(target, [pathKey(file.path)]);
    else names.push(pathKey(file.path));
    return;
  }
  if (file.type !== "file") {
    // os-release is a link as a rule, and what it links to is another of our places.
    const isExpected = kind === "os-release" || kind === "copyright" || file.type === "directory";
    if (!isExpected) addProblem(collection, `${place} is a ${file.type}, which is not followed`);
    return;
  }
  const bytes = await read(file, limit);
  if (bytes === undefined) addProblem(collection, tooLarge(place, file.size));
  else keep(kind, place, bytes, collection);
}

/** undefined for a body beyond `limit`, which is not read then. */
async function read(file: ImageFile, limit: number): Promise<Buffer | undefined> {
  if (file.size > limit) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of file.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What is small and many is read at once; databases are kept, because what they say depends on other files. */
function keep(kind: PlaceKind, place: string, bytes: Buffer, collection: Collection): void {
  if (kind === "copyright") {
    const licence = readCopyright(bytes);
    const [, name = ""] = /\/doc\/([^/]+)\/copyright$/.exec(place) ?? [];
    if (licence !== undefined) collection.licences.set(name, licence);
    return;
  }
  if (kind === "package.json") {
    keepPackageJson(place, bytes, collection);
    return;
  }
  if (collection.size + bytes.length > largestCollection) {
    addProblem(collection, `${place} is left out: the databases are larger than ${largestCollection} bytes together`);
    return;
  }
  collection.size += bytes.length;
  collection.files.push({ kind, place, bytes });
}

function keepPackageJson(place: string, bytes: Buffer, collection: Collection): void {
  if (collection.packages.length >= mostPackages) {
    addProblem(collection, `there are more than ${mostPackages} npm packages`);
    return;
  }
  try {
    const found = readPackageJson(bytes, place);
    if (found !== undefined) collection.packages.push(found);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    addProblem(collection, error.message);
  }
}

/** Debian lets packages of one source share their documents: `libx1` → `libx-data`. */
function noteDocuments(collection: Collection, name: string, target: string): void {
  if (!target.includes("/") && target !== "." && target !== "..") collection.documentLinks.set(name, target);
}

function tooLarge(place: string, size: number | bigint): string {
  return `${place} has ${size} bytes, more than is read`;
}
