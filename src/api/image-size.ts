/** Where the bytes of an image are: its largest files and directories, and what a path whitelist saves or would save. */

import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { type ArchiveOptions, readArchive } from "../image/archive.ts";
import { pathText } from "../image/facts.ts";
import { emptyListing, type ListedFile, type ListedPath } from "../image/listing.ts";
import { AbsolutePath } from "../schema/app.ts";
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { readableArchives } from "../store/layered-files.ts";
import { planTree } from "../store/layers.ts";
import { readManifestSync, renderFacts } from "../store/lookup.ts";
import { compileWhitelist, isKept } from "../store/render.ts";
import { laidMembers } from "../store/rendering.ts";
import { findImageSource, type ImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";

export interface ImageSizeOptions {
  /** A stored image, which is looked at with all it depends on, or the path of an .aci. */
  readonly image: string;
  /** A file of absolute paths, one a line, to be tried as pathWhitelist instead of the image's own. */
  readonly whitelist?: string | undefined;
  /** How many of the largest are named; 10 when absent. */
  readonly top?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SizedPath {
  readonly path: string;
  /** Bytes of content; of a directory those of all files in it. */
  readonly size: number;
}

export interface ImageSize {
  readonly id: ImageID;
  readonly name: string;
  /** Of the files, each counted once whatever its names; before the whitelist. */
  readonly entries: number;
  readonly fileBytes: number;
  readonly files: readonly SizedPath[];
  readonly directories: readonly SizedPath[];
  /** Null without a list. */
  readonly whitelist: {
    readonly paths: number;
    readonly keptEntries: number;
    readonly keptBytes: number;
    readonly savedBytes: number;
    /** Listed, but not in the image. */
    readonly unknown: readonly string[];
  } | null;
}

interface Found {
  readonly id: ImageID;
  readonly name: string;
  /** Of the image itself, not applied yet. */
  readonly own: readonly string[];
  readonly paths: readonly ListedPath[];
}

/** @throws Failure USAGE, NOT_FOUND, AMBIGUOUS, DIGEST_MISMATCH; as readArchive */
export async function imageSize(settings: Settings, options: ImageSizeOptions): Promise<ImageSize> {
  const tried = options.whitelist === undefined ? undefined : await readWhitelist(options.whitelist);
  const source = await findImageSource(settings, options.image);
  const { id, name, own, paths } =
    source.kind === "stored"
      ? await ofStored(settings, source, options.signal)
      : await ofFile(source.open(), { limits: await settings.limits(), signal: options.signal });
  const { top = 10 } = options;
  return {
    id,
    name,
    entries: paths.length,
    fileBytes: bytesOf(paths),
    files: largest(
      paths.map(({ path, file: { size } }) => [path, size]),
      top,
    ),
    directories: largest([...directorySizes(paths)], top),
    whitelist: saved(paths, tried ?? own),
  };
}

async function ofFile(bytes: AsyncIterable<Uint8Array>, options: ArchiveOptions): Promise<Found> {
  const listing = emptyListing();
  const { id, manifest } = await readArchive(
    bytes,
    async (members) => {
      for await (const member of members) listing.lay(member, 0);
    },
    options,
  );
  return { id, name: manifest.name, own: manifest.pathWhitelist, paths: [...listing.paths()] };
}

/** The tree without the root's own list; those of the images below it stay. */
async function ofStored(
  settings: Settings,
  { store, record }: Extract<ImageSource, { kind: "stored" }>,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const lock = await lockStore(store, "shared", { signal, log: settings.log });
  try {
    const { layers } = planTree(store, record.id);
    const own = renderFacts(readManifestSync(store, record.id), record.name).whitelist;
    // Of the topmost layer's lists its own is the only one, and is the same object in all of them.
    const [rootList] = layers.at(-1)?.whitelists ?? [];
    const free = layers.map((layer) => ({
      ...layer,
      whitelists: layer.whitelists.filter((list) => list !== rootList),
    }));
    const listing = emptyListing();
    for await (const { member, layer } of laidMembers(readableArchives(store), free, { log: settings.log, signal }))
      listing.lay(member, layer);
    return { id: record.id, name: record.name, own, paths: [...listing.paths()] };
  } finally {
    lock.release();
  }
}

/** @throws Failure NOT_FOUND, USAGE naming the line */
async function readWhitelist(file: string): Promise<readonly string[]> {
  const bytes = await readIfExists(file, 4 * 1024 * 1024);
  if (bytes === undefined) {
    throw new Failure("NOT_FOUND", `the list ${printable(file)} is not there`, { subject: file });
  }
  const lines = bytes.toString("utf8").split("\n").entries();
  const paths = [...lines].map(([at, line]) => [at, line.trim()] as const).filter(([, line]) => line !== "");
  const wrong = paths.find(([, line]) => !AbsolutePath.safeParse(line).success);
  if (wrong !== undefined) {
    throw new Failure(
      "USAGE",
      `${printable(file)}:${wrong[0] + 1}: ${printable(wrong[1])} is no absolute path (ACI-49)`,
      {
        subject: file,
        hint: "one path a line, such as /usr/bin/web",
      },
    );
  }
  return paths.map(([, line]) => line);
}

function saved(paths: readonly ListedPath[], list: readonly string[]): ImageSize["whitelist"] {
  const compiled = compileWhitelist(list);
  if (compiled === undefined) return null;
  const kept = paths.filter(({ path, file }) => isKept({ path, type: file.type, link: "" }, [compiled]));
  const present = new Set(paths.map(({ path }) => path));
  const keptBytes = bytesOf(kept);
  return {
    paths: compiled.paths.size,
    keptEntries: kept.length,
    keptBytes,
    savedBytes: bytesOf(paths) - keptBytes,
    unknown: compiled.sorted.filter((path) => path !== "" && !present.has(path)).map((path) => `/${pathText(path)}`),
  };
}

/** Files with several names count once. */
function bytesOf(paths: readonly ListedPath[]): number {
  const files = new Set<ListedFile>(paths.map(({ file }) => file));
  return [...files].reduce((sum, { size }) => sum + size, 0);
}

/** A file counts where its first name is. */
function directorySizes(paths: readonly ListedPath[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const seen = new Set<ListedFile>();
  for (const { path, file } of paths) {
    if (file.type !== "file" || file.size === 0 || seen.has(file)) continue;
    seen.add(file);
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const directory = path.slice(0, slash);
      sizes.set(directory, (sizes.get(directory) ?? 0) + file.size);
    }
  }
  return sizes;
}

function largest(sizes: readonly (readonly [string, number])[], top: number): readonly SizedPath[] {
  return sizes
    .filter(([, size]) => size > 0)
    .toSorted(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .slice(0, top)
    .map(([path, size]) => ({ path: `/${pathText(path)}`, size }));
}
