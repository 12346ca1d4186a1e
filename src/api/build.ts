/** Builds an image, from a layout directory or from a manifest and a root file system. */
import { Failure } from "../base/failure.ts";
import { type BuiltImage, buildArchive } from "../image/build.ts";
import {
  type CompressionParameters,
  compressionParameters,
  compressionWords,
  type ImageCompression,
} from "../image/compress.ts";
import { readLayoutDirectory, readManifestFile } from "../image/layout-directory.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import type { SbomKind } from "../schema/sbom-link.ts";
import { pack } from "../shim/pack.ts";
import type { ImageParts, StoredSbom } from "./build-sbom.ts";
import type { CheckedBuild } from "./check-build.ts";
import type { Settings } from "./settings.ts";
import { warnIfStale } from "./stale-signature.ts";

/** What a build of either kind is asked for beside its parts. */
export interface BuildChoices {
  /** Replace an existing file. */
  readonly overwrite?: boolean | undefined;
  readonly compression?: ImageCompression | undefined;
  /** Store a bill of materials beside the image, named by its manifest. */
  readonly sbom?: SbomKind | undefined;
  /** Make it twice, in different places, and compare; a recipe's second time is without the cache. */
  readonly check?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BuildImageOptions extends BuildChoices {
  /** Holds `manifest` and `rootfs/`; instead of the next two. */
  readonly directory?: string | undefined;
  readonly manifest?: string | undefined;
  readonly rootfs?: string | undefined;
  /** Ends in `.aci`. */
  readonly output: string;
  /** Everything belongs to 0:0 in the image. */
  readonly ownerRoot?: boolean | undefined;
}

/** What came of those that were asked for. */
export interface BuildExtras {
  readonly sbom?: StoredSbom | undefined;
  readonly check?: CheckedBuild | undefined;
}

export interface BuildResult extends BuiltImage, BuildExtras {
  readonly compression: CompressionParameters;
}

export type { CheckedBuild, ImageCompression, StoredSbom };

/**
 * The image file, whole and durable. Same input, same bytes; SOURCE_DATE_EPOCH of the settings bounds the times.
 * @throws Failure USAGE, NOT_FOUND, ALREADY_EXISTS, MANIFEST_INVALID, JSON_INVALID, IMAGE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED, DISK_FULL, SHIM_FAILED, INTERRUPTED
 */
export async function buildImage(settings: Settings, options: BuildImageOptions): Promise<BuildResult> {
  const parts = await readParts(options);
  const image = await buildParts(settings, parts, options);
  await warnIfStale(image.path, settings.log, options.signal);
  const compression = compressionParameters(options.compression ?? "gzip");
  if (options.check !== true) return { ...image, compression };
  const { checkBuild, copyParts } = await import("./check-build.ts");
  const check = await checkBuild(settings, {
    path: image.path,
    sbom: options.sbom,
    signal: options.signal,
    prepare: async (directory) => {
      const { words, copied } = await copyParts(settings, parts, directory, options.signal);
      return { words: [...flagsOf(options), ...words], copied };
    },
  });
  return { ...image, compression, check };
}

/** The words that make another process build what these options say. */
function flagsOf({ compression, ownerRoot, sbom }: BuildImageOptions): readonly string[] {
  return [
    ...compressionWords(compression),
    ...(ownerRoot === true ? ["--owner-root"] : []),
    ...(sbom === undefined ? [] : [`--sbom=${sbom}`]),
  ];
}

async function buildParts(
  settings: Settings,
  parts: ImageParts,
  options: BuildImageOptions,
): Promise<BuiltImage & { readonly sbom?: StoredSbom }> {
  const { output, overwrite = false, compression = "gzip", ownerRoot = false, sbom, signal } = options;
  const limits = await settings.limits();
  const build = (manifest: Buffer): Promise<BuiltImage> =>
    buildArchive({
      manifest,
      manifestName: parts.manifestPath,
      rootfs: parts.rootfs,
      output,
      overwrite,
      compression,
      ownerRoot,
      sourceDateEpoch: settings.sourceDateEpoch,
      limits,
      signal,
      log: settings.log,
    });
  if (sbom === undefined) return await build(parts.manifest);
  const { buildWithSbom } = await import("./build-sbom.ts");
  const { sbomOfTree } = await import("./sbom.ts");
  const describe = async (read: ImageManifest): Promise<Buffer> =>
    Buffer.from((await sbomOfTree(settings, read, () => pack(parts.rootfs, { signal }))).document(sbom));
  return await buildWithSbom(parts, { kind: sbom, output, overwrite }, { describe, build });
}

async function readParts({ directory, manifest, rootfs }: BuildImageOptions): Promise<ImageParts> {
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
