/** Writes a stored image to a file, byte for byte as it was fetched, so that its signature still fits. */
import { printable } from "../base/failure.ts";
import { requireImageName, writeOutput } from "../image/output.ts";
import type { ImageID } from "../schema/image-id.ts";
import { touchImage } from "../store/images.ts";
import { findStoredImage } from "./image-source.ts";
import type { Settings } from "./settings.ts";

export interface ExportImageOptions {
  /** `sha512-` and ≥ 8 digits, or NAME[:VERSION][,label=value…]. */
  readonly image: string;
  /** Ends in `.aci`. */
  readonly output: string;
  /** Replace an existing file. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportedImage {
  readonly id: ImageID;
  readonly name: string;
  readonly path: string;
  /** Bytes of the archive. */
  readonly size: number;
}

/** Whole and durable, or not there. @throws Failure USAGE, NOT_FOUND, AMBIGUOUS, ALREADY_EXISTS, DIGEST_MISMATCH, DISK_FULL */
export async function exportImage(settings: Settings, options: ExportImageOptions): Promise<ExportedImage> {
  const { image, output, overwrite = false, signal } = options;
  requireImageName(output);
  const { store, record, open } = await findStoredImage(
    settings,
    image,
    (file) => `cp ${file} ${printable(output)}: it is the archive`,
  );
  touchImage(store, record.id);
  const { id, name } = record;
  settings.log.debug(`exporting ${printable(name)} from ${record.archive.sha512}`);
  const size = await writeOutput(open(), { output, overwrite, signal });
  return { id, name, path: output, size };
}
