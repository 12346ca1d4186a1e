/** Unpacks an image to a directory of the user's, which is whole in the end or as it was before. Knows no store. */
import { mkdir, mkdtemp, readdir, realpath, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { ArchiveSummary, Visitor } from "../image/archive.ts";
import type { ImageLimits } from "../image/limits.ts";
import { removeTrees } from "../shim/remove.ts";
import type { ReadImage } from "./read-image.ts";

export interface UnpackToOptions {
  readonly directory: string;
  /** `image`: manifest and rootfs/ below it; `rootfs`: the files themselves. */
  readonly layout: "image" | "rootfs";
  readonly overwrite: boolean;
  /** A directory that must not be replaced together with `directory`. */
  readonly keep: string;
  readonly owner: boolean;
  /** Device nodes are made (D01, D02); without it they are left out and listed. */
  readonly devices: boolean;
  /** Those of spec/image.md when absent. */
  readonly limits?: ImageLimits | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PlaceOptions = Pick<UnpackToOptions, "directory" | "overwrite" | "keep">;

export interface UnpackedTo<S extends ReadImage = ArchiveSummary> {
  readonly summary: S;
  /** Without links. */
  readonly directory: string;
  readonly skipped: readonly string[];
}

/**
 * Made beside its place and renamed into it. Device nodes are left out unless they are wanted: outside of a pod nothing but the mode of the
 * directory keeps them from being opened.
 * @throws Failure USAGE for `/` and for a directory that holds `keep`; ALREADY_EXISTS, NOT_FOUND, and as extractArchive
 */
export async function unpackTo(source: AsyncIterable<Uint8Array>, options: UnpackToOptions): Promise<UnpackedTo> {
  const { readArchive } = await import("../image/archive.ts");
  return await unpackImage((visit) => readArchive(source, visit, options), options);
}

/** As unpackTo, of an image that `read` reads, whatever it is made of. */
export async function unpackImage<S extends ReadImage>(
  read: (visit: Visitor) => Promise<S>,
  options: UnpackToOptions,
): Promise<UnpackedTo<S>> {
  const { unpackMembers } = await import("../image/extract.ts");
  const fill = async (rootfs: string) => {
    let skipped: readonly string[] = [];
    const summary = await read(async (members) => {
      ({ skipped } = await unpackMembers(members, rootfs, options));
    });
    return { manifest: summary.manifestBytes, summary, skipped };
  };
  const { directory, filled } = await fillPlace(fill, options);
  return { summary: filled.summary, directory, skipped: filled.skipped };
}

/** As unpackTo, of files that `fill` makes in an empty directory; it gives the manifest that belongs to them. */
export async function fillPlace<T extends { readonly manifest: Buffer }>(
  fill: (rootfs: string) => Promise<T>,
  { layout, ...options }: PlaceOptions & Pick<UnpackToOptions, "layout">,
): Promise<{ readonly directory: string; readonly filled: T }> {
  return await fillDirectory(async (image) => {
    const rootfs = join(image, "rootfs");
    await mkdir(rootfs, { mode: 0o755 });
    const filled = await fill(rootfs);
    await writeFile(join(image, "manifest"), filled.manifest, { mode: 0o644 });
    return { made: layout === "rootfs" ? rootfs : image, filled };
  }, options);
}

/** Whole at its place, or as it was before: what `fill` makes in, or of, an empty directory beside it. */
export async function fillDirectory<T>(
  fill: (directory: string) => Promise<{ readonly made: string; readonly filled: T }>,
  options: PlaceOptions,
): Promise<{ readonly directory: string; readonly filled: T }> {
  const place = await findPlace(options);
  const work = await mkdtemp(join(dirname(place), `.${basename(place).slice(0, 64)}.`)).catch((error: unknown) => {
    throw ioFailure(error, `cannot make a directory beside ${printable(place)}`, place);
  });
  try {
    const image = join(work, "image");
    await mkdir(image, { mode: 0o700 });
    const { made, filled } = await fill(image).catch((error: unknown) => {
      throw atPlace(error, place);
    });
    await moveTo(place, made, join(work, "replaced"));
    return { directory: place, filled };
  } finally {
    await removeTrees(dirname(place), [basename(work)]);
  }
}

/** What is wrong while files are made is told by their names in the image, which do not say whose disk is full. */
function atPlace(error: unknown, place: string): unknown {
  if (!(error instanceof Failure) || error.code !== "DISK_FULL") return error;
  const { hint, message } = error;
  return new Failure("DISK_FULL", `cannot unpack into ${printable(place)}`, { subject: place, hint, cause: message });
}

/** Where `directory` really is. Checked before anything is read, so that a mistake costs nothing. */
async function findPlace({ directory, overwrite, keep }: PlaceOptions): Promise<string> {
  const shown = printable(directory);
  const place = await resolvePlace(resolve(directory));
  if (place === sep) throw new Failure("USAGE", "an image is not unpacked over /", { subject: directory });
  let names: readonly string[];
  try {
    if (!(await stat(place)).isDirectory()) {
      throw new Failure("ALREADY_EXISTS", `${shown} is there and is no directory`, { subject: directory });
    }
    names = await readdir(place);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return place;
    throw ioFailure(error, `cannot look at ${shown}`, directory);
  }
  if (names.length > 0 && !overwrite) {
    throw new Failure("ALREADY_EXISTS", `${shown} is there and is not empty`, {
      subject: directory,
      hint: "give another directory, or --overwrite to replace this one and everything in it",
    });
  }
  if (isWithin(keep, place)) {
    throw new Failure("USAGE", `${shown} holds the store and is not replaced`, { subject: directory, cause: keep });
  }
  return place;
}

async function resolvePlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioFailure(error, `cannot look at ${printable(path)}`, path);
  }
  const parent = dirname(path);
  const real = await realpath(parent).catch((error: unknown) => {
    throw ioFailure(error, `cannot use ${printable(parent)}`, parent);
  });
  return join(real, basename(path));
}

/** Whether `path` is `directory` or below it, by components. */
function isWithin(path: string, directory: string): boolean {
  const [first] = relative(directory, path).split(sep);
  return first !== "..";
}

/** Puts `from` at `place`, where an empty directory may be, or one to replace: that one waits at `aside` and comes back on failure. */
async function moveTo(place: string, from: string, aside: string): Promise<void> {
  const failure = (error: unknown): Failure => ioFailure(error, `cannot put the image at ${printable(place)}`, place);
  try {
    await rename(from, place);
    return;
  } catch (error) {
    if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "EEXIST") throw failure(error);
  }
  try {
    await rename(place, aside);
  } catch (error) {
    throw failure(error);
  }
  try {
    await rename(from, place);
  } catch (error) {
    await rename(aside, place);
    throw failure(error);
  }
}
