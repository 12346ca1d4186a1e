/** A site over HTTPS on this machine, with a certificate of the user's own authority. Follows what is published while it runs. */
import { stat } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { isIP } from "node:net";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { isUnderPrefix } from "../schema/names.ts";
import { answer, type Lookup } from "./answer.ts";
import { openAuthority, type ServerIdentity } from "./authority.ts";
import { type Catalogue, readCatalogue } from "./catalogue.ts";
import { catalogueFile, parseSiteUrl } from "./layout.ts";

export interface ServeSiteOptions {
  readonly directory: string;
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Where the authority's key and certificate are kept. */
  readonly authorityDirectory: string;
  /** Further names of the certificate. */
  readonly hosts: readonly string[];
  readonly log: Log;
}

export interface RunningSite {
  readonly url: string;
  readonly port: number;
  /** For --ca-file. */
  readonly caFile: string;
  /** Names and addresses of the certificate. */
  readonly hosts: readonly string[];
  /** Answers what has been asked, then ends; what is not done after `patience` milliseconds is cut off. */
  close(patience?: number): Promise<void>;
}

/** What follows from the catalogue as it is now. */
interface State {
  /** Tells one version of the catalogue from another. */
  readonly version: string;
  readonly hosts: readonly string[];
  readonly lookup: Lookup;
  readonly identity: ServerIdentity;
  readonly context: SecureContext;
}

/** Milliseconds without a byte in either direction. */
const idleLimit = 120_000;
const dayLength = 24 * 60 * 60 * 1000;

/** @throws Failure NOT_FOUND, CONFIG_INVALID, IO_FAILED */
export async function serveSite(options: ServeSiteOptions): Promise<RunningSite> {
  const { directory, address, port, log } = options;
  await requireDirectory(directory);
  const authority = await openAuthority(options.authorityDirectory, new Date());
  const load = async (version: string): Promise<State> => {
    const catalogue = await readCatalogue(directory);
    const hosts = hostsOf(address, options.hosts, catalogue);
    const identity = authority.issue(hosts, new Date());
    const context = createSecureContext({ key: identity.key, cert: identity.certificate });
    return { version, hosts, lookup: lookupOf(catalogue), identity, context };
  };
  let state = await load(await versionOf(directory));
  const server = createServer({
    key: state.identity.key,
    cert: state.identity.certificate,
    minVersion: "TLSv1.2",
    // Asked in every handshake, so that a host that was published a moment ago has its name in the certificate.
    SNICallback: (_, done) => void refresh().then(({ context }) => done(null, context), done),
  });
  const refresh = async (): Promise<State> => {
    try {
      const version = await versionOf(directory);
      const isOld = Date.now() > state.identity.expiresAt.getTime() - dayLength;
      if (version === state.version && !isOld) return state;
      state = await load(version);
      server.setSecureContext({ key: state.identity.key, cert: state.identity.certificate });
    } catch (error) {
      log.warn(`going on with what ${catalogueFile} said before: ${String(error)}`);
    }
    return state;
  };
  server.on("request", (request, response) => {
    const asked = `${request.method} ${request.headers.host ?? ""}${request.url}`;
    refresh()
      .then(({ lookup }) => answer(directory, lookup, request, response))
      .then((status) => log.debug(`${status} ${asked}`))
      .catch((error: unknown) => {
        log.warn(`${printable(asked)}: ${String(error)}`);
        response.destroy();
      });
  });
  // A client that neither reads nor asks keeps a socket and perhaps an open file.
  server.setTimeout(idleLimit);
  const bound = await listen(server, address, port);
  return {
    url: `https://${isIP(address) === 6 ? `[${address}]` : address}:${bound}`,
    port: bound,
    caFile: authority.caFile,
    hosts: state.hosts,
    close: (patience = 5000) => close(server, patience),
  };
}

async function requireDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch((error: unknown) => {
    throw ioFailure(error, `cannot serve ${directory}`, directory);
  });
  if (!found.isDirectory()) throw new Failure("IO_FAILED", `${directory} is not a directory`, { subject: directory });
}

async function versionOf(directory: string): Promise<string> {
  const found = await stat(join(directory, catalogueFile), { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  return found === undefined ? "" : `${found.ino} ${found.mtimeNs} ${found.size}`;
}

/** The hosts that clients may ask for: this machine's names, those of the site and of its images, and what the user adds. */
function hostsOf(address: string, added: readonly string[], catalogue: Catalogue | undefined): readonly string[] {
  const images = catalogue?.images.map(({ name }) => hostPart(name)) ?? [];
  const site = catalogue === undefined ? [] : [parseSiteUrl(catalogue.url).host];
  const own = ["localhost", "127.0.0.1", "::1", ...(["0.0.0.0", "::"].includes(address) ? [] : [address])];
  return [...new Set([...site, ...images, ...added, ...own])];
}

function hostPart(name: string): string {
  return name.split("/", 1)[0] ?? "";
}

/**
 * The site's own host is the directory, below the path of its URL. The host of an image has the directory of its name: only hosts of the
 * catalogue, so that no Host header names a directory. Everybody else, as when this machine is asked by address, sees the directory.
 */
function lookupOf(catalogue: Catalogue | undefined): Lookup {
  if (catalogue === undefined) return (_, path) => [path];
  const site = parseSiteUrl(catalogue.url);
  const hosts = new Set(catalogue.images.map(({ name }) => hostPart(name)));
  const depth = site.prefix.split("/").length - 1;
  return (host, path) => {
    const below =
      host === site.host && isUnderPrefix([host, ...path].join("/"), site.prefix) ? [path.slice(depth)] : [];
    const ofHost = hosts.has(host) ? [[host, ...path]] : [];
    return host === site.host || hosts.has(host) ? [...below, ...ofHost] : [path];
  };
}

async function listen(server: Server, address: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  }).catch((error: unknown) => {
    const errno = errnoOf(error);
    const isForeign = errno === "EADDRNOTAVAIL";
    const why =
      {
        EADDRINUSE: "something else listens there",
        EACCES: "only root may",
        EADDRNOTAVAIL: "it is no address of this machine",
      }[errno ?? ""] ?? "it failed";
    const free = `--listen ${address.includes(":") ? `[${address}]` : address}:0 takes any free port`;
    throw new Failure("IO_FAILED", `cannot listen on ${address}, port ${port}: ${why}`, {
      subject: `${address}:${port}`,
      cause: error,
      hint: isForeign ? `--listen 127.0.0.1:${port}, or an address that ip addr shows` : free,
    });
  });
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : port;
}

async function close(server: Server, patience: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection whose last answer ends only now would be kept for the client's next request.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const timer = setTimeout(() => server.closeAllConnections(), patience);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
