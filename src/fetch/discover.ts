/** Meta discovery (spec/discovery.md): from a name to the places of its image and its keys. Says of every place it asked what came of it. */
import { errnoOf, Failure } from "../base/failure.ts";
import type { HttpClient } from "../http/client.ts";
import { requestUrl, type UrlPolicy } from "../http/url.ts";
import { isUnderPrefix } from "../schema/grammar.ts";
import { type Answers, getAndRead } from "./answers.ts";
import { statusFailure } from "./download.ts";
import { type DiscoveryTags, discoveryTags, pageLimit } from "./meta.ts";
import { renderTemplate } from "./template.ts";

export interface Endpoint {
  readonly image: string;
  readonly signature: string;
}

export interface Attempt {
  readonly url: string;
  readonly outcome: string;
  readonly kind: "absent" | "refused" | "network" | "found";
  /** What `refused` (401, 403) or `network` means here. */
  readonly failure?: Failure | undefined;
}

export interface Discovery {
  readonly endpoints: readonly Endpoint[];
  readonly keys: readonly string[];
  readonly attempts: readonly Attempt[];
  /** Whether a server of the Internet named them: then they must not be in a private network (T-D03). */
  readonly guarded: Readonly<Record<"endpoints" | "keys", boolean>>;
}

export interface DiscoverOptions {
  readonly insecureHttp: boolean;
  /** What is looked for; both when absent. The walk ends when it is found. */
  readonly wanted?: "endpoints" | "keys" | undefined;
  /** Pages kept from before; every page is asked for when absent. */
  readonly answers?: Answers | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Labels = readonly { readonly name: string; readonly value: string }[];

/** What is still looked for, and what was found. */
interface Search {
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
  readonly policy: UrlPolicy;
  endpoints: readonly Endpoint[] | undefined;
  keys: readonly string[] | undefined;
  readonly guarded: Record<"endpoints" | "keys", boolean>;
}

interface Answer {
  readonly attempt: Attempt;
  readonly tags?: DiscoveryTags | undefined;
  /** The page came from a server of the Internet. */
  readonly isPublic?: boolean | undefined;
  /** The host itself did not answer: its other paths will not either. */
  readonly isUnreachable?: boolean | undefined;
}

/**
 * Meta discovery (DISC-1…8): the walk to parents is independent for images and keys. Labels os and arch are already filled in by
 * the caller; `version` defaults to latest in templates (DISC-12). What no place has is empty, not a failure.
 * @throws Failure INTERRUPTED
 */
export async function discover(
  http: HttpClient,
  name: string,
  labels: Labels,
  options: DiscoverOptions,
): Promise<Discovery> {
  const search: Search = {
    name,
    values: new Map([
      ["version", "latest"],
      ...labels.map((label) => [label.name, label.value] as const),
      ["name", name],
    ]),
    policy: options,
    endpoints: options.wanted === "keys" ? [] : undefined,
    keys: options.wanted === "endpoints" ? [] : undefined,
    guarded: { endpoints: false, keys: false },
  };
  const attempts: Attempt[] = [];
  const schemes = new Set(options.insecureHttp ? ["https", "http"] : ["https"]);
  for (const path of withParents(name)) {
    attempts.push(...(await visit(http, path, schemes, search, options)));
    if (schemes.size === 0 || (search.endpoints !== undefined && search.keys !== undefined)) break;
  }
  return { endpoints: search.endpoints ?? [], keys: search.keys ?? [], attempts, guarded: search.guarded };
}

/** Asks one path, over http only what https did not answer (DISC-13); a scheme the host does not answer on leaves `schemes`. */
async function visit(
  http: HttpClient,
  path: string,
  schemes: Set<string>,
  search: Search,
  options: DiscoverOptions,
): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for (const scheme of schemes) {
    const answer = await ask(http, `${scheme}://${path}?ac-discovery=1`, options);
    if (answer.tags !== undefined) return [...attempts, take(search, answer, answer.tags)];
    if (answer.isUnreachable) schemes.delete(scheme);
    attempts.push(answer.attempt);
  }
  return attempts;
}

/**
 * Why nothing was found: NOT_AUTHORISED when a place wants to know who we are, a network failure when one could not answer, else
 * DISCOVERY_FAILED; every attempt is in the cause.
 */
export function discoveryFailure(name: string, { attempts }: Discovery): Failure {
  const cause = attempts.map(({ url, outcome }) => `${url}: ${outcome}`).join("; ");
  const broken = (attempts.find(({ kind }) => kind === "refused") ?? attempts.find(({ failure }) => failure))?.failure;
  if (broken !== undefined) {
    return new Failure(broken.code, `${name} could not be looked up: ${broken.message}`, {
      subject: name,
      cause,
      hint: broken.hint,
    });
  }
  const isHost = name.split("/", 1)[0]?.includes(".") ?? false;
  return new Failure("DISCOVERY_FAILED", `no place was found for ${name}`, {
    subject: name,
    cause,
    hint: isHost
      ? "check the name and its labels, or give the .aci's URL or path"
      : "a name begins with the host that publishes it, as in example.com/web; a file is given as ./FILE.aci",
  });
}

/** DISC-7: the name and its parents, up to the host. */
function withParents(name: string): readonly string[] {
  const parts = name.split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}

async function ask(http: HttpClient, url: string, { insecureHttp, answers, signal }: DiscoverOptions): Promise<Answer> {
  if (!URL.canParse(url)) {
    return { attempt: { url, outcome: "not the name of a host", kind: "absent" }, isUnreachable: true };
  }
  try {
    const headers = { Accept: "text/html" };
    const request = { http: async () => http, limit: pageLimit, headers, insecureHttp, answers, signal };
    const page = await getAndRead(url, request, discoveryTags);
    if (page.said === undefined) return { attempt: { url, ...outcomeOf(page.status, url) } };
    return { attempt: { url, outcome: "", kind: "found" }, tags: page.said, isPublic: page.isPublic };
  } catch (error) {
    return refused(error, url);
  }
}

function outcomeOf(status: number, url: string): Omit<Attempt, "url"> {
  const outcome = `answered with status ${status}`;
  if (status === 401 || status === 403) return { outcome, kind: "refused", failure: statusFailure({ status, url }) };
  if (status < 500) return { outcome, kind: "absent" };
  const failure = new Failure("HTTP_FAILED", `${url}: the server ${outcome}`, {
    subject: url,
    hint: "try again later, or ask who runs the server",
  });
  return { outcome, kind: "network", failure };
}

const attemptCodes: ReadonlySet<string> = new Set(["HTTP_FAILED", "TLS_FAILED", "TIMED_OUT", "LIMIT_EXCEEDED"]);

function refused(error: unknown, url: string): Answer {
  if (!(error instanceof Failure) || !attemptCodes.has(error.code)) throw error;
  const outcome = error.message.replace(`${url}: `, "");
  const isOfHost = error.subject !== undefined && URL.canParse(error.subject) && sameHost(error.subject, url);
  // A refused, broken, late or untrusted connection is one of the host; a bad redirect or page is one of the path.
  const isConnection = error.code === "TLS_FAILED" || error.code === "TIMED_OUT" || errnoOf(error.cause) !== undefined;
  return { attempt: { url, outcome, kind: "network", failure: error }, isUnreachable: isOfHost && isConnection };
}

function sameHost(a: string, b: string): boolean {
  return new URL(a).host === new URL(b).host;
}

/** Takes from a page what is still looked for. */
function take(search: Search, { attempt: { url }, isPublic = false }: Answer, tags: DiscoveryTags): Attempt {
  const said: string[] = [];
  let isFound = false;
  if (search.endpoints === undefined) {
    const { endpoints, problems } = endpointsOf(search, tags);
    if (endpoints.length > 0) search.endpoints = endpoints;
    search.guarded.endpoints = isPublic;
    isFound ||= endpoints.length > 0;
    said.push(summary("ac-discovery", endpoints.length, problems, search.name));
  }
  if (search.keys === undefined) {
    const { keys, problems } = keysOf(search, tags);
    if (keys.length > 0) search.keys = keys;
    search.guarded.keys = isPublic;
    isFound ||= keys.length > 0;
    said.push(summary("ac-discovery-pubkeys", keys.length, problems, search.name));
  }
  return { url, outcome: said.join(", "), kind: isFound ? "found" : "absent" };
}

function summary(tag: string, count: number, problems: readonly string[], name: string): string {
  if (count > 0) return `${count} ${tag}`;
  if (problems.length > 0) return `no usable ${tag} tag (${problems.slice(0, 3).join("; ")})`;
  return `no ${tag} tag for ${name}`;
}

function endpointsOf(search: Search, tags: DiscoveryTags) {
  const endpoints: Endpoint[] = [];
  const problems: string[] = [];
  for (const { prefix, url } of tags.images) {
    if (!isUnderPrefix(search.name, prefix)) continue;
    // A label called ext must not choose which of the two files is fetched: it comes last.
    const image = renderTemplate(url, new Map([...search.values, ["ext", "aci"]]), search.policy);
    const signature = renderTemplate(url, new Map([...search.values, ["ext", "aci.asc"]]), search.policy);
    if ("problem" in image) problems.push(`${url}: ${image.problem}`);
    else if ("problem" in signature) problems.push(`${url}: ${signature.problem}`);
    else endpoints.push({ image: image.url, signature: signature.url });
  }
  return { endpoints, problems };
}

function keysOf(search: Search, tags: DiscoveryTags) {
  const keys: string[] = [];
  const problems: string[] = [];
  for (const { prefix, url } of tags.keys) {
    if (!isUnderPrefix(search.name, prefix)) continue;
    try {
      keys.push(requestUrl(url, search.policy).href);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(error.message);
    }
  }
  return { keys, problems };
}
