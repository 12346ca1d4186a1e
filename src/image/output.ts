/** The file an image is written to: it appears under its name whole and synced, or not at all. Knows nothing of what is in it. */
import { type FileHandle, lstat, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, syncDirectory, tempBeside } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { type ImageID, imageID } from "../schema/image-id.ts";
import { hashingBeside } from "../shim/sha512.ts";
import { requireTotal, withinRatio } from "./bounds.ts";
import { compress, type ImageCompression } from "./compress.ts";
import { defaultImageLimits, type ImageLimits } from "./limits.ts";

export interface BuiltImage {
  readonly id: ImageID;
  readonly path: string;
  /** Bytes of the archive written. */
  readonly size: number;
}

export interface OutputOptions {
  readonly output: string;
  readonly overwrite: boolean;
  /** What is being done, for progress: `building`. */
  readonly task: string;
  /** Of the file, as far as the umask allows; 0644 when absent. */
  readonly mode?: number | undefined;
  /** Of its readers (ACI-12); the defaults when absent. */
  readonly limits?: ImageLimits | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
}

/** ACI-1. @throws Failure USAGE */
export function requireImageName(output: string): void {
  if (output.endsWith(".aci")) return;
  throw new Failure("USAGE", `${printable(output)} does not end in .aci (ACI-1)`, {
    subject: output,
    hint: `write to ${printable(output)}.aci`,
  });
}

/** @throws Failure ALREADY_EXISTS when something is there that may not be replaced */
export async function requireFree(output: string, overwrite: boolean): Promise<void> {
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

/** What would be refused in the end is refused before any work. @throws Failure USAGE, ALREADY_EXISTS, NOT_FOUND */
export async function requireOutput({ output, overwrite }: Pick<OutputOptions, "output" | "overwrite">): Promise<void> {
  requireImageName(output);
  await requireFree(output, overwrite);
  await realParent(output);
}

/** Without links, of the directory that a file is to be written into. @throws Failure NOT_FOUND */
export async function realParent(output: string): Promise<string> {
  return await realpath(dirname(output)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") {
      const hint = `mkdir -p ${printable(dirname(output))}`;
      throw new Failure("NOT_FOUND", `the directory of ${printable(output)} is not there`, { subject: output, hint });
    }
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  });
}

/** Writes an uncompressed tar as an image file. @throws Failure ALREADY_EXISTS, LIMIT_EXCEEDED, DISK_FULL, INTERRUPTED; whatever `tar` throws */
export async function writeImage(
  tar: AsyncIterable<Uint8Array>,
  options: OutputOptions & { readonly compression: ImageCompression },
): Promise<BuiltImage> {
  const { signal, log, output, limits = defaultImageLimits } = options;
  const hashing = hashingBeside(tar);
  const task = `${options.task} ${printable(basename(output))}`;
  let read = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of hashing.chunks) {
      requireGoing(signal);
      read += chunk.length;
      requireTotal(read, limits.totalSize);
      log.progress({ task, done: read });
      yield chunk;
    }
  }
  const compressed = compress(hashed(), options.compression);
  const isBounded = options.compression === "gzip";
  const size = await writeOutput(isBounded ? withinRatio(compressed, () => read, limits.ratio) : compressed, options);
  log.progress({ task, done: read, finished: true });
  return { id: imageID(hashing.digest()), path: output, size };
}

/** Writes `bytes` to a temporary file beside the output, then gives it its name. @returns how many there were */
export async function writeOutput(
  bytes: AsyncIterable<Uint8Array>,
  { output, overwrite, mode = 0o644, signal }: Pick<OutputOptions, "output" | "overwrite" | "mode" | "signal">,
): Promise<number> {
  await requireFree(output, overwrite);
  const temporary = await tempBeside(output, mode).catch((error: unknown) => {
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  });
  try {
    const size = await writeAll(temporary.handle, bytes, signal);
    await temporary.handle.sync();
    requireGoing(signal);
    await requireFree(output, overwrite);
    await rename(temporary.path, output);
    await syncDirectory(dirname(output));
    return size;
  } catch (error) {
    await unlink(temporary.path).catch(ignoreMissing);
    throw ioFailure(error, `cannot write ${printable(output)}`, output);
  } finally {
    await temporary.handle.close();
  }
}

/** While one chunk is written the next is made: whoever makes them leaves a chunk as it is until the next but one is asked for. */
async function writeAll(handle: FileHandle, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number> {
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const chunk of bytes) {
      requireGoing(signal);
      await writing;
      writing = writeChunk(handle, chunk);
      writing.catch(() => {}); // met before the next chunk, or in the end
      size += chunk.length;
    }
    await writing;
  } finally {
    await writing.catch(() => {}); // the file is closed after this
  }
  return size;
}

/** A single write may be short, on a nearly full disk for example. */
async function writeChunk(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
}
