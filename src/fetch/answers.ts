/**
 * When a server need not be asked, or only whether anything changed (RFC 9111, as far as one reader needs it). What is kept is
 * verified anew every time it is used; only the way over the network is saved.
 */
import type { HttpClient, HttpResponse } from "../http/client.ts";
import type { KeptAnswer } from "../store/answers.ts";
import { keepAnswer, readAnswer } from "../store/answers.ts";
import type { Store } from "../store/layout.ts";

/** A server's word is taken for a day at most, so that nobody freezes what a name leads to (T-D12). Seconds. */
const longestAge = 24 * 60 * 60;
/** Documents beyond this are not kept. Bytes. */
const largestKept = 256 * 1024;

/** What one attempt may take from before. It is given up for a second attempt when something that was taken did not fit. */
export interface Answers {
  /** The answer kept of `url`, and whether it may be used without asking. */
  recall(url: string): { readonly answer: KeptAnswer; readonly isFresh: boolean } | undefined;
  /** Keeps what a response allows to keep. */
  keep(url: string, response: HttpResponse, what: Pick<KeptAnswer, "body" | "said" | "image">): Promise<void>;
  /** Something was used that no server confirmed just now: a fresh answer, a part of a download, an archive that has rotted. */
  noteShortcut(): void;
  hasShortcut(): boolean;
  /** The second attempt: nothing is taken from before, nor from others who fetch the same. */
  readonly isAnew: boolean;
  /** Archives of the store whose bytes are not what they were, by SHA-512. */
  readonly rotten: Set<string>;
}

/** @param previous a failed attempt: nothing is taken from before then */
export function openAnswers(store: Store, now: () => Date, previous?: Answers): Answers {
  let isShort = false;
  return {
    recall: (url) => {
      const answer = previous === undefined ? readAnswer(store, url) : undefined;
      if (answer === undefined) return undefined;
      const age = (now().getTime() - Date.parse(answer.at)) / 1000;
      return { answer, isFresh: age >= 0 && age < answer.maxAge };
    },
    keep: async (url, response, what) => {
      const control = response.header("cache-control")?.toLowerCase() ?? "";
      if (/\bno-store\b/.test(control)) return;
      const etag = response.header("etag");
      const lastModified = response.header("last-modified");
      const maxAge = maxAgeOf(control, response.header("age"));
      // Which image it is is worth knowing without them too: for those who wait while it is fetched (DOWNLOAD-4).
      const { isPublic } = response;
      const isOfUse = what.image !== undefined || etag !== undefined || lastModified !== undefined || maxAge > 0;
      if (!isOfUse || (what.body?.length ?? 0) > largestKept) return;
      await keepAnswer(store, { url, etag, lastModified, at: now().toISOString(), maxAge, isPublic, ...what });
    },
    noteShortcut: () => {
      isShort = true;
    },
    hasShortcut: () => isShort,
    isAnew: previous !== undefined,
    rotten: new Set(previous?.rotten),
  };
}

/** Seconds. */
export function maxAgeOf(control: string, age: string | undefined): number {
  if (/\bno-(?:cache|store)\b/.test(control)) return 0;
  const said = Number(/\bmax-age="?(\d{1,10})/.exec(control)?.[1] ?? 0);
  return Math.max(Math.min(said, longestAge) - (Number(age ?? 0) || 0), 0);
}

/** The headers that ask whether anything changed since. */
export function conditions({ etag, lastModified }: KeptAnswer): Readonly<Record<string, string>> {
  if (etag !== undefined) return { "If-None-Match": etag };
  return lastModified === undefined ? {} : { "If-Modified-Since": lastModified };
}

/** How a document is read. What it says is kept with it, so that one that did not change is not read again. */
export interface Reading<T> {
  read(bytes: Buffer): Promise<T>;
  /** Whether what was kept is what `read` would say: one of another version is not. */
  isStill(said: unknown): said is T;
}

export interface DocumentRequest {
  readonly http: () => Promise<HttpClient>;
  /** Bytes. */
  readonly limit: number;
  readonly insecureHttp: boolean;
  readonly isGuarded?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Nothing is kept, nothing recalled when absent. */
  readonly answers?: Answers | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Document {
  readonly status: number;
  /** With status 200. */
  readonly bytes: Buffer;
  /** After redirects. */
  readonly url: string;
  /** As HttpResponse has it. */
  readonly isPublic: boolean;
}

/** A small document, from before where that is allowed. @throws Failure as HttpClient.get, LIMIT_EXCEEDED */
export async function getDocument(url: string, request: DocumentRequest): Promise<Document> {
  return await getAndRead(url, request, nothingToRead);
}

const nothingToRead: Reading<undefined> = { read: async () => undefined, isStill: (said) => said === undefined };

/** As getDocument, with what it says when its status is 200. @throws Failure as getDocument; whatever `reading` throws */
export async function getAndRead<T>(
  url: string,
  request: DocumentRequest,
  reading: Reading<T>,
): Promise<Document & { readonly said?: T }> {
  const { http, limit, insecureHttp, isGuarded, headers = {}, answers, signal } = request;
  const kept = answers?.recall(url);
  const body = kept?.answer.body === undefined ? undefined : Buffer.from(kept.answer.body, "base64");
  const said = kept?.answer.said;
  const saidBefore = async (bytes: Buffer) => (reading.isStill(said) ? said : await reading.read(bytes));
  if (kept?.isFresh && body !== undefined) {
    answers?.noteShortcut();
    // Where it came from is not known of what was kept before that was noted.
    return { status: 200, bytes: body, url, isPublic: kept.answer.isPublic ?? true, said: await saidBefore(body) };
  }
  const asked = kept === undefined || body === undefined ? {} : conditions(kept.answer);
  const options = { headers: { ...headers, ...asked }, insecureHttp, isGuarded, signal };
  const response = await (await http()).get(url, options);
  const { isPublic } = response;
  if (response.status === 304 && kept !== undefined && body !== undefined) {
    response.discard();
    const still = await saidBefore(body);
    await answers?.keep(url, revalidated(response, kept.answer), { body: kept.answer.body, said: still });
    return { status: 200, bytes: body, url: response.url, isPublic, said: still };
  }
  if (response.status !== 200) {
    response.discard();
    return { status: response.status, bytes: Buffer.alloc(0), url: response.url, isPublic };
  }
  const bytes = await response.bytes(limit);
  const now = await reading.read(bytes);
  await answers?.keep(url, response, { body: bytes.toString("base64"), said: now });
  return { status: 200, bytes, url: response.url, isPublic, said: now };
}

/** A 304 repeats only what changed: what it leaves out holds on, but the age begins anew. */
export function revalidated(response: HttpResponse, kept: KeptAnswer): HttpResponse {
  const before: Readonly<Record<string, string | undefined>> = { etag: kept.etag, "last-modified": kept.lastModified };
  return { ...response, header: (name) => response.header(name) ?? before[name] };
}
