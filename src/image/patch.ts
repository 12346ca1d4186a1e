/**
 * An image with another manifest. Every other byte of its tar stays as and where it is: the archive is read once to be judged and
 * once to be copied, from one descriptor, and nothing of it is unpacked.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { type ImageID, imageID } from "../schema/image-id.ts";
import type { TarEntry } from "../tar/entry.ts";
import { encodeHeader, padding } from "../tar/write.ts";
import { readArchive } from "./archive.ts";
import { checkManifest } from "./build.ts";
import type { ImageCompression } from "./compress.ts";
import { openCompressed } from "./compression.ts";
import { type BuiltImage, type OutputOptions, requireFree, writeImage } from "./output.ts";

export interface PatchOptions extends OutputOptions {
  readonly input: string;
  /** The image that the input must be. */
  readonly expected?: ImageID | undefined;
  /** The bytes of the new manifest, from those of the old one; validated afterwards. */
  readonly change: (manifest: Buffer) => Buffer;
  readonly compression: ImageCompression;
}

/** The image file, as buildArchive makes it, and the ID of the image it was made of. */
export interface PatchedArchive extends BuiltImage {
  readonly from: ImageID;
  readonly name: string;
}

/**
 * @throws Failure NOT_FOUND, ALREADY_EXISTS; as readArchive for the input; MANIFEST_INVALID, LIMIT_EXCEEDED for the new manifest;
 * UNSUPPORTED for a global header amid those of the manifest; DIGEST_MISMATCH when the input is changed meanwhile
 */
export async function patchArchive(options: PatchOptions): Promise<PatchedArchive> {
  const { input, output, overwrite } = options;
  await requireFree(output, overwrite);
  const handle = await open(input).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${printable(input)}`, input);
  });
  try {
    const status = await handle.stat();
    if (!status.isFile()) {
      throw new Failure("IO_FAILED", `${printable(input)} is no regular file`, { subject: input });
    }
    const summary = await readArchive(bytesOf(handle), undefined, options);
    if (options.expected !== undefined && options.expected !== summary.id) {
      throw new Failure("DIGEST_MISMATCH", `the stored archive is not the image ${options.expected}`, {
        subject: input,
        cause: `it is ${summary.id}`,
        hint: "perigee image verify",
      });
    }
    const manifest = options.change(summary.manifestBytes);
    checkManifest(manifest, "the new manifest");
    const { start, end } = summary.manifestEntry.span ?? { start: undefined, end: 0 };
    if (start === undefined) {
      throw new Failure(
        "UNSUPPORTED",
        `a global header stands amid the headers of the manifest of ${printable(input)}`,
        {
          subject: input,
          hint: "unpack the image and build it anew: perigee image extract, perigee build",
        },
      );
    }
    // A private image that is changed in place stays private.
    const mode = input === output ? status.mode & 0o777 : undefined;
    const splice: Splice = { start, end, entry: summary.manifestEntry, manifest, from: summary.id };
    const { name } = JSON.parse(manifest.toString("utf8"));
    return { ...(await writeImage(spliced(handle, splice), { ...options, mode })), from: summary.id, name };
  } finally {
    await handle.close();
  }
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly entry: TarEntry;
  readonly manifest: Buffer;
  readonly from: ImageID;
}

/** The tar with the new manifest in place of the old one, under the old one's owner, mode and time. */
async function* spliced(handle: FileHandle, splice: Splice): AsyncGenerator<Uint8Array> {
  const { start, end, entry, manifest, from } = splice;
  const { tar, close } = await openCompressed(bytesOf(handle));
  const hash = createHash("sha512");
  let at = 0;
  try {
    for await (const chunk of tar) {
      hash.update(chunk);
      if (at < start) yield chunk.subarray(0, start - at);
      if (at <= start && start < at + chunk.length) {
        yield Buffer.concat([encodeHeader({ ...entry, size: manifest.length }), manifest, padding(manifest.length)]);
      }
      if (at + chunk.length > end) yield chunk.subarray(Math.max(end - at, 0));
      at += chunk.length;
    }
  } finally {
    await close();
  }
  if (imageID(hash.digest("hex")) !== from) {
    throw new Failure("DIGEST_MISMATCH", "the image was changed while it was copied", { hint: "try again" });
  }
}

function bytesOf(handle: FileHandle): AsyncIterable<Uint8Array> {
  return handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 256 * 1024 });
}
