/** Builds an image, from a layout directory or from a manifest and a root file system. */
import { Failure } from "../base/failure.ts";
import { type BuiltImage, buildArchive } from "../image/build.ts";
import { readLayoutDirectory, readManifestFile } from "../image/layout-directory.ts";
import type { Settings } from "./settings.ts";

export interface BuildImageOptions {
  /** Holds `manifest` and `rootfs/`; instead of the next two. */
  readonly directory?: string | undefined;
  readonly manifest?: string | undefined;
  readonly rootfs?: string | undefined;
  /** Ends in `.aci`. */
  readonly output: string;
  /** Replace an existing file. */
  readonly overwrite?: boolean | undefined;
  readonly compression?: "gzip" | "none" | undefined;
  /** Everything belongs to 0:0 in the image. */
  readonly ownerRoot?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type { BuiltImage };

/**
 * The image file, whole and durable. Same input, same bytes; SOURCE_DATE_EPOCH of the settings bounds the times.
 * @throws Failure USAGE, NOT_FOUND, ALREADY_EXISTS, MANIFEST_INVALID, JSON_INVALID, IMAGE_INVALID, UNSUPPORTED, DISK_FULL, SHIM_FAILED, INTERRUPTED
 */
export async function buildImage(settings: Settings, options: BuildImageOptions): Promise<BuiltImage> {
  const { output, overwrite = false, compression = "gzip", ownerRoot = false, signal } = options;
  const { manifest, manifestPath, rootfs } = await readParts(options);
  return await buildArchive({
    manifest,
    manifestName: manifestPath,
    rootfs,
    output,
    overwrite,
    compression,
    ownerRoot,
    sourceDateEpoch: settings.sourceDateEpoch,
    signal,
    log: settings.log,
  });
}

async function readParts({ directory, manifest, rootfs }: BuildImageOptions) {
  if (directory !== undefined && manifest === undefined && rootfs === undefined) {
    return await readLayoutDirectory(directory);
  }
  if (directory === undefined && manifest !== undefined && rootfs !== undefined) {
    return { manifest: await readManifestFile(manifest), manifestPath: manifest, rootfs };
  }
  throw new Failure("USAGE", "build takes either a directory, or --manifest and --rootfs together", {
    hint: "perigee build DIR OUT.aci",
  });
}
