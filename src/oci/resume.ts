/** A blob over as many answers as it takes: gone on with where the connection broke (OCI-68). Whoever reads it compares all of it with its digest. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { HttpResponse } from "../http/client.ts";

/** Times that a broken download is gone on with, each having brought something. */
const mostContinuations = 5;
/** Milliseconds before the first of them. */
const defaultPause = 200;

export interface ResumeOptions {
  /** Asked with the headers of a range. Answers 200 or 206, or throws. */
  readonly ask: (headers: Readonly<Record<string, string>>) => Promise<HttpResponse>;
  /** For messages. */
  readonly subject: string;
  /** Bytes that the caller has already. */
  readonly from: number;
  /** Of the whole blob, when it is known. */
  readonly size?: number | undefined;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  readonly pauseMs?: number | undefined;
}

/** The bytes from `from` on. @throws Failure HTTP_FAILED, TIMED_OUT, INTERRUPTED */
export async function* resumed(options: ResumeOptions): AsyncGenerator<Uint8Array> {
  const { ask, subject, from, log, signal, pauseMs = defaultPause } = options;
  let seen = from;
  let etag: string | undefined;
  for (let tries = 0; ; tries += 1) {
    const before = seen;
    const response = await ask(rangeOf(seen, etag));
    etag ??= strongTag(response);
    try {
      for await (const chunk of restOf(response, seen, subject)) {
        seen += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (seen === options.size) return;
      const isBroken = error instanceof Failure && ["HTTP_FAILED", "TIMED_OUT"].includes(error.code);
      if (!isBroken || seen === before || tries >= mostContinuations || signal?.aborted === true) throw error;
      log.info(`${subject}: broken off after ${seen} bytes, going on from there`);
      await pause(pauseMs * 2 ** tries, signal);
    }
  }
}

/** @throws Failure INTERRUPTED */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    throw new Failure("INTERRUPTED", "interrupted", { cause: signal?.reason ?? error });
  });
}

/** A blob is its digest: another version of it there is none. The tag is for caches on the way, which may have a torn one. */
function rangeOf(seen: number, etag: string | undefined): Readonly<Record<string, string>> {
  if (seen === 0) return {};
  return { Range: `bytes=${seen}-`, ...(etag !== undefined && { "If-Range": etag }) };
}

function strongTag(response: HttpResponse): string | undefined {
  const tag = response.header("etag");
  return tag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(tag) ? tag : undefined;
}

/** Who does not do ranges sends all of it once more. */
async function* restOf(response: HttpResponse, seen: number, subject: string): AsyncGenerator<Uint8Array> {
  let skip = 0;
  if (response.status === 206) {
    const begin = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(response.header("content-range") ?? "")?.[1];
    if (Number(begin) !== seen) {
      response.discard();
      throw new Failure("HTTP_FAILED", `${subject}: another part was sent than was asked for`, { subject });
    }
  } else skip = seen;
  for await (const chunk of response.body) {
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
