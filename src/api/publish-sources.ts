/** What publish takes its images from: files, the files of a directory, and the store, whose archives have their signature beside them too. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { KeyToPublish } from "../site/publish.ts";
import { readArchiveBlob, touchImage } from "../store/images.ts";
import { openFile, readChunks } from "../trust/files.ts";
import { findImageSource } from "./image-source.ts";
import { keystoreOf } from "./keystore.ts";
import type { Settings } from "./settings.ts";

export interface PublishSource {
  /** Of the archive; a signature is at PATH.asc (ACI-9). */
  readonly path: string;
  /** What the user knows it by. */
  readonly called: string;
  /** The archive's bytes; those of a stored image are compared with its record while they are read (T-D14). */
  open(signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
  /** Trusted keys of those who vouched for a stored image. */
  readonly keys: readonly KeyToPublish[];
}

/**
 * The images that `image` means: the .aci file or the directory of them that is there, else the one stored image of that name or ID.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE
 */
export async function publishSources(settings: Settings, image: string): Promise<readonly PublishSource[]> {
  const names = await readdir(image).catch((error: unknown) => {
    if (errnoOf(error) === "ENOTDIR" || (errnoOf(error) === "ENOENT" && !image.endsWith("/"))) return undefined;
    throw ioFailure(error, `cannot read ${image}`, image);
  });
  if (names !== undefined) return imagesIn(image, names);
  const source = await findImageSource(settings, image);
  if (source.kind === "file") return [fileSource(source.path)];
  const { path, store, record } = source;
  touchImage(store, record.id);
  const vouching = new Set(record.signers.map(({ fingerprint }) => fingerprint));
  // A keystore that cannot be read is no reason to keep an image back that nobody vouched for.
  const trusted = vouching.size === 0 ? [] : await keystoreOf(settings).keysFor(record.name);
  return [
    {
      path,
      called: image,
      open: () => readArchiveBlob(store, record),
      keys: trusted.filter(({ fingerprint }) => vouching.has(fingerprint)),
    },
  ];
}

function imagesIn(directory: string, names: readonly string[]): readonly PublishSource[] {
  const images = names.filter((name) => name.endsWith(".aci") && name[0] !== ".").sort();
  if (images.length > 0) return images.map((name) => fileSource(join(directory, name)));
  throw new Failure("NOT_FOUND", `${printable(directory)} has no images`, {
    subject: directory,
    hint: "files that are called something.aci directly in the directory are published",
  });
}

function fileSource(path: string): PublishSource {
  const open = async function* (signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const handle = await openFile(path);
    try {
      yield* readChunks(handle, signal);
    } finally {
      await handle.close();
    }
  };
  return { path, called: path, open, keys: [] };
}
