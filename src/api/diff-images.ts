/** Compares two images: fields of their manifests, their own files and why each differs, their sizes. */
import type { Visitor } from "../image/archive.ts";
import { compareDocuments, compareFiles, type FieldDifference, type Reason } from "../image/difference.ts";
import { type FileFacts, pathText, readFacts } from "../image/facts.ts";
import type { FileTable } from "../image/file-table.ts";
import type { ImageID } from "../schema/image-id.ts";
import { findImageSource } from "./image-source.ts";
import { type ReadImage, readImage } from "./read-image.ts";
import type { Settings } from "./settings.ts";

export interface DiffImagesOptions {
  /** Each a stored image or the path of an .aci. */
  readonly before: string;
  readonly after: string;
  /** Files of which only the time differs are named too. */
  readonly times?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ComparedImage {
  readonly id: ImageID;
  readonly name: string;
  /** Bytes of the uncompressed tar. */
  readonly tarSize: number;
  /** Entries below rootfs, and the bytes of the files. */
  readonly entries: number;
  readonly fileBytes: number;
}

export interface DifferentFile {
  /** Harmless for a terminal. */
  readonly path: string;
  readonly why: readonly Reason[];
  readonly before: FileFacts;
  readonly after: FileFacts;
}

export interface ImageDifference {
  readonly before: ComparedImage;
  readonly after: ComparedImage;
  readonly manifest: readonly FieldDifference[];
  readonly added: readonly { readonly path: string; readonly facts: FileFacts }[];
  readonly removed: readonly { readonly path: string; readonly facts: FileFacts }[];
  readonly changed: readonly DifferentFile[];
  /** Files of which only the time differs; part of `changed` with `times`. */
  readonly timeOnly: number;
}

/** Both are read to their end, stored ones compared with their record. @throws Failure NOT_FOUND, AMBIGUOUS, USAGE; as readArchive */
export async function diffImages(settings: Settings, options: DiffImagesOptions): Promise<ImageDifference> {
  const before = await read(settings, options.before, options.signal);
  const after = await read(settings, options.after, options.signal);
  const { added, removed, changed, timeOnly } = compareFiles(before.files, after.files, options.times);
  return {
    before: describe(before.summary),
    after: describe(after.summary),
    manifest: compareDocuments(before.document, after.document),
    added: added.map(readable),
    removed: removed.map(readable),
    changed: changed.map(readable),
    timeOnly,
  };
}

async function read(settings: Settings, image: string, signal: AbortSignal | undefined) {
  const source = await findImageSource(settings, image);
  let files: FileTable = [];
  const visit: Visitor = async (members) => {
    files = await readFacts(members);
  };
  const summary = await readImage(settings, source, visit, signal);
  const document: unknown = JSON.parse(summary.manifestBytes.toString("utf8"));
  return { summary, files, document };
}

function describe({ id, manifest, tarSize, entries, fileBytes }: ReadImage): ComparedImage {
  return { id, name: manifest.name, tarSize, entries, fileBytes };
}

/** Names and targets are bytes; here they become text. */
function readable<T extends { readonly path: string }>(file: T): T {
  return { ...file, path: pathText(file.path) };
}
