/** HTTP for pods: tokens, bounds and bytes. What is said is answers.ts's to know. */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Failure, messageOf, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { answerTo, type DescribedPod, type MetadataAnswer, refusal } from "./answers.ts";
import type { PodKeys } from "./keys.ts";

/** Bytes of what is to be signed or checked. */
const bodyLimit = 1024 * 1024;
const headerLimit = 16 * 1024;
/** At once, of one pod, and of all who share the host's network. */
const [podConnections, hostConnections] = [64, 4096] as const;
/** Milliseconds until a whole request must be there, so that nobody holds a connection by saying nothing. */
const requestTimeout = 10_000;

export interface Tenant {
  readonly token: string;
  readonly pod: DescribedPod;
}

/** Whom a server answers: asked at every request. */
export interface Tenancy {
  /** Anybody on the host may connect. */
  readonly isShared: boolean;
  current(): Iterable<Tenant>;
  /** Resolves when those who are about to be there are, or patience is at its end. */
  settled(): Promise<void>;
}

/** Not listening yet. Answers only whoever knows the token of a tenant (ACE-60). */
export function metadataServer(tenants: Tenancy, keys: PodKeys, log: Log): Server {
  const server = createServer(
    { maxHeaderSize: headerLimit, requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval: 1000 },
    (request, response) => {
      respond(tenants, keys, request)
        .catch((error: unknown) => failed(error, log))
        .then((answer) => send(response, answer))
        .catch(() => request.destroy());
    },
  );
  server.maxConnections = tenants.isShared ? hostConnections : podConnections;
  server.keepAliveTimeout = 5000;
  return server;
}

async function respond(tenants: Tenancy, keys: PodKeys, request: IncomingMessage): Promise<MetadataAnswer> {
  const [token = "", ...path] = pathOf(request.url ?? "") ?? [];
  // Before anything else: whoever has no token learns nothing of what there is.
  let tenant = find(tenants.current(), token);
  if (tenant === undefined) {
    // The first app of a pod may ask before its start was noticed.
    await tenants.settled();
    tenant = find(tenants.current(), token);
  }
  if (tenant === undefined) return refusal(401, "no such token");
  const body = await bodyOf(request);
  if (body === undefined) return refusal(413, `more than ${bodyLimit} bytes`);
  const { method = "", headers } = request;
  return answerTo(tenant.pod, keys, { method, path, contentType: headers["content-type"] ?? "", body });
}

/** The components of the URL's path; undefined for one that is not well formed. */
function pathOf(url: string): readonly string[] | undefined {
  const path = url.split(/[?#]/, 1)[0] ?? "";
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** Takes as long for a token that is nearly right as for one that is not. */
function find(tenants: Iterable<Tenant>, token: string): Tenant | undefined {
  const claimed = Buffer.from(token);
  for (const tenant of tenants) {
    const right = Buffer.from(tenant.token);
    if (claimed.length === right.length && timingSafeEqual(claimed, right)) return tenant;
  }
  return undefined;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    const bytes: Buffer = part;
    size += bytes.length;
    if (size > bodyLimit) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

function failed(error: unknown, log: Log): MetadataAnswer {
  const isOurs = error instanceof Failure;
  log.warn(`cannot answer: ${printable(messageOf(error))}`);
  return refusal(500, isOurs ? error.message : "the service cannot answer; its log says why");
}

/** A refused body is not read to its end, so that connection has nothing more to say. */
function send(response: ServerResponse, { status, type, body }: MetadataAnswer): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(status === 413 ? { connection: "close" } : {}),
  });
  response.end(body);
}
