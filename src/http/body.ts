/** Reads an answer's body against servers that stall, drip or never end (T-D07). Knows streams, not connections. */
import type { Readable } from "node:stream";
import { Failure } from "../base/failure.ts";
import { interrupted, requestFailure, timeout } from "./errors.ts";

/** A body must bring this many bytes in every `idleMs` that we wait for it. */
const leastProgress = 1024;

export interface BodyOptions {
  readonly url: string;
  readonly idleMs: number;
  /** Bytes, from Content-Length. */
  readonly expected?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The chunks of `source`. Only the time spent waiting for the server counts: a slow consumer is no slow server.
 * @throws Failure HTTP_FAILED, TIMED_OUT, INTERRUPTED
 */
export async function* readBody(source: Readable, options: BodyOptions): AsyncGenerator<Uint8Array> {
  const { url, idleMs, expected, signal } = options;
  const chunks: AsyncIterator<Uint8Array> = source[Symbol.asyncIterator]();
  let size = 0;
  let waited = 0;
  let gained = 0;
  try {
    for (;;) {
      const begun = performance.now();
      // The Failure is made when it is needed: its stack costs more than all else here.
      const giveUp = () => void source.destroy(timeout(url, "the server stopped sending"));
      const chunk = await nextChunk(chunks, giveUp, idleMs - waited);
      if (chunk === undefined) break;
      size += chunk.length;
      waited += performance.now() - begun;
      gained += chunk.length;
      if (gained >= leastProgress) {
        waited = 0;
        gained = 0;
      }
      yield chunk;
    }
    // node-fetch ends a body quietly when the server goes on after the end it announced (T-D08).
    if (expected !== undefined && size !== expected) {
      throw new Failure("HTTP_FAILED", `${url}: the answer has ${size} bytes instead of ${expected}`, { subject: url });
    }
  } catch (error) {
    throw signal?.aborted ? interrupted(url) : requestFailure(error, url);
  } finally {
    source.destroy();
  }
}

async function nextChunk(
  chunks: AsyncIterator<Uint8Array>,
  giveUp: () => void,
  ms: number,
): Promise<Uint8Array | undefined> {
  const timer = setTimeout(giveUp, Math.max(ms, 1));
  try {
    const step = await chunks.next();
    return step.done ? undefined : step.value;
  } finally {
    clearTimeout(timer);
  }
}

export interface WholeBodyOptions {
  readonly url: string;
  /** Bytes. */
  readonly limit: number;
  /** For all of it. */
  readonly ms: number;
  /** Bytes, from Content-Length. */
  readonly expected?: number | undefined;
}

/** All of `body` in memory. @throws Failure LIMIT_EXCEEDED, TIMED_OUT and what `body` throws */
export async function wholeBody(
  body: AsyncIterable<Uint8Array>,
  options: WholeBodyOptions,
  source: Readable,
): Promise<Buffer> {
  const { url, limit, ms, expected } = options;
  const tooLong = () =>
    new Failure("LIMIT_EXCEEDED", `${url}: the answer is longer than the ${limit} bytes allowed`, { subject: url });
  if (expected !== undefined && expected > limit) {
    source.destroy();
    throw tooLong();
  }
  const timer = setTimeout(() => source.destroy(timeout(url, "the answer took too long")), ms);
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limit) throw tooLong();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  } finally {
    clearTimeout(timer);
  }
}
