/** Writes a stored image to a file: as it was fetched, byte for byte, so that its signature still fits; or in another format. */
import { printable } from "../base/failure.ts";
import { requireImageName, writeOutput } from "../image/output.ts";
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { touchImage } from "../store/images.ts";
import { readManifestSync } from "../store/lookup.ts";
import { findStoredImage, type ImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";

/** What an image can be written as. */
export const exportKinds = ["aci", "oci", "oci-archive", "docker-archive"] as const;
export type ExportKind = (typeof exportKinds)[number];

export interface ExportImageOptions {
  /** `sha512-` and ≥ 8 digits, or NAME[:VERSION][,label=value…]; not as `aci` also the path of an .aci, which is not verified. */
  readonly image: string;
  /** Ends in `.aci`, if that is what is written; a directory that is not there yet, or empty, for `oci`. */
  readonly output: string;
  /** `aci` when absent. */
  readonly as?: ExportKind | undefined;
  /** Refuse what cannot be written whole. */
  readonly strict?: boolean | undefined;
  /** Replace an existing file, or directory with all that is in it. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportedImage {
  /** Of the image; of the new one when files that came as layers became an .aci. */
  readonly id: ImageID;
  readonly name: string;
  readonly path: string;
  /** Bytes of the archive, or of the blobs in a directory. */
  readonly size: number;
  /** Digest of the OCI manifest. */
  readonly manifest?: string | undefined;
  /** What an OCI image has no words for. */
  readonly lost?: readonly string[] | undefined;
}

/**
 * Whole and durable, or not there.
 * @throws Failure USAGE, NOT_FOUND, AMBIGUOUS, ALREADY_EXISTS, DIGEST_MISMATCH, DISK_FULL; UNSUPPORTED for what OCI cannot say
 */
export async function exportImage(settings: Settings, options: ExportImageOptions): Promise<ExportedImage> {
  const { image, output, as = "aci", overwrite = false, signal } = options;
  if (as !== "aci") {
    const { exportOci } = await import("./export-oci.ts");
    return await exportOci(settings, { ...options, as });
  }
  requireImageName(output);
  const source = await findStoredImage(settings, image, (file) => `cp ${file} ${printable(output)}: it is the archive`);
  const { store, record, open } = source;
  touchImage(store, record.id);
  const { id, name } = record;
  if (record.oci !== undefined) return await layersAsArchive(settings, source, options);
  settings.log.debug(`exporting ${printable(name)} from ${record.archive.sha512}`);
  const size = await writeOutput(open(), { output, overwrite, signal });
  return { id, name, path: output, size };
}

/** The files that its layers show together, with the image manifest that stands for it (OCI-89). */
async function layersAsArchive(
  { log, sourceDateEpoch }: Settings,
  { store, record }: Extract<ImageSource, { kind: "stored" }>,
  { output, overwrite = false, signal }: ExportImageOptions,
): Promise<ExportedImage> {
  const [{ buildArchive }, { layeredFiles }] = await Promise.all([
    import("../image/build.ts"),
    import("../store/layered-files.ts"),
  ]);
  const lock = await lockStore(store, "shared", { signal, log });
  try {
    const built = await buildArchive({
      manifest: readManifestSync(store, record.id),
      rootfs: layeredFiles(store, record, signal),
      ...{ output, overwrite, compression: "gzip", ownerRoot: false, sourceDateEpoch, signal, log },
    });
    return { ...built, name: record.name };
  } finally {
    lock.release();
  }
}
