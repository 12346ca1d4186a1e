/** Where the bytes of the images of a tree come from. Knows nothing of what is done with them, and loads no reader. */
import { acceptedLimits, type ImageLimits } from "../image/limits.ts";
import type { ImageID } from "../schema/image-id.ts";
import type { PackEntry } from "../shim/pack.ts";
import { readArchiveBlob } from "./images.ts";
import type { Store } from "./layout.ts";
import { notStored, readRecordSync } from "./lookup.ts";

/** The archive of an image; it is read two times when a whitelist applies, and must be the same each time. */
export interface LayerArchive {
  readonly id: ImageID;
  readonly name: string;
  readonly limits: ImageLimits;
  open(): AsyncIterable<Uint8Array>;
  /** Of an image of layers, which has no archive: its files (layered-files.ts). */
  readonly files?: ((signal: AbortSignal | undefined) => AsyncIterable<PackEntry>) | undefined;
}

export type ArchiveOf = (id: ImageID) => LayerArchive;

/** Those of the store, compared with their records. */
export function storedArchives(store: Store): ArchiveOf {
  return (id) => {
    const record = readRecordSync(store, id);
    if (record === undefined) throw notStored(id);
    return { id, name: record.name, limits: acceptedLimits, open: () => readArchiveBlob(store, record) };
  };
}
