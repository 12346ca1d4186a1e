/**
 * Brings bytes here: a signature into memory, an archive into the store's staging, hashed as it arrives. What the bytes mean,
 * and whether they may be used, is decided elsewhere, from the staged descriptor only (T-S29).
 */
import { constants, copyFile, type FileHandle, open, stat } from "node:fs/promises";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";
import { withProgress } from "../base/log.ts";
import type { HttpResponse } from "../http/client.ts";
import type { Staging } from "../store/blobs.ts";
import { getDocument } from "./answers.ts";
import {
  type Acquired,
  type AcquireOptions,
  archiveLimit,
  type Downloaded,
  digestWith,
  download,
  isAbsent,
  notThere,
  statusFailure,
  tooLong,
} from "./download.ts";
import type { Place } from "./locate.ts";
import { madeOf, type Witness, type Witnessing } from "./witness.ts";

/** A signature file may hold many signatures, but it is no image. */
const signatureLimit = 1024 * 1024;
const blockSize = 1024 * 1024;

/**
 * The bytes of a detached signature; undefined when there is none; `later` when the server is still making it (202) and wants
 * to be asked again when the image has been fetched.
 * @throws Failure NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, LIMIT_EXCEEDED, IO_FAILED
 */
export async function acquireSignature(place: Place, options: AcquireOptions): Promise<Buffer | "later" | undefined> {
  if (place.kind === "file") return await readIfExists(place.path, signatureLimit);
  const document = await getDocument(place.url, { ...options, isGuarded: place.isGuarded, limit: signatureLimit });
  if (document.status === 200) return document.bytes;
  if (document.status === 202) return "later";
  if (isAbsent(document.status)) return undefined;
  throw statusFailure(document);
}

/** Whether there is an image at all; only asked to tell a missing signature from a missing image. */
export async function isThere(place: Place, options: AcquireOptions): Promise<boolean> {
  if (place.kind === "file") {
    return await stat(place.path).then(
      () => true,
      () => false,
    );
  }
  const { insecureHttp, signal } = options;
  const { url, isGuarded } = place;
  const response = await (await options.http()).get(url, { method: "HEAD", insecureHttp, isGuarded, signal });
  response.discard();
  return !isAbsent(response.status);
}

/**
 * Copies the archive at `place` into `staging`, and shows every byte to `witness`.
 * @param first as of download
 * @throws Failure NOT_FOUND, NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, LIMIT_EXCEEDED, DISK_FULL, INTERRUPTED
 */
export async function acquireArchive(
  place: Place,
  staging: Staging,
  options: AcquireOptions,
  witness: Witnessing,
  first?: HttpResponse,
): Promise<Acquired | Downloaded> {
  return place.kind === "file"
    ? await copyArchive(place, staging, options, await madeOf(witness))
    : await download(place, staging, options, witness, first);
}

/** The archive's bytes once more, from the descriptor they were hashed from. */
export async function* stagedBytes(archive: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const block = Buffer.allocUnsafe(blockSize);
    const { bytesRead } = await archive.read(block, 0, blockSize, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** Our own copy, shared with the source where the file system can; what is hashed is the copy. */
async function copyArchive(
  place: Extract<Place, { kind: "file" }>,
  staging: Staging,
  { log, signal }: AcquireOptions,
  witness: Witness | undefined,
): Promise<Acquired> {
  await copyInto(place, staging);
  const digest = digestWith(witness);
  const { size: total } = await staging.archive.stat();
  const size = await withProgress(log, `reading ${place.path}`, async (tell) => {
    let done = 0;
    for await (const chunk of stagedBytes(staging.archive)) {
      if (signal?.aborted) throw new Failure("INTERRUPTED", `interrupted while reading ${place.path}`);
      digest.update(chunk);
      done += chunk.length;
      tell(done, total);
    }
    return done;
  });
  return { sha512: digest.sha512(), size };
}

async function copyInto(place: Extract<Place, { kind: "file" }>, staging: Staging): Promise<void> {
  const { path } = place;
  let source: FileHandle;
  try {
    // O_NONBLOCK: a FIFO in place of the file must not hang us (T-R18).
    source = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw errnoOf(error) === "ENOENT" ? notThere(place) : ioFailure(error, `cannot read ${path}`, path);
  }
  try {
    const { size, isFile } = await source.stat().then((s) => ({ size: s.size, isFile: s.isFile() }));
    if (!isFile) throw new Failure("IMAGE_INVALID", `${path} is not a regular file`, { subject: path });
    if (size > archiveLimit) throw tooLong(path);
    await copyFile(`/proc/self/fd/${source.fd}`, staging.archivePath, constants.COPYFILE_FICLONE);
    // copyFile gives the copy its source's mode.
    await staging.archive.chmod(0o600);
  } catch (error) {
    throw ioFailure(error, `cannot copy ${path} into the store`, path);
  } finally {
    await source.close();
  }
}
