/** A registry as a source: OCI distribution 1.1 and Docker's second API (OCI-60…69); and how one is reached, also to push (push.ts). */

import { excerpt, Failure, type FailureCode } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import type { Credentials } from "../http/authorisation.ts";
import type { HttpClient, HttpResponse } from "../http/client.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import { type Challenge, parseChallenge } from "./challenge.ts";
import type { RegistryCredentials } from "./credentials.ts";
import { documentLimit, mediaTypes, text } from "./documents.ts";
import { defaultHost, type RegistryReference, showOciReference } from "./reference.ts";
import type { Endpoint } from "./registries.ts";
import { resumed } from "./resume.ts";
import type { OciSource } from "./source.ts";

export interface RegistryOptions {
  /** A mirror of the registry; the registry itself when absent. */
  readonly endpoint?: Endpoint | undefined;
  readonly http: HttpClient;
  /** --insecure-options=http: a registry that does not speak TLS is asked without. */
  readonly insecureHttp: boolean;
  /** Asked once, when the registry wants to know who we are. */
  readonly credentials: () => Promise<RegistryCredentials | undefined>;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** One repository of a registry, as we are known to it. */
export interface Registry extends RegistryOptions {
  readonly reference: RegistryReference;
  /** What is done there, in the words of tokens: nothing else is asked for (OCI-62, OCI-91). */
  readonly scopes: readonly string[];
  /** `https://HOST`, without a slash behind it. */
  readonly origin: string;
  /** As the place that is asked calls it. */
  readonly repository: string;
  /** What the registry takes, once it was asked for. */
  pass: Credentials | undefined;
}

/** Docker's registry answers under another name than its images have. */
const hubEndpoint = "registry-1.docker.io";
const accepted = [mediaTypes.ociIndex, mediaTypes.dockerList, mediaTypes.ociManifest, mediaTypes.dockerManifest].join(
  ", ",
);

/** Asks whether there is a registry. @throws Failure HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED */
export async function openRegistry(reference: RegistryReference, options: RegistryOptions): Promise<OciSource> {
  const { tag, digest } = reference;
  const repository = repositoryAt(reference, options);
  const registry = await reachRegistry(reference, options, [`repository:${repository}:pull`]);
  return {
    imageName: `${reference.host}/${reference.repository}`,
    tag,
    resumes: true,
    root: async () => {
      const response = await ask(registry, `manifests/${digest ?? tag ?? "latest"}`, accepted);
      const mediaType = response.header("content-type")?.split(";")[0]?.trim();
      return { bytes: await response.bytes(documentLimit), mediaType };
    },
    open: (blob, kind, from = 0) => {
      const path = `${kind}s/${blob.digest}`;
      const accept = kind === "manifest" ? accepted : "*/*";
      const { log, signal } = options;
      const subject = `${kind} ${blob.digest.slice(0, 19)} of ${new URL(registry.origin).host}`;
      return resumed({
        ask: (headers) => ask(registry, path, accept, headers),
        subject,
        from,
        size: blob.size,
        log,
        signal,
      });
    },
    close: async () => {},
  };
}

/** Asks whether it is there. @throws Failure as openRegistry */
export async function reachRegistry(
  reference: RegistryReference,
  options: RegistryOptions,
  scopes: readonly string[],
): Promise<Registry> {
  const host = options.endpoint?.host ?? reference.host;
  const origin = await originOf(host === defaultHost ? hubEndpoint : host, options);
  let known: Promise<RegistryCredentials | undefined> | undefined;
  // Tokens expire while blobs are sent; a helper may ask its user for something each time.
  const credentials = () => {
    known ??= options.credentials();
    return known;
  };
  const repository = repositoryAt(reference, options);
  return { ...options, credentials, reference, scopes, repository, origin, pass: undefined };
}

function repositoryAt({ repository }: RegistryReference, { endpoint }: RegistryOptions): string {
  return `${endpoint?.prefix ?? ""}${repository}`;
}

/** OCI-61: https, and http only when that is allowed and nothing else answers. */
async function originOf(host: string, { http, insecureHttp, log, signal }: RegistryOptions): Promise<string> {
  if (!insecureHttp) return `https://${host}`;
  try {
    (await http.get(`https://${host}/v2/`, { signal })).discard();
    return `https://${host}`;
  } catch (error) {
    if (!(error instanceof Failure) || !["HTTP_FAILED", "TLS_FAILED"].includes(error.code)) throw error;
    log.warn(`${host} is asked without encryption`);
    return `http://${host}`;
  }
}

/** A 401 is met once: a registry that asks again does not want us (OCI-62). */
async function ask(
  registry: Registry,
  path: string,
  accept: string,
  more: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  const { http, signal, repository, origin } = registry;
  const url = `${origin}/v2/${repository}/${path}`;
  const get = () => http.get(url, { headers: { Accept: accept, ...more }, credentials: registry.pass, signal });
  let response = await get();
  if (response.status === 401) {
    response.discard();
    registry.pass = await passFor(registry, response);
    response = await get();
  }
  if (response.status === 200 || (response.status === 206 && more["Range"] !== undefined)) {
    if (accept === accepted) refusePage(registry, response);
    return response;
  }
  response.discard();
  throw refusal(registry, response.status, url);
}

/** OCI-69: a portal, a proxy or a web site answers for everything, and with success. */
function refusePage({ reference }: Registry, response: HttpResponse): void {
  const type = response.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "text/html" && type !== "application/xhtml+xml") return;
  response.discard();
  throw new Failure("HTTP_FAILED", `${new URL(response.url).host} answers with a web page, and is no registry`, {
    subject: showOciReference(reference),
    cause: `${response.url} is ${type}`,
    hint: "compare the name of the host; a network that wants you to log in answers so, too",
  });
}

/** OCI-62: only what the registry itself asks for is answered, not what a place that it led to does; over http nothing secret is said (OCI-61). */
export async function passFor(registry: Registry, response: HttpResponse): Promise<Credentials> {
  if (new URL(response.url).origin !== new URL(registry.origin).origin) throw refusal(registry, 401, response.url);
  const challenge = parseChallenge(response.header("www-authenticate"));
  const known = new URL(registry.origin).protocol === "https:" ? await registry.credentials() : undefined;
  const basic = known === undefined ? undefined : { kind: "basic" as const, ...known };
  if (challenge?.kind === "bearer") return await fetchToken(registry, challenge, response, basic);
  if (challenge?.kind === "basic" && basic !== undefined) return basic;
  throw refusal(registry, 401, response.url);
}

/** OCI-62: the token is for what is done here, whatever the registry proposes. OCI-94: the registry names the place, which may be another one of the user's. */
async function fetchToken(
  registry: Registry,
  { realm, service }: Extract<Challenge, { kind: "bearer" }>,
  { isPublic }: HttpResponse,
  credentials: Credentials | undefined,
): Promise<Credentials> {
  const { http, signal, scopes } = registry;
  if (!URL.canParse(realm)) throw refusal(registry, 401, realm);
  const url = new URL(realm);
  url.searchParams.delete("scope");
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (service !== undefined) url.searchParams.set("service", service);
  const response = await http.get(url.href, { credentials: credentials ?? "none", isGuarded: isPublic, signal });
  if (response.status !== 200) {
    response.discard();
    throw refusal(registry, response.status === 400 ? 401 : response.status, url.href);
  }
  const answer = parseStrictJson(await response.bytes(documentLimit), `the token of ${url.host}`);
  const token = isObject(answer) ? (text(answer["token"]) ?? text(answer["access_token"])) : undefined;
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return { kind: "bearer", token };
  throw refusal(registry, 401, url.href);
}

export function refusal({ reference, endpoint }: Registry, status: number, url: string): Failure {
  const name = excerpt(showOciReference(reference));
  const host = endpoint?.host ?? reference.host;
  const isOurs = status === 401 || status === 403;
  const code: FailureCode = isOurs ? "NOT_AUTHORISED" : status === 404 ? "NOT_FOUND" : "HTTP_FAILED";
  const why = isOurs ? "is not for us" : status === 404 ? "is not there" : "was not answered";
  return new Failure(code, `${name} ${why}`, {
    subject: showOciReference(reference),
    cause: `${url} answered ${status}`,
    hint: isOurs ? `podman login ${host} or docker login ${host}, whose files are read here` : undefined,
  });
}
