/**
 * The connections: where they go (--connect-to), whom they trust (--ca-file), how long they may take to be made.
 * Knows nothing of requests.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";

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
}

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
  /** Whom TLS trusts, for connections made elsewhere. */
  readonly secureContext: tls.SecureContext;
}

type ConnectionOptions = https.RequestOptions & http.ClientRequestArgs;
type Callback = (error: Error | null, stream: Duplex) => void;

/** One agent for each scheme. Idle connections are kept for the next request but keep no process alive. */
export function createAgents(options: AgentOptions): Agents {
  const plain = new http.Agent({ keepAlive: true });
  // Made once: reading the roots costs tens of milliseconds.
  const secureContext = tls.createSecureContext({
    minVersion: "TLSv1.2",
    ...(options.authorities.length > 0 && { ca: [...tls.rootCertificates, ...options.authorities] }),
  });
  const secure = new https.Agent({
    keepAlive: true,
    // Said explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment means nothing (T-D09).
    rejectUnauthorized: !options.insecureTls,
    secureContext,
  });
  direct(plain, "connect", options);
  direct(secure, "secureConnect", options);
  return { http: plain, https: secure, secureContext };
}

/** Makes the connections of `agent` take the route and keep the deadline; `ready` is the event that ends the latter. */
function direct(agent: http.Agent, ready: "connect" | "secureConnect", options: AgentOptions): void {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (request: ConnectionOptions, callback?: Callback) => {
    const stream = connect(withRoute(request, options.route), callback);
    if (stream) limitConnecting(stream, ready, options.connectMs);
    return stream;
  };
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
