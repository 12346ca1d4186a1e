/** One pass over the files of an image, be it an archive of the store, one beside it, or layers. The one place that tells them apart. */
import type { ArchiveSummary, Visitor } from "../image/archive.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import type { PackEntry } from "../shim/pack.ts";
import { lockStore } from "../store/gc.ts";
import { layeredFiles } from "../store/layered-files.ts";
import { readManifestSync } from "../store/lookup.ts";
import type { TarMember } from "../tar/entry.ts";
import type { ImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";

/** `tarSize` of an image of layers is that of its blobs. */
export type ReadImage = Pick<ArchiveSummary, "id" | "manifest" | "manifestBytes" | "tarSize" | "entries" | "fileBytes">;

/**
 * `visit` gets the members, with paths relative to the root. An archive of the store is compared with its record; layers are read where they lie,
 * with the store held.
 * @throws Failure as readArchive; NOT_FOUND when a layer is missing
 */
export async function readImage(
  settings: Settings,
  source: ImageSource,
  visit: Visitor,
  signal: AbortSignal | undefined,
): Promise<ReadImage> {
  if (source.kind === "file" || source.record.oci === undefined) {
    const { readArchive } = await import("../image/archive.ts");
    return await readArchive(source.open(), visit, { limits: await settings.limits(), signal });
  }
  const { store, record } = source;
  const lock = await lockStore(store, "shared", { signal, log: settings.log });
  try {
    const counts = { entries: 0, fileBytes: 0 };
    const members = counted(layeredFiles(store, record, signal), counts);
    await visit(members);
    for await (const _ of members); // what was not wanted counts, too
    const manifestBytes = readManifestSync(store, record.id);
    const manifest = parseDocument(ImageManifest, manifestBytes, "manifest");
    return { id: record.id, manifest, manifestBytes, tarSize: record.tarSize, ...counts };
  } finally {
    lock.release();
  }
}

async function* counted(
  files: AsyncIterable<PackEntry>,
  counts: { entries: number; fileBytes: number },
): AsyncGenerator<TarMember> {
  for await (const file of files) {
    const size = Number(file.size);
    counts.entries += 1;
    counts.fileBytes += size;
    yield { ...file, size };
  }
}
