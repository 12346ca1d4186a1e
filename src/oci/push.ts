/** An OCI image into a registry (OCI-90…93): what is there already is not sent, and the manifest comes last, so that nothing names what is missing. */
import { excerpt, Failure, printable } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import type { HttpRequest, HttpResponse } from "../http/client.ts";
import { defaultJsonLimits, parseStrictJson } from "../schema/strict-json.ts";
import { text } from "./documents.ts";
import { blobsOf, type OutgoingBlob, type OutgoingImage, once } from "./outgoing.ts";
import { type RegistryReference, showOciReference } from "./reference.ts";
import { passFor, type Registry, type RegistryOptions, reachRegistry, refusal } from "./registry.ts";

export interface PushOptions extends RegistryOptions {
  /** A repository of the same registry that may have the blobs. */
  readonly mountFrom?: string | undefined;
}

export interface Pushed {
  /** Blobs, and their bytes; manifests not counted. */
  readonly sent: number;
  readonly sentBytes: number;
  readonly mounted: number;
  readonly present: number;
}

/** @throws Failure NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED; DIGEST_MISMATCH when the store has rotted */
export async function pushImage(
  image: OutgoingImage,
  reference: RegistryReference,
  options: PushOptions,
): Promise<Pushed> {
  const { mountFrom } = options;
  const scopes = [`repository:${reference.repository}:pull,push`];
  if (mountFrom !== undefined) scopes.push(`repository:${mountFrom}:pull`);
  const registry = await reachRegistry(reference, options, scopes);
  const counts = { sent: 0, sentBytes: 0, mounted: 0, present: 0 };
  for (const blob of blobsOf(image)) {
    if (blob.digest === image.manifest.digest) continue;
    const how = await bring(registry, blob, mountFrom);
    counts[how] += 1;
    if (how === "sent") counts.sentBytes += blob.size;
  }
  await putManifest(registry, image);
  return counts;
}

async function bring(
  registry: Registry,
  blob: OutgoingBlob,
  mountFrom: string | undefined,
): Promise<"sent" | "mounted" | "present"> {
  const head = await ask(registry, pathOf(registry, `blobs/${blob.digest}`), { method: "HEAD" });
  if (head.status !== 200 && head.status !== 404) throw await refused(registry, head);
  head.discard();
  if (head.status === 200) return "present";
  const mount = mountFrom === undefined ? "" : `?mount=${blob.digest}&from=${encodeURIComponent(mountFrom)}`;
  const begun = await ask(registry, pathOf(registry, `blobs/uploads/${mount}`), { method: "POST" });
  const isMounted = begun.status === 201 && mount !== "";
  if (!isMounted && begun.status !== 202) throw await refused(registry, begun);
  begun.discard();
  if (isMounted) return "mounted";
  await send(registry, blob, begun);
  return "sent";
}

function pathOf({ origin, reference }: Registry, path: string): string {
  return `${origin}/v2/${reference.repository}/${path}`;
}

/** The whole blob at once; the registry compares it with its digest, as we do. */
async function send(registry: Registry, blob: OutgoingBlob, begun: HttpResponse): Promise<void> {
  const url = uploadUrl(registry, begun);
  url.searchParams.set("digest", blob.digest);
  const { log } = registry;
  const task = `sending ${blob.digest.slice(0, 19)}`;
  async function* told(): AsyncGenerator<Uint8Array> {
    let done = 0;
    for await (const chunk of blob.open()) {
      yield chunk;
      done += chunk.length;
      log.progress({ task, done, total: blob.size });
    }
    log.progress({ task, done, total: blob.size, finished: true });
  }
  const response = await ask(registry, url.href, {
    method: "PUT",
    headers: { "Content-Type": "application/octet-stream" },
    body: { size: blob.size, open: told },
    // Where a registry of the Internet sends us must not be a place in a private network.
    isGuarded: begun.isPublic,
  });
  // Its query may be what lets anybody write there.
  if (response.status !== 201) throw await refused(registry, response, url.origin + url.pathname);
  response.discard();
}

function uploadUrl(registry: Registry, begun: HttpResponse): URL {
  const location = begun.header("location");
  if (location !== undefined && URL.canParse(location, begun.url)) {
    const url = new URL(location, begun.url);
    const isSafe = url.protocol === "https:" || new URL(begun.url).protocol !== "https:";
    if (isSafe) return url;
    throw new Failure("HTTP_FAILED", `${registry.reference.host} sends us from https to http`, {
      subject: url.origin + url.pathname,
      cause: "everybody on the way could read the blob, and change it",
    });
  }
  throw new Failure("HTTP_FAILED", `${registry.reference.host} does not say where to send a blob`, {
    subject: begun.url,
    cause: location === undefined ? "its answer has no Location" : excerpt(location),
  });
}

async function putManifest(registry: Registry, { manifest }: OutgoingImage): Promise<void> {
  const url = pathOf(registry, `manifests/${registry.reference.tag ?? manifest.digest}`);
  const response = await ask(registry, url, {
    method: "PUT",
    headers: { "Content-Type": manifest.mediaType },
    body: { size: manifest.size, open: () => once(manifest.bytes) },
  });
  if (response.status !== 201) throw await refused(registry, response);
  response.discard();
  const digest = response.header("docker-content-digest");
  if (digest === undefined || digest === manifest.digest) return;
  throw new Failure("DIGEST_MISMATCH", `${printable(showOciReference(registry.reference))} is not what was sent`, {
    subject: url,
    cause: `sent ${manifest.digest}, stored ${excerpt(digest)}`,
  });
}

/** OCI-93. 404 is no image that is missing, but a place that there is not. */
async function refused(registry: Registry, response: HttpResponse, url = response.url): Promise<Failure> {
  const said = await wordsOf(response);
  if (response.status === 401 || response.status === 403) return refusal(registry, response.status, url);
  const subject = showOciReference(registry.reference);
  return new Failure("HTTP_FAILED", `${excerpt(subject)} was not taken`, {
    subject,
    cause: `${url} answered ${response.status}${said === undefined ? "" : `: ${excerpt(said)}`}`,
  });
}

const longestRefusal = 64 * 1024;

/** The first error of the list that registries answer with. */
async function wordsOf(response: HttpResponse): Promise<string | undefined> {
  try {
    const answer = parseStrictJson(await response.bytes(longestRefusal), "the answer", defaultJsonLimits);
    const errors = isObject(answer) ? answer["errors"] : undefined;
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    return isObject(first) ? (text(first["message"]) ?? text(first["code"])) : undefined;
  } catch {
    return undefined; // a page, or nothing
  } finally {
    response.discard();
  }
}

/** OCI-92: who we are is told to the registry's own origin only. A 401 is met once for each request: tokens expire while blobs are sent. */
async function ask(registry: Registry, url: string, request: HttpRequest): Promise<HttpResponse> {
  const { http, signal, origin } = registry;
  const isOwn = new URL(url).origin === new URL(origin).origin;
  const known = () => (isOwn ? { credentials: registry.pass, isGuarded: false } : { credentials: "none" as const });
  const asked = () => http.get(url, { ...request, ...known(), signal });
  const response = await asked();
  if (response.status !== 401 || !isOwn) return response;
  response.discard();
  registry.pass = await passFor(registry, response);
  return await asked();
}
