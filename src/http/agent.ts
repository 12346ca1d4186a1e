/**
 * The connections: where they go (--connect-to), whom they trust (--ca-file), how long they may take to be made.
 * Knows nothing of requests.
 */
import * as dns from "node:dns";
import * as http from "node:http";
import * as https from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { isPrivateAddress } from "./address.ts";

export interface Route {
  readonly address: string;
  readonly port: number;
}

export interface AgentOptions {
  /** Where connections for a host go instead; certificate, SNI and Host header stay the host's. */
  readonly route: (host: string) => Route | undefined;
  /** PEM certificates trusted in addition to the built-in roots. */
  readonly authorities: readonly string[];
  readonly insecureTls: boolean;
  /** For name look-up, TCP and TLS together. */
  readonly connectMs: number;
  /** The resolver; the system's when absent. */
  readonly lookup?: LookupFunction | undefined;
}

export interface Pair {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

export interface Agents extends Pair {
  /** These connect to no private address unless a route leads there (T-D03). Their connections are their own: none is taken over. */
  readonly guarded: Pair;
  /** Whether a connection for the URL's host and port went to an address of the Internet. */
  isPublic(url: URL): boolean;
  /** Whom TLS trusts, for connections made elsewhere. */
  readonly secureContext: tls.SecureContext;
}

type ConnectionOptions = https.RequestOptions & http.ClientRequestArgs;
type Callback = (error: Error | null, stream: Duplex) => void;

/** The bundle loads a module of Node's when something of it is first looked at: a good time is while TLS is prepared elsewhere. */
export function loadNetwork(): void {
  for (const module of [dns.lookup, http.Agent, https.Agent, tls.connect]) void module;
}

/** One agent for each scheme, and again with the guard. Idle connections are kept for the next request but keep no process alive. */
export function createAgents(options: AgentOptions): Agents {
  const secureContext = trusting(options.authorities);
  const reached = new Set<string>();
  const pair = (isGuarded: boolean): Pair => {
    const plain = new http.Agent({ keepAlive: true });
    const secure = new https.Agent({
      keepAlive: true,
      // Said explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment means nothing (T-D09).
      rejectUnauthorized: !options.insecureTls,
      secureContext,
    });
    direct(plain, { ...options, ready: "connect", isGuarded, reached });
    direct(secure, { ...options, ready: "secureConnect", isGuarded, reached });
    return { http: plain, https: secure };
  };
  const isPublic = ({ protocol, hostname, port }: URL) =>
    reached.has(placeOf(hostname.replace(/^\[|\]$/g, ""), port === "" ? (protocol === "https:" ? 443 : 80) : port));
  return { ...pair(false), guarded: pair(true), isPublic, secureContext };
}

/**
 * The built-in roots and `authorities`. Node parses its roots for the first context, whatever is in it, one by one; handed over as `ca` they would
 * be parsed a second time, which takes as long as all else of a short request. So ours are added to the roots that are there.
 */
function trusting(authorities: readonly string[]): tls.SecureContext {
  const made = tls.createSecureContext({ minVersion: "TLSv1.2" });
  const store: { addCACert(pem: string): void } = made.context;
  for (const pem of authorities) store.addCACert(pem);
  return made;
}

const placeOf = (host: string, port: number | string): string => `${host} ${port}`;

interface Direction extends AgentOptions {
  /** The event that ends the deadline. */
  readonly ready: "connect" | "secureConnect";
  readonly isGuarded: boolean;
  /** Places that were found at a public address. */
  readonly reached: Set<string>;
}

/** Makes the connections of `agent` take the route, keep the deadline, and not be led where the guard forbids. */
function direct(agent: http.Agent, direction: Direction): void {
  const { ready, route, connectMs, isGuarded, reached, lookup = dns.lookup } = direction;
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (request: ConnectionOptions, callback?: Callback) => {
    const routed = withRoute(request, route);
    const host = request.host ?? "";
    const isFree = !isGuarded || routed !== request;
    if (!isFree && isPrivateAddress(host)) {
      process.nextTick(() => callback?.(privateAddress(host, host), undefined as never));
      return undefined;
    }
    const stream = connect({ ...routed, lookup: isFree ? lookup : guarded(lookup) }, callback);
    if (!stream) return stream;
    limitConnecting(stream, ready, connectMs);
    stream.once(ready, () => {
      const { remoteAddress = "" } = stream as Socket;
      if (isIP(remoteAddress) !== 0 && !isPrivateAddress(remoteAddress)) reached.add(placeOf(host, request.port ?? 0));
    });
    return stream;
  };
}

/**
 * `lookup`, that fails when one of the addresses is private. The connection is made to what this very call returned, so that a name
 * cannot mean one address when it is looked at and another when it is connected to (rebinding).
 */
function guarded(lookup: LookupFunction): LookupFunction {
  return (host, options, done) =>
    lookup(host, options, (error, found, family) => {
      const addresses = typeof found === "string" ? [found] : (found ?? []).map(({ address }) => address);
      const bad = addresses.find(isPrivateAddress);
      if (error === null && bad !== undefined) done(privateAddress(host, bad), [], undefined);
      else done(error, found, family);
    });
}

function privateAddress(host: string, address: string): NodeJS.ErrnoException {
  const what = host === address ? address : `${host} is ${address}, which`;
  return Object.assign(new Error(`${what} is an address of a private network`), { code: "ERR_PRIVATE_ADDRESS" });
}

function withRoute(request: ConnectionOptions, routeOf: AgentOptions["route"]): ConnectionOptions {
  const host = request.host ?? "";
  const route = routeOf(host);
  if (route === undefined) return request;
  return {
    ...request,
    host: route.address,
    port: route.port,
    // A host given as an IP address has no SNI, and Node would then compare the certificate with the address connected to.
    checkServerIdentity: (_name: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(host, certificate),
  };
}

function limitConnecting(stream: Duplex | Socket, ready: string, ms: number): void {
  const late = Object.assign(new Error(`not connected within ${ms} ms`), { code: "ETIMEDOUT" });
  const timer = setTimeout(() => stream.destroy(late), ms);
  const stop = () => clearTimeout(timer);
  stream.once(ready, stop);
  stream.once("close", stop);
}
