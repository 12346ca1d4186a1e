/** The one HTTP client. https unless told; redirects, limits, deadlines, --ca-file, --connect-to. */
import type { Agent } from "node:http";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import type * as nodeFetch from "node-fetch";
import { errnoOf, Failure } from "../base/failure.ts";
import { isPrivateAddress } from "./address.ts";
import type { Agents } from "./agent.ts";
import { authorise, type Credentials, type CredentialsByHost, credentialsFor } from "./authorisation.ts";
import { type AuthorityFiles, readAuthorities } from "./authorities.ts";
import { readBody, wholeBody } from "./body.ts";
import { interrupted, requestFailure, timeout } from "./errors.ts";
import { type Proxies, proxyFor, tunnelThrough } from "./proxy.ts";
import { redirectTarget, requestUrl } from "./url.ts";

export interface ConnectTo {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** Milliseconds. */
export interface Deadlines {
  /** Name look-up, TCP and TLS. */
  readonly connect: number;
  /** From the connection, and from each piece that we send, to the headers; and for every KiB of a body. */
  readonly idle: number;
  /** For a whole document (`bytes`). */
  readonly document: number;
}

export interface HttpOptions extends AuthorityFiles {
  readonly connectTo: readonly ConnectTo[];
  readonly insecureTls: boolean;
  readonly insecureHttp: boolean;
  /** Sent to their own origin only, over https only (T-D04). */
  readonly credentials?: CredentialsByHost | undefined;
  /** A host of connectTo is connected to without. */
  readonly proxies?: Proxies | undefined;
  /** `perigee/VERSION`. */
  readonly userAgent?: string | undefined;
  readonly deadlines?: Deadlines | undefined;
  /** The resolver; the system's when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** Begun before the network modules are loaded, and waited for before the first connection. Never rejects. */
  readonly prepareTls?: (() => Promise<void>) | undefined;
}

export interface HttpRequest {
  /** A POST or PUT is not redirected: that answer is handed on. */
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | undefined;
  /** Opened anew when it has to be sent again. */
  readonly body?: { readonly size: number; open(): AsyncIterable<Uint8Array> } | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * For the origin of this request instead of the client's; as those, over https only and not behind a redirect to another (T-D04). "none": not even
   * the client's, since a server named the URL, which must not choose to whom we tell who we are (OCI-94).
   */
  readonly credentials?: Credentials | "none" | undefined;
  /** For this request instead of the client's. */
  readonly insecureHttp?: boolean | undefined;
  /** A server of the Internet named the URL: it must not lead into a private network (T-D03). */
  readonly isGuarded?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** After redirects, without credentials. */
  readonly url: string;
  /** Before redirects. */
  readonly asked: string;
  /** It came from a server of the Internet, or one redirected to it: what it names must not lead into a private network either (T-D03). */
  readonly isPublic: boolean;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads the whole body. @throws Failure LIMIT_EXCEEDED */
  bytes(limit: number): Promise<Buffer>;
  discard(): void;
}

export interface HttpClient {
  /** Any status is a response; connection, TLS, time-out and redirect problems are Failures HTTP_FAILED, TLS_FAILED, TIMED_OUT. */
  get(url: string, options?: HttpRequest): Promise<HttpResponse>;
}

const defaultDeadlines: Deadlines = { connect: 20_000, idle: 60_000, document: 120_000 };
const maxRedirects = 10;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

interface Connections {
  readonly fetch: typeof nodeFetch.default;
  readonly agents: Agents;
  readonly options: HttpOptions;
  readonly deadlines: Deadlines;
  /** Origins asked before: a connection to them may be a kept one that the server has closed meanwhile. */
  readonly asked: Set<string>;
  /** By the proxy's URL. */
  readonly tunnels: Map<string, ReturnType<typeof tunnelThrough>>;
}

/** A client; its files are read and its packages loaded at the first request. */
export function createHttpClient(options: HttpOptions): HttpClient {
  let connections: Promise<Connections> | undefined;
  const connected = () => {
    connections ??= open(options);
    return connections;
  };
  return { get: async (url, request = {}) => follow(await connected(), url, request) };
}

/** `HOST:ADDR:PORT`, IPv6 addresses in brackets. @throws Failure USAGE */
export function parseConnectTo(text: string): ConnectTo {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  const [, host, address, port] = match ?? [];
  if (host === undefined || address === undefined || port === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new Failure("USAGE", `--connect-to ${text} is not HOST:ADDR:PORT`, {
      hint: "for example --connect-to example.com:127.0.0.1:8443, an IPv6 address in brackets",
    });
  }
  return { host: bare(host), address: bare(address), port: Number(port) };
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "").toLowerCase();
}

async function open(options: HttpOptions): Promise<Connections> {
  const deadlines = options.deadlines ?? defaultDeadlines;
  const prepared = options.prepareTls?.();
  try {
    const authorities = await readAuthorities(options);
    // TLS and the rest of Node's network modules come with it: nobody who asks no server waits for them.
    const { createAgents, loadNetwork } = await import("./agent.ts");
    const { default: fetch } = await import("node-fetch");
    loadNetwork();
    await prepared;
    const agents = createAgents({
      route: (host) => options.connectTo.find((entry) => entry.host === bare(host)),
      authorities,
      insecureTls: options.insecureTls,
      connectMs: deadlines.connect,
      lookup: options.lookup,
    });
    return { fetch, agents, options, deadlines, asked: new Set(), tunnels: new Map() };
  } finally {
    await prepared; // the process must not end amid it
  }
}

/** At most ten redirects, no place twice, each as strictly checked as the first (T-D02). */
async function follow(connections: Connections, start: string, request: HttpRequest): Promise<HttpResponse> {
  const { options } = connections;
  const policy = { insecureHttp: request.insecureHttp ?? options.insecureHttp };
  const visited = new Set<string>();
  let url = requestUrl(start, policy);
  let trail: Trail = { credentials: credentialsOf(request, url, options), isGuarded: request.isGuarded ?? false };
  for (;;) {
    visited.add(url.href);
    const response = await send(connections, url, request, trail);
    options.log.debug(`${request.method ?? "GET"} ${url.href} → ${response.status}`);
    const isGuarded = trail.isGuarded || isPublic(connections, new URL(response.url));
    const isSending = request.method === "POST" || request.method === "PUT";
    if (isSending || !redirectStatuses.has(response.status)) return { ...response, asked: start, isPublic: isGuarded };
    response.discard();
    const from = url.origin;
    url = redirectTarget(url, response.header("location"), policy);
    // Once elsewhere they stay away, also on the way back: nobody leads us to a place of ours with our credentials (T-D04).
    trail = { credentials: url.origin === from ? trail.credentials : undefined, isGuarded };
    if (visited.has(url.href)) {
      throw new Failure("HTTP_FAILED", `${start} redirects in a circle, back to ${url.href}`, { subject: start });
    }
    if (visited.size > maxRedirects) {
      throw new Failure("HTTP_FAILED", `${start} redirects more than ${maxRedirects} times`, { subject: start });
    }
  }
}

function credentialsOf(request: HttpRequest, url: URL, options: HttpOptions): Credentials | undefined {
  if (request.credentials === "none") return undefined;
  const own = url.protocol === "https:" ? request.credentials : undefined;
  return own ?? credentialsFor(options.credentials ?? new Map(), url);
}

/** What a request inherits from the redirects that led to it. */
interface Trail {
  readonly credentials: Credentials | undefined;
  /** A server of the Internet led here, or named the place: it must not lead into a private network (T-D03). */
  readonly isGuarded: boolean;
}

/** Behind a proxy nobody knows; it has to be taken for a public one, if its name is not the address of another. */
function isPublic({ agents, options }: Connections, url: URL): boolean {
  return proxyOf(options, url) === undefined ? agents.isPublic(url) : !isPrivateAddress(bare(url.hostname));
}

type Answer = Omit<HttpResponse, "asked" | "isPublic">;

async function send(connections: Connections, url: URL, request: HttpRequest, trail: Trail): Promise<Answer> {
  const mayBeStale = connections.asked.has(url.origin);
  connections.asked.add(url.origin);
  try {
    return await exchange(connections, url, request, trail);
  } catch (error) {
    // A kept connection that the server closed just now is no failure of the server: once more, on a new one.
    const broken = error instanceof Failure && ["ECONNRESET", "EPIPE"].includes(errnoOf(error.cause) ?? "");
    if (!mayBeStale || !broken) throw error;
    return exchange(connections, url, request, trail);
  }
}

async function exchange(
  connections: Connections,
  url: URL,
  request: HttpRequest,
  { credentials, isGuarded }: Trail,
): Promise<Answer> {
  const { deadlines, options } = connections;
  const { method = "GET", headers = {} } = request;
  if (request.signal?.aborted) throw interrupted(url.href);
  const agent = await agentFor(connections, url, isGuarded);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), deadlines.connect + deadlines.idle);
  try {
    const response = await connections.fetch(url.href, {
      method,
      headers: {
        ...headers,
        ...(credentials && authorise(credentials, { method, url, headers }, new Date())),
        "User-Agent": options.userAgent ?? "perigee",
        "Accept-Encoding": "identity",
        ...(request.body && { "Content-Length": String(request.body.size) }),
      },
      ...(request.body && { body: Readable.from(paced(request.body.open(), timer), { objectMode: false }) }),
      // What was signed are the bytes as sent: nothing is decompressed on the way (also T-D07, bombs).
      compress: false,
      redirect: "manual",
      agent,
      signal: request.signal === undefined ? patience.signal : AbortSignal.any([patience.signal, request.signal]),
    });
    return responseOf(response, url, request, deadlines);
  } catch (error) {
    if (request.signal?.aborted) throw interrupted(url.href);
    if (patience.signal.aborted) throw timeout(url.href, "the server did not answer in time");
    throw requestFailure(error, url.href);
  } finally {
    clearTimeout(timer);
  }
}

/** Each piece that the server takes shows that it is there. */
async function* paced(body: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    timer.refresh();
    yield piece;
  }
}

function proxyOf({ connectTo, proxies }: HttpOptions, url: URL): URL | undefined {
  const isRouted = connectTo.some((entry) => entry.host === bare(url.hostname));
  return proxies === undefined || isRouted ? undefined : proxyFor(proxies, url);
}

async function agentFor(connections: Connections, url: URL, isGuarded: boolean): Promise<Agent> {
  const { agents, options, deadlines, tunnels } = connections;
  const proxy = proxyOf(options, url);
  const pair = isGuarded ? agents.guarded : agents;
  if (proxy === undefined) return url.protocol === "https:" ? pair.https : pair.http;
  // What a name means is known to the proxy alone, which has to guard its own networks.
  if (isGuarded && isPrivateAddress(bare(url.hostname))) {
    throw requestFailure(Object.assign(new Error(url.hostname), { code: "ERR_PRIVATE_ADDRESS" }), url.href);
  }
  const { secureContext } = agents;
  const { insecureTls } = options;
  const tunnel =
    tunnels.get(proxy.href) ?? tunnelThrough(proxy, { secureContext, insecureTls, connectMs: deadlines.connect });
  tunnels.set(proxy.href, tunnel);
  return await tunnel;
}

function responseOf(response: nodeFetch.Response, url: URL, request: HttpRequest, deadlines: Deadlines): Answer {
  const source = response.body instanceof Readable ? response.body : Readable.from([]);
  const header = (name: string) => response.headers.get(name) ?? undefined;
  const expected = request.method === "HEAD" ? undefined : contentLength(header("content-length"));
  const body = readBody(source, { url: url.href, idleMs: deadlines.idle, expected, signal: request.signal });
  return {
    status: response.status,
    url: url.href,
    header,
    body,
    bytes: (limit) => wholeBody(body, { url: url.href, limit, ms: deadlines.document, expected }, source),
    discard: () => {
      source.destroy();
    },
  };
}

function contentLength(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}
