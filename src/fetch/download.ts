/**
 * One archive over the network into staging: gone on with where it was broken off, never joined from two versions (T-D08), not
 * downloaded at all when the server says that the stored one is what it has.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { type Log, type Tell, withProgress } from "../base/log.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http/client.ts";
import type { Staging } from "../store/blobs.ts";
import type { Answers } from "./answers.ts";
import { writeBlocks } from "./blocks.ts";
import type { Place } from "./locate.ts";
import { madeOf, type Witness, type Witnessing } from "./witness.ts";

export interface AcquireOptions {
  readonly http: () => Promise<HttpClient>;
  readonly insecureHttp: boolean;
  readonly log: Log;
  /** What may be taken from before; nothing when absent. */
  readonly answers?: Answers | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of one archive as fetched (security-and-reliability 2.2). */
export const archiveLimit = 64 * 1024 ** 3;
const blockSize = 1024 * 1024;
/** Times that a broken download is gone on with, each having brought something. */
const maxContinuations = 5;
/** Milliseconds before the first of them. */
const pause = 200;

export interface Acquired {
  /** Lower-case hex, of the archive as it is. */
  readonly sha512: string;
  readonly size: number;
}

export interface Downloaded extends Acquired {
  /** The answer, whose headers may be kept. */
  readonly response: HttpResponse;
}

interface Received {
  /** Bytes in the archive that digest and witness have seen. */
  seen: number;
  validator: string | undefined;
  total: number | undefined;
  readonly tell: Tell;
}

/** A server's answer to the question whether an archive changed; undefined where nothing is known that could be asked with. @throws Failure as download */
export async function askWhetherChanged(
  place: Place,
  conditions: Readonly<Record<string, string>>,
  options: AcquireOptions,
): Promise<HttpResponse | undefined> {
  if (place.kind === "file" || Object.keys(conditions).length === 0) return undefined;
  return await request(place.url, { ...options, isGuarded: place.isGuarded }, conditions);
}

/**
 * @param first the beginning of it, when a server was asked already
 * @throws Failure NOT_FOUND, NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, LIMIT_EXCEEDED, DISK_FULL, INTERRUPTED
 */
export async function download(
  { url, isGuarded }: Extract<Place, { kind: "url" }>,
  staging: Staging,
  options: AcquireOptions,
  witnessing: Witnessing,
  first?: HttpResponse,
): Promise<Downloaded> {
  const asking: Asking = { ...options, isGuarded };
  const response = await begin(url, staging, asking, first);
  const witness = await madeOf(witnessing);
  return await withProgress(options.log, `fetching ${url}`, (tell) =>
    downloadRest(response, staging, asking, witness, tell),
  );
}

type Asking = AcquireOptions & Pick<HttpRequest, "isGuarded">;

/** All that `first` begins, over as many answers as it takes. */
async function downloadRest(
  first: HttpResponse,
  staging: Staging,
  options: Asking,
  witness: Witness | undefined,
  tell: Tell,
): Promise<Downloaded> {
  const url = first.asked;
  const digest = digestWith(witness);
  const progress: Received = { seen: 0, validator: undefined, total: undefined, tell };
  let response = first;
  for (let tries = 0; ; tries += 1) {
    const before = progress.seen;
    try {
      await receive(response, staging, options, digest, progress);
      break;
    } catch (error) {
      const isWorthIt = isBroken(error) && progress.validator !== undefined && progress.seen > before;
      if (!isWorthIt || tries >= maxContinuations || options.signal?.aborted) throw error;
      options.log.info(`${url}: broken off after ${progress.seen} bytes, going on from there`);
      await sleep(pause * 2 ** tries);
      response = await rest(url, options, { size: progress.seen, validator: progress.validator ?? "" });
    }
  }
  // What is found wrong with it from now on is no reason to go on with it.
  await staging.noteWhole(url);
  return { sha512: digest.sha512(), size: progress.seen, response: first };
}

/** The first answer: the rest of a part that was left, or the whole. */
async function begin(
  url: string,
  staging: Staging,
  options: Asking,
  asked: HttpResponse | undefined,
): Promise<HttpResponse> {
  let first = asked;
  if (staging.partial !== undefined) {
    first?.discard();
    first = undefined;
    const response = await request(url, options, rangeOf(staging.partial));
    if (response.status === 200 || isRestOf(response, staging.partial)) {
      if (response.status === 206) options.answers?.noteShortcut();
      return response;
    }
    response.discard();
  }
  const response = first ?? (await request(url, options, {}));
  if (response.status === 200) return response;
  response.discard();
  throw isAbsent(response.status) ? notThere({ kind: "url", url }) : statusFailure(response);
}

type Part = NonNullable<Staging["partial"]>;

async function request(
  url: string,
  { http, insecureHttp, isGuarded, signal }: Asking,
  headers: Readonly<Record<string, string>>,
) {
  return await (await http()).get(url, { headers, insecureHttp, isGuarded, signal });
}

function rangeOf({ size, validator }: Part): Readonly<Record<string, string>> {
  return { Range: `bytes=${size}-`, "If-Range": validator };
}

/** More of what is being received. The bytes before were seen by the digest, so another version cannot begin anew here. */
async function rest(url: string, options: Asking, part: Part): Promise<HttpResponse> {
  const response = await request(url, options, rangeOf(part));
  if (isRestOf(response, part)) return response;
  response.discard();
  // The part that is there is of no use any more; asked again from the beginning, the new version is whole.
  options.answers?.noteShortcut();
  throw new Failure("HTTP_FAILED", `${url} changed while it was fetched`, { subject: url, hint: "try again" });
}

function isRestOf(response: HttpResponse, { size, validator }: Part): boolean {
  const begin = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(response.header("content-range") ?? "")?.[1];
  const etag = response.header("etag");
  const isSame = etag === undefined || !/^"/.test(validator) || etag === validator;
  return response.status === 206 && Number(begin) === size && isSame;
}

async function receive(
  response: HttpResponse,
  staging: Staging,
  { signal }: AcquireOptions,
  digest: Digest,
  progress: Received,
): Promise<void> {
  const { archive, archivePath, partial } = staging;
  const isRest = response.status === 206;
  try {
    if (isRest && progress.seen === 0) {
      for await (const chunk of bytesUpTo(archive, partial?.size ?? 0)) {
        digest.update(chunk);
        progress.seen += chunk.length;
      }
    } else if (!isRest) {
      await archive.truncate(0);
    }
  } catch (error) {
    throw ioFailure(error, `cannot go on with ${archivePath}`, archivePath);
  }
  progress.total = totalOf(response);
  progress.validator = isRest ? (progress.validator ?? partial?.validator) : validatorOf(response);
  if (!isRest) await staging.noteDownload(response.asked, progress.validator);
  const blocks = writeBlocks(staging, progress.seen, (block) => {
    digest.update(block);
    progress.seen += block.length;
  });
  let came = progress.seen;
  try {
    for await (const chunk of response.body) {
      came += chunk.length;
      if (came > archiveLimit) throw tooLong(response.url);
      await blocks.add(chunk);
      progress.tell(came, progress.total);
      if (signal?.aborted) throw new Failure("INTERRUPTED", `interrupted while fetching ${response.url}`);
    }
  } finally {
    // Also what came before it was broken off: it is gone on with from there.
    await blocks.end();
  }
  if (progress.total !== undefined && progress.seen !== progress.total) {
    const words = `${progress.seen} bytes came instead of ${progress.total}`;
    throw new Failure("HTTP_FAILED", `${response.url}: ${words}`, { subject: response.url });
  }
}

function totalOf(response: HttpResponse): number | undefined {
  const said =
    response.status === 206
      ? /\/(\d+)$/.exec(response.header("content-range") ?? "")?.[1]
      : response.header("content-length");
  return said !== undefined && /^\d+$/.test(said) ? Number(said) : undefined;
}

/** What If-Range takes: a strong ETag, else a time of change so far back that no second change hides in the same second. */
function validatorOf(response: HttpResponse): string | undefined {
  const etag = response.header("etag");
  if (etag !== undefined) return /^"[^"\u0000-\u0020]*"$/.test(etag) ? etag : undefined;
  const modified = response.header("last-modified");
  const age = Date.parse(response.header("date") ?? "") - Date.parse(modified ?? "");
  return modified !== undefined && age >= 60_000 ? modified : undefined;
}

const transient: ReadonlySet<string> = new Set(["HTTP_FAILED", "TIMED_OUT"]);

function isBroken(error: unknown): boolean {
  return error instanceof Failure && transient.has(error.code);
}

type Digest = Witness & { sha512(): string };

/** A witness with a running SHA-512 saves computing it twice. */
export function digestWith(witness: Witness | undefined): Digest {
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

async function* bytesUpTo(archive: FileHandle, end: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < end; ) {
    const block = Buffer.allocUnsafe(Math.min(blockSize, end - position));
    const { bytesRead } = await archive.read(block, 0, block.length, position);
    if (bytesRead === 0) throw new Failure("IO_FAILED", "a part of a download became shorter");
    position += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

export function where(place: Place): string {
  return place.kind === "file" ? place.path : place.url;
}

/** @throws Failure always */
export function notThere(place: Place, name?: string): Failure {
  const there = where(place);
  const what = name === undefined ? `there is no image at ${there}` : `there is no such image: ${name} (${there})`;
  return new Failure("NOT_FOUND", what, {
    subject: there,
    hint: place.kind === "file" ? "check the path" : "check the name, version and labels",
  });
}

export function isAbsent(status: number): boolean {
  return status === 404 || status === 410;
}

export function statusFailure({ status, url }: Pick<HttpResponse, "status" | "url">): Failure {
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

export function tooLong(where: string): Failure {
  return new Failure("LIMIT_EXCEEDED", `${where} is longer than the ${archiveLimit} bytes allowed`, { subject: where });
}
