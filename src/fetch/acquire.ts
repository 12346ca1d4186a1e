/**
 * Brings bytes here: a signature into memory, an archive into the store's staging, hashed as it arrives. What the bytes mean,
 * and whether they may be used, is decided elsewhere, from the staged descriptor only (T-S29).
 */
import { createHash } from "node:crypto";
import { constants, copyFile, type FileHandle, open, stat } from "node:fs/promises";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import type { HttpClient, HttpResponse } from "../http/client.ts";
import type { Staging } from "../store/blobs.ts";
import type { Place } from "./locate.ts";

export interface AcquireOptions {
  readonly http: () => Promise<HttpClient>;
  readonly insecureHttp: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** A signature file may hold many signatures, but it is no image. */
const signatureLimit = 1024 * 1024;
/** Of one archive as fetched (security-and-reliability 2.2). */
const archiveLimit = 64 * 1024 ** 3;
const blockSize = 1024 * 1024;

/**
 * The bytes of a detached signature; undefined when there is none; `later` when the server is still making it (202) and wants
 * to be asked again when the image has been fetched.
 * @throws Failure NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, LIMIT_EXCEEDED, IO_FAILED
 */
export async function acquireSignature(place: Place, options: AcquireOptions): Promise<Buffer | "later" | undefined> {
  if (place.kind === "file") return await readIfExists(place.path, signatureLimit);
  const { insecureHttp, signal } = options;
  const response = await (await options.http()).get(place.url, { insecureHttp, signal });
  if (response.status === 200) return await response.bytes(signatureLimit);
  response.discard();
  if (response.status === 202) return "later";
  if (isAbsent(response.status)) return undefined;
  throw statusFailure(response);
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
  const response = await (await options.http()).get(place.url, { method: "HEAD", insecureHttp, signal });
  response.discard();
  return !isAbsent(response.status);
}

/** @throws Failure always */
export function notThere(place: Place, name?: string): Failure {
  const where = place.kind === "file" ? place.path : place.url;
  const what = name === undefined ? `there is no image at ${where}` : `there is no such image: ${name} (${where})`;
  return new Failure("NOT_FOUND", what, {
    subject: where,
    hint: place.kind === "file" ? "check the path" : "check the name, version and labels",
  });
}

export interface Acquired {
  /** Lower-case hex, of the archive as it is. */
  readonly sha512: string;
  readonly size: number;
}

/** Takes the bytes of an archive in order, as they are staged: a SignatureCheck. Its SHA-512, if it has one, is not computed again. */
export interface Witness {
  update(chunk: Uint8Array): void;
  readonly sha512?: (() => string) | undefined;
}

/**
 * Copies the archive at `place` into `staging`, and shows every byte to `witness`.
 * @throws Failure NOT_FOUND, NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, LIMIT_EXCEEDED, DISK_FULL, INTERRUPTED
 */
export async function acquireArchive(
  place: Place,
  staging: Staging,
  options: AcquireOptions,
  witness: Witness | undefined,
): Promise<Acquired> {
  return place.kind === "file"
    ? await copyArchive(place, staging, options, witness)
    : await download(place, staging, options, witness);
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

function digestWith(witness: Witness | undefined): Witness & { sha512(): string } {
  const running = witness?.sha512;
  if (witness !== undefined && running !== undefined)
    return { update: (chunk) => witness.update(chunk), sha512: running };
  const hash = createHash("sha512");
  return {
    update(chunk) {
      hash.update(chunk);
      witness?.update(chunk);
    },
    sha512: () => hash.digest("hex"),
  };
}

async function download(
  place: Extract<Place, { kind: "url" }>,
  staging: Staging,
  { http, insecureHttp, log, signal }: AcquireOptions,
  witness: Witness | undefined,
): Promise<Acquired> {
  const response = await (await http()).get(place.url, { insecureHttp, signal });
  if (response.status !== 200) {
    response.discard();
    throw isAbsent(response.status) ? notThere(place) : statusFailure(response);
  }
  const digest = digestWith(witness);
  const total = Number(response.header("content-length")) || undefined;
  const task = `fetching ${response.url}`;
  let size = 0;
  for await (const chunk of response.body) {
    if (size + chunk.length > archiveLimit) throw tooLong(place.url);
    const written = writeAll(staging, chunk, size);
    digest.update(chunk);
    await written;
    size += chunk.length;
    log.progress({ task, done: size, total });
  }
  log.progress({ task, done: size, total: size, finished: true });
  return { sha512: digest.sha512(), size };
}

async function writeAll({ archive, archivePath }: Staging, chunk: Uint8Array, position: number): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; ) {
      done += (await archive.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
    }
  } catch (error) {
    throw ioFailure(error, `cannot write ${archivePath}`, archivePath);
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
  const task = `reading ${place.path}`;
  let size = 0;
  for await (const chunk of stagedBytes(staging.archive)) {
    if (signal?.aborted) throw new Failure("INTERRUPTED", `interrupted while reading ${place.path}`);
    digest.update(chunk);
    size += chunk.length;
    log.progress({ task, done: size, total });
  }
  log.progress({ task, done: size, total: size, finished: true });
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

function isAbsent(status: number): boolean {
  return status === 404 || status === 410;
}

function statusFailure({ status, url }: HttpResponse): Failure {
  if (status === 401 || status === 403) {
    return new Failure("NOT_AUTHORISED", `${url}: the server does not let you have it (status ${status})`, {
      subject: url,
      hint: "put credentials for this host into auth.d of a configuration directory, or ask who runs the server",
    });
  }
  return new Failure("HTTP_FAILED", `${url}: the server answered with status ${status}`, {
    subject: url,
    hint: "try again later, or ask who runs the server",
  });
}

function tooLong(where: string): Failure {
  return new Failure("LIMIT_EXCEEDED", `${where} is longer than the ${archiveLimit} bytes allowed`, { subject: where });
}
