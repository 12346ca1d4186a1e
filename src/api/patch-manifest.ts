/** Copies an image with a changed manifest, as actool's patch-manifest does. */
import { Failure, printable } from "../base/failure.ts";
import type { ImageCompression } from "../image/compress.ts";
import { readManifestFile } from "../image/layout-directory.ts";
import { changeManifest } from "../image/manifest-changes.ts";
import { type ManifestFlags, parseManifestFlags } from "../image/manifest-flags.ts";
import { requireImageName } from "../image/output.ts";
import { type PatchedArchive, patchArchive } from "../image/patch.ts";
import { findImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";
import { warnIfStale } from "./stale-signature.ts";

export interface PatchManifestOptions {
  /** A stored image or the path of an .aci. */
  readonly image: string;
  /** Ends in `.aci`. */
  readonly output?: string | undefined;
  /** The file itself is replaced, instead of `output`. */
  readonly replace?: boolean | undefined;
  /** Replace an existing output. */
  readonly overwrite?: boolean | undefined;
  readonly compression?: ImageCompression | undefined;
  /** A file whose bytes become the manifest; instead of `flags`. */
  readonly manifest?: string | undefined;
  readonly flags?: ManifestFlags | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PatchedImage extends PatchedArchive {
  /** A signature beside the output, which is that of other bytes now. */
  readonly staleSignature: string | null;
}

/**
 * @throws Failure USAGE, NOT_FOUND, ALREADY_EXISTS, MANIFEST_INVALID, DIGEST_MISMATCH for a stored archive that has changed; as readArchive
 */
export async function patchManifest(settings: Settings, options: PatchManifestOptions): Promise<PatchedImage> {
  const { image, compression = "gzip", signal, flags = {} } = options;
  requireOneWay(options);
  const changes = parseManifestFlags(flags);
  const replacement = options.manifest === undefined ? undefined : await readManifestFile(options.manifest);
  const source = await findImageSource(settings, image);
  const output = outputOf(options, source.kind === "file" ? source.path : undefined);
  if (options.replace !== true) requireImageName(output);
  const patched = await patchArchive({
    input: source.path,
    expected: source.kind === "stored" ? source.record.id : undefined,
    output,
    overwrite: options.overwrite === true || options.replace === true,
    change: (bytes) => replacement ?? changeManifest(bytes, changes),
    compression,
    task: "writing",
    limits: await settings.limits(),
    signal,
    log: settings.log,
  });
  return { ...patched, staleSignature: (await warnIfStale(output, settings.log, signal)) ?? null };
}

function requireOneWay({ manifest, flags = {}, replace, overwrite }: PatchManifestOptions): void {
  const given = Object.values(flags).some((flag) => flag !== undefined && flag !== "");
  if (manifest !== undefined && given) {
    throw new Failure("USAGE", "--manifest excludes the flags that change single fields", {
      hint: "change the file, or leave --manifest out",
    });
  }
  if (replace === true && overwrite === true) {
    throw new Failure("USAGE", "--replace and --overwrite exclude each other", { hint: "--replace needs no other" });
  }
}

function outputOf({ output, replace, image }: PatchManifestOptions, file: string | undefined): string {
  if (replace === true && output === undefined && file !== undefined) return file;
  if (replace !== true && output !== undefined) return output;
  if (replace === true && file === undefined) {
    throw new Failure("USAGE", `${printable(image)} is stored, and stored images never change`, {
      subject: image,
      hint: `perigee image patch-manifest … ${printable(image)} OUT.aci`,
    });
  }
  throw new Failure(
    "USAGE",
    replace === true ? "--replace takes one image" : "the name of the image to write is missing",
    {
      hint: "perigee image patch-manifest … IN.aci OUT.aci, or --replace IN.aci",
    },
  );
}
