/**
 * Proxies from the environment: which one a URL goes by, and the tunnel through it. TLS is spoken with the server inside the tunnel
 * under the same rules as without; the proxy learns a host and a port. The only importer of the proxy agent.
 */
import { BlockList, isIP } from "node:net";
import type { SecureContext } from "node:tls";
import type { HttpsProxyAgent } from "https-proxy-agent";
import { Failure } from "../base/failure.ts";

export interface Proxies {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Entries of NO_PROXY. */
  readonly except: readonly string[];
}

/** HTTPS_PROXY, HTTP_PROXY and NO_PROXY; in small letters they come first. @throws Failure CONFIG_INVALID */
export function readProxies(environment: ReadonlyMap<string, string>): Proxies {
  const value = (name: string) => environment.get(name.toLowerCase()) || environment.get(name) || undefined;
  // In a CGI program HTTP_PROXY is what a stranger's `Proxy:` header says.
  const isCgi = environment.has("REQUEST_METHOD");
  return {
    http: parseProxy("HTTP_PROXY", isCgi ? environment.get("http_proxy") : value("HTTP_PROXY")),
    https: parseProxy("HTTPS_PROXY", value("HTTPS_PROXY")),
    except: (value("NO_PROXY") ?? "").split(/[,\s]+/).filter((entry) => entry !== ""),
  };
}

function parseProxy(variable: string, text: string | undefined): URL | undefined {
  if (text === undefined || text === "") return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && ["http:", "https:"].includes(url.protocol) && url.hostname !== "") return url;
  throw new Failure("CONFIG_INVALID", `${variable} names no proxy that can be used`, {
    subject: variable,
    hint: `for example ${variable}=http://proxy.example.com:3128`,
  });
}

/** The proxy for `url`; undefined: none. This machine itself is never asked by a proxy. */
export function proxyFor(proxies: Proxies, url: URL): URL | undefined {
  const proxy = url.protocol === "https:" ? proxies.https : proxies.http;
  if (proxy === undefined) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  if (host === "localhost" || isIn(host, "127.0.0.0/8") || isIn(host, "::1/128")) return undefined;
  return proxies.except.some((entry) => excepts(entry.toLowerCase(), host, port)) ? undefined : proxy;
}

/** `*`, a host and what is below it (with or without a dot before it), an address, a range of addresses; a port may follow. */
function excepts(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isIn(host, entry);
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry);
  const only = match?.[3];
  const bare = isIP(entry) === 6 ? entry : (match?.[1] ?? match?.[2] ?? "");
  if (bare === "" || (only !== undefined && only !== port)) return false;
  if (isIP(bare) !== 0 || isIP(host) !== 0) return bare === host;
  const wanted = bare.replace(/^\*?\./, "").split(".");
  // By whole components: example.com is not notexample.com.
  return host.split(".").slice(-wanted.length).join(".") === wanted.join(".");
}

function isIn(host: string, range: string): boolean {
  const [network = "", bits = ""] = range.split("/");
  const [family, hostFamily] = [isIP(network), isIP(host)];
  if (family === 0 || family !== hostFamily || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return false;
  const list = new BlockList();
  const kind = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(network, Number(bits), kind);
  return list.check(host, kind);
}

export interface TunnelOptions {
  readonly secureContext: SecureContext;
  readonly insecureTls: boolean;
  /** For the connection to the proxy, and the tunnel through it. */
  readonly connectMs: number;
}

/** An agent whose connections go through `proxy`, to any server. */
export async function tunnelThrough(proxy: URL, options: TunnelOptions): Promise<HttpsProxyAgent<string>> {
  const { HttpsProxyAgent } = await import("https-proxy-agent");
  const { checkServerIdentity } = await import("node:tls");
  const { secureContext, insecureTls, connectMs } = options;
  const rules = { secureContext, rejectUnauthorized: !insecureTls };
  const agent = new HttpsProxyAgent(proxy.href, { keepAlive: true, ...rules });
  const connect = agent.connect.bind(agent);
  // The agent hands its own options to the connection to the proxy only: said again for the server, so that
  // NODE_TLS_REJECT_UNAUTHORIZED in the environment means nothing there (T-D09).
  agent.connect = (request, server) => {
    // A host given as an IP address has no SNI, and Node would then compare the certificate with `localhost`.
    const identity: typeof checkServerIdentity = (_name, certificate) =>
      checkServerIdentity(server.host ?? "", certificate);
    const inside = { ...rules, checkServerIdentity: identity };
    return within(connectMs, proxy, connect(request, { ...server, ...inside }));
  };
  agent.on("proxyConnect", ({ statusCode }, request) => {
    // It would be handed on as the server's answer, from somebody whom no certificate vouches for.
    if (statusCode !== 200) request?.destroy(refusal(proxy, `it answered with status ${statusCode}`));
  });
  return agent;
}

async function within<T>(ms: number, proxy: URL, connecting: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(refusal(proxy, `it did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([connecting, late]);
  } finally {
    clearTimeout(timer);
  }
}

function refusal(proxy: URL, why: string): Error {
  return Object.assign(new Error(`the proxy ${proxy.host}: ${why}`), { code: "ERR_PROXY" });
}
