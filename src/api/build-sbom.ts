/** Builds an image together with its bill of materials: the bill first, then the manifest that names it, then the archive (SBOM-7). */
import { lstat, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { sha512 } from "../base/digest.ts";
import { Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, syncDirectory, tempBeside } from "../base/files.ts";
import { type BuiltImage, checkManifest } from "../image/build.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import { type SbomKind, sbomLinks, sbomPath } from "../schema/sbom-link.ts";
import { parseStrictJson } from "../schema/strict-json.ts";

export interface ImageParts {
  readonly manifest: Buffer;
  /** What the manifest is called in messages. */
  readonly manifestPath: string;
  readonly rootfs: string;
}

export interface BuildSbomOptions {
  readonly kind: SbomKind;
  /** The image; the bill is written beside it. */
  readonly output: string;
  readonly overwrite: boolean;
}

export interface SbomBuild<Image extends BuiltImage> {
  /** The bytes of the bill, from the manifest without the link to it. */
  readonly describe: (manifest: ImageManifest) => Promise<Buffer>;
  /** Writes the image with the manifest it is given. */
  readonly build: (manifest: Buffer) => Promise<Image>;
}

export interface StoredSbom {
  readonly kind: SbomKind;
  readonly path: string;
  readonly sha512: string;
}

/**
 * Both files or neither. The bill gets its name after the image: at every moment an image that names a bill has one that fits, or none.
 * @throws Failure ALREADY_EXISTS, IO_FAILED, DISK_FULL, whatever `describe` and `build` throw
 */
export async function buildWithSbom<Image extends BuiltImage>(
  parts: Pick<ImageParts, "manifest" | "manifestPath">,
  { kind, output, overwrite }: BuildSbomOptions,
  { describe, build }: SbomBuild<Image>,
): Promise<Image & { readonly sbom: StoredSbom }> {
  await requireFreeSbom(output, kind, overwrite);
  const path = sbomPath(output, kind);
  // Without the annotation that is about to be written: a manifest that has an old one gives the same bill.
  const manifest = checkManifest(withoutLink(parts.manifest, parts.manifestPath, kind), parts.manifestPath);
  const bytes = await describe(manifest);
  const digest = sha512(bytes);
  const temporary = await tempBeside(path, 0o644).catch((error: unknown) => {
    throw ioFailure(error, `cannot write ${printable(path)}`, path);
  });
  try {
    await temporary.handle.writeFile(bytes);
    await temporary.handle.sync();
    const image = await build(withLink(parts.manifest, parts.manifestPath, kind, digest));
    await rename(temporary.path, path);
    await syncDirectory(dirname(path));
    return { ...image, sbom: { kind, path, sha512: digest } };
  } catch (error) {
    await unlink(temporary.path).catch(ignoreMissing);
    throw ioFailure(error, `cannot write ${printable(path)}`, path);
  } finally {
    await temporary.handle.close();
  }
}

/** What would be refused in the end can be refused before any work. @throws Failure ALREADY_EXISTS */
export async function requireFreeSbom(output: string, kind: SbomKind, overwrite: boolean): Promise<void> {
  const path = sbomPath(output, kind);
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined || (overwrite && status.isFile())) return;
  throw new Failure("ALREADY_EXISTS", `${printable(path)} is there already`, {
    subject: path,
    hint: status.isFile() ? "add --overwrite, or choose another name" : "choose another name: it is no regular file",
  });
}

/**
 * The manifest with the annotation at the end of its list, written anew; the keys keep their order. Only a manifest that a bill is linked from is
 * ever written anew.
 */
export function withLink(manifest: Buffer, name: string, kind: SbomKind, digest: string): Buffer {
  const annotation = { name: sbomLinks[kind].annotation, value: `sha512-${digest}` };
  return rewritten(manifest, name, kind, [annotation]);
}

function withoutLink(manifest: Buffer, name: string, kind: SbomKind): Buffer {
  return rewritten(manifest, name, kind, []);
}

function rewritten(manifest: Buffer, name: string, kind: SbomKind, added: readonly object[]): Buffer {
  const document = parseStrictJson(manifest, name);
  // What is no object, or has no list, the schema refuses in its own words.
  if (typeof document !== "object" || document === null || Array.isArray(document)) return manifest;
  const old: unknown = Reflect.get(document, "annotations") ?? [];
  if (!Array.isArray(old)) return manifest;
  const own = sbomLinks[kind].annotation;
  const others = old.filter((entry) => entry?.name !== own);
  return Buffer.from(`${JSON.stringify({ ...document, annotations: [...others, ...added] }, undefined, 2)}\n`);
}
