/** Makes an image file from a manifest and a root file system: same input, same bytes; whole and durable, or not there at all. */
import { createHash } from "node:crypto";
import { type FileHandle, lstat, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, syncDirectory, tempBeside } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { type ImageID, imageID } from "../schema/image-id.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { writeTar } from "../tar/write.ts";
import { gzip } from "./gzip.ts";
import { notThere } from "./layout-directory.ts";
import { imageMembers } from "./members.ts";

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
  readonly compression: "gzip" | "none";
  readonly ownerRoot: boolean;
  /** Seconds; later times are clamped to it (architecture.md 16). */
  readonly sourceDateEpoch?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
}

export interface BuiltImage {
  readonly id: ImageID;
  readonly path: string;
  /** Bytes of the archive written. */
  readonly size: number;
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
 * @throws Failure USAGE, MANIFEST_INVALID, JSON_INVALID, NOT_FOUND, ALREADY_EXISTS, IMAGE_INVALID, UNSUPPORTED, SHIM_FAILED, DISK_FULL, INTERRUPTED
 */
export async function buildArchive(options: BuildOptions): Promise<BuiltImage> {
  requireName(options.output);
  checkManifest(options.manifest, options.manifestName ?? "manifest");
  if (typeof options.rootfs === "string") await requireDirectory(options.rootfs);
  await requireFree(options.output, options.overwrite);
  if (typeof options.rootfs === "string") await requireOutside(options.output, options.rootfs);
  const { id, size } = await writeOutput(options, (handle) => write(options, handle));
  return { id, path: options.output, size };
}

type OutputOptions = Pick<BuildOptions, "output" | "overwrite" | "signal">;

/** What would be refused in the end is refused before any work. @throws Failure USAGE, ALREADY_EXISTS, NOT_FOUND */
export async function requireOutput({ output, overwrite }: OutputOptions): Promise<void> {
  requireName(output);
  await requireFree(output, overwrite);
  await realParent(output);
}

/**
 * What `write` writes becomes the file `output`, whole and synced, or nothing does.
 * @throws Failure ALREADY_EXISTS, DISK_FULL, INTERRUPTED; what `write` throws
 */
export async function writeOutput<T>(options: OutputOptions, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  const { output, overwrite, signal } = options;
  const temporary = await tempBeside(output, 0o644).catch((error: unknown) => {
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  });
  try {
    const result = await write(temporary.handle);
    await temporary.handle.sync();
    requireGoing(signal);
    await requireFree(output, overwrite);
    await rename(temporary.path, output);
    await syncDirectory(dirname(output));
    return result;
  } catch (error) {
    await unlink(temporary.path).catch(ignoreMissing);
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  } finally {
    await temporary.handle.close();
  }
}

function requireName(output: string): void {
  if (output.endsWith(".aci")) return;
  throw new Failure("USAGE", `${printable(output)} does not end in .aci (ACI-1)`, {
    subject: output,
    hint: `write to ${printable(output)}.aci`,
  });
}

async function write(
  options: BuildOptions,
  handle: FileHandle,
): Promise<{ readonly id: ImageID; readonly size: number }> {
  const { signal, log, output } = options;
  const hash = createHash("sha512");
  const task = `building ${printable(basename(output))}`;
  let size = 0;
  let read = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    const { rootfs } = options;
    const entries = typeof rootfs === "string" ? pack(rootfs, { signal }) : rootfs;
    for await (const chunk of writeTar(imageMembers(entries, options))) {
      requireGoing(signal);
      hash.update(chunk);
      read += chunk.length;
      log.progress({ task, done: read });
      yield chunk;
    }
  }
  for await (const chunk of options.compression === "gzip" ? gzip(hashed()) : hashed()) {
    await writeAll(handle, chunk);
    size += chunk.length;
  }
  log.progress({ task, done: read, finished: true });
  return { id: imageID(hash.digest("hex")), size };
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
}

/** A single write may be short, on a nearly full disk for example. */
export async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
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

async function requireFree(output: string, overwrite: boolean): Promise<void> {
  const status = await lstat(output).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  });
  if (status === undefined || (overwrite && status.isFile())) return;
  throw new Failure("ALREADY_EXISTS", `${printable(output)} is there already`, {
    subject: output,
    hint: status.isFile() ? "add --overwrite, or choose another name" : "choose another name: it is no regular file",
  });
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

async function realParent(output: string): Promise<string> {
  return await realpath(dirname(output)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") {
      const hint = `mkdir -p ${printable(dirname(output))}`;
      throw new Failure("NOT_FOUND", `the directory of ${printable(output)} is not there`, { subject: output, hint });
    }
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  });
}
