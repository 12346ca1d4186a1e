/** Checks images, layout directories and manifests against the specification, without storing or running anything. */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { type ArchiveOptions, readArchive } from "../image/archive.ts";
import { sniffCompression } from "../image/compression.ts";
import { notThere, readLayoutDirectory, readManifestFile } from "../image/layout-directory.ts";
import type { ImageLimits } from "../image/limits.ts";
import type { ImageID } from "../schema/image-id.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { PodManifest } from "../schema/pod-manifest.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import { parseDocument } from "../schema/validate.ts";
import type { Settings } from "./settings.ts";

/** actool's words: an archive, a directory with manifest and rootfs, a manifest alone. */
export const documentTypes = ["appimage", "layout", "manifest"] as const;
export type DocumentType = (typeof documentTypes)[number];

export interface ValidateOptions {
  readonly files: readonly string[];
  /** Told by looking when absent. */
  readonly type?: DocumentType | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Validation {
  readonly file: string;
  /** Absent when the file could not be looked at. */
  readonly type?: DocumentType | undefined;
  /** Of an archive that is valid. */
  readonly id?: ImageID | undefined;
  /** Of an image that is valid; a pod has none. */
  readonly name?: string | undefined;
  /** Why it is not valid. */
  readonly failure?: Failure | undefined;
}

/**
 * A verdict for each file, in order. What is wrong with a file is part of its verdict.
 * @throws Failure INTERRUPTED, CONFIG_INVALID
 */
export async function validateImages(settings: Settings, options: ValidateOptions): Promise<readonly Validation[]> {
  const verdicts: Validation[] = [];
  const limits = await settings.limits();
  for (const file of options.files) verdicts.push(await validateOne(file, options, limits));
  return verdicts;
}

async function validateOne(file: string, { type, signal }: ValidateOptions, limits: ImageLimits): Promise<Validation> {
  let found = type;
  try {
    found ??= await detectType(file);
    return { file, type: found, ...(await validators[found](file, { limits, signal })) };
  } catch (error) {
    const failure = error instanceof Failure ? error : ioFailure(error, `cannot read ${printable(file)}`, file);
    if (failure.code === "INTERRUPTED") throw failure;
    return { file, type: found, failure };
  }
}

type Facts = Pick<Validation, "id" | "name">;

const validators: Readonly<Record<DocumentType, (file: string, options: ArchiveOptions) => Promise<Facts>>> = {
  appimage: async (file, options) => {
    const source = createReadStream(file, { highWaterMark: 1024 * 1024 });
    const { id, manifest } = await readArchive(source, undefined, options);
    return { id, name: manifest.name };
  },
  layout: async (directory) => {
    const { manifest, manifestPath } = await readLayoutDirectory(directory);
    return { name: parseDocument(ImageManifest, manifest, manifestPath).name };
  },
  manifest: async (file) => {
    const bytes = await readManifestFile(file);
    if (isPod(parseStrictJson(bytes, file))) {
      parseDocument(PodManifest, bytes, file);
      return {};
    }
    return { name: parseDocument(ImageManifest, bytes, file).name };
  },
};

function isPod(document: unknown): boolean {
  return typeof document === "object" && document !== null && "acKind" in document && document.acKind === "PodManifest";
}

/** A directory is a layout; a file that begins like JSON, with or without a mark that JSON must not have, a manifest. */
async function detectType(file: string): Promise<DocumentType> {
  const status = await stat(file).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") throw notThere(printable(file), file, error);
    throw ioFailure(error, `cannot read ${printable(file)}`, file);
  });
  if (status.isDirectory()) return "layout";
  if (!status.isFile()) throw new Failure("IO_FAILED", `${printable(file)} is no regular file`, { subject: file });
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    const head = buffer.subarray(0, bytesRead);
    if (sniffCompression(head) !== "none") return "appimage";
    return /^(\u00ef\u00bb\u00bf|\u00ff\u00fe|\u00fe\u00ff)?[\s\0]*[[{"]/.test(head.toString("latin1"))
      ? "manifest"
      : "appimage";
  } finally {
    await handle.close();
  }
}
