/** Makes an image file from a manifest and a root file system: same input, same bytes; whole and durable, or not there at all. */
import { realpath, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { writeTar } from "../tar/write.ts";
import type { ImageCompression } from "./compress.ts";
import { notThere } from "./layout-directory.ts";
import type { ImageLimits } from "./limits.ts";
import { imageMembers } from "./members.ts";
import { type BuiltImage, realParent, requireFree, requireImageName, writeImage } from "./output.ts";

export type { BuiltImage };

export interface BuildOptions {
  /** Bytes of the manifest file; validated, stored as they are. */
  readonly manifest: Buffer;
  /** What the manifest is called in messages; `manifest` when absent. */
  readonly manifestName?: string | undefined;
  /** A directory, or the entries of one in the order of shim/pack. */
  readonly rootfs: string | AsyncIterable<PackEntry>;
  /** Must end in `.aci` (ACI-1). */
  readonly output: string;
  readonly overwrite: boolean;
  readonly compression: ImageCompression;
  readonly ownerRoot: boolean;
  /** Seconds; later times are clamped to it (architecture.md 16). */
  readonly sourceDateEpoch?: number | undefined;
  /** Of its readers (ACI-12); the defaults when absent. */
  readonly limits?: ImageLimits | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
}

/** The manifest as data. The one who builds can correct it, and is told so. @throws Failure MANIFEST_INVALID, JSON_INVALID, LIMIT_EXCEEDED */
export function checkManifest(manifest: Buffer, name: string): ImageManifest {
  try {
    return parseDocument(ImageManifest, manifest, name);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, message, subject, cause } = error;
    throw new Failure(code, message, {
      subject,
      cause,
      hint: error.hint ?? `correct ${printable(name)}; spec/image.md has the rules`,
    });
  }
}

/**
 * Every property of the files that an image can hold is kept (ACI-4). The archive appears under its name whole and synced, or
 * not at all; a failure or an abort leaves nothing behind.
 * @throws Failure USAGE, MANIFEST_INVALID, JSON_INVALID, NOT_FOUND, ALREADY_EXISTS, IMAGE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED, SHIM_FAILED, DISK_FULL, INTERRUPTED
 */
export async function buildArchive(options: BuildOptions): Promise<BuiltImage> {
  const { manifest, output, overwrite, compression, rootfs, limits, signal, log } = options;
  requireImageName(output);
  checkManifest(manifest, options.manifestName ?? "manifest");
  if (typeof rootfs === "string") await requireDirectory(rootfs);
  await requireFree(output, overwrite);
  if (typeof rootfs === "string") await requireOutside(output, rootfs);
  const entries = typeof rootfs === "string" ? pack(rootfs, { signal }) : rootfs;
  const tar = writeTar(imageMembers(entries, options), { textAcls: true });
  return await writeImage(tar, { output, overwrite, compression, task: "building", limits, signal, log });
}

async function requireDirectory(path: string): Promise<void> {
  const status = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") throw notThere(`the root file system ${printable(path)}`, path, error);
    throw ioFailure(error, `cannot read the root file system ${printable(path)}`, path);
  });
  if (!status.isDirectory()) {
    throw new Failure("IMAGE_INVALID", `${printable(path)} is not a directory`, {
      subject: path,
      hint: "give the directory that becomes / of the image",
    });
  }
}

/** An archive below the tree it is made of would be packed into itself. */
async function requireOutside(output: string, rootfs: string): Promise<void> {
  const parent = await realParent(output);
  const way = relative(await realpath(rootfs), join(parent, basename(output)));
  if (way.split(sep)[0] === "..") return;
  throw new Failure("USAGE", `${printable(output)} lies inside of the root file system it would be made of`, {
    subject: output,
    hint: "write it somewhere else",
  });
}
