/**
 * A local HTTPS server with a certificate authority made for the test by `openssl`, whose answers are scripted:
 * stall, reset, lie about the length, redirect. Plain HTTP too, for tests that nothing is asked there.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";

/** What a path answers. Everything is optional: an empty script is an empty 200. */
export interface Script {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sends this many bytes of the body, then nothing more, ever. */
  readonly stallAt?: number;
  /** Sends this many bytes of the body, then closes the connection. */
  readonly resetAt?: number;
  /** The Content-Length said, whatever the body's is. */
  readonly declaredLength?: number;
  /** No Content-Length: chunked. */
  readonly chunked?: boolean;
  /** Closes the connection without an answer. */
  readonly dropped?: boolean;
  /** Never answers at all. */
  readonly silent?: boolean;
}

export interface Versioned {
  readonly etag?: string;
  readonly lastModified?: string;
  readonly cacheControl?: string;
  /** Each answer with a body ends after that many bytes, by turns; when they are used up, none does. */
  readonly brokenAt?: readonly number[];
}

/** A file on an ordinary server: conditional requests and ranges are answered as HTTP wants it. */
export function versioned(body: Uint8Array, { etag, lastModified, cacheControl, brokenAt = [] }: Versioned) {
  const breaks = [...brokenAt];
  return (_count: number, { headers }: RecordedRequest): Script => {
    const said = {
      ...(etag !== undefined && { ETag: etag }),
      ...(lastModified !== undefined && { "Last-Modified": lastModified }),
      ...(cacheControl !== undefined && { "Cache-Control": cacheControl }),
    };
    const isSame = etag !== undefined && headers["if-none-match"] === etag;
    if (isSame || (lastModified !== undefined && headers["if-modified-since"] === lastModified)) {
      return { status: 304, headers: said, chunked: true };
    }
    const resetAt = breaks.shift();
    const broken = resetAt === undefined ? {} : { resetAt };
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const isRange = from > 0 && [etag, lastModified].includes(String(headers["if-range"]));
    if (!isRange) return { body, headers: said, ...broken };
    if (from >= body.length) return { status: 416, headers: said };
    const range = { "Content-Range": `bytes ${from}-${body.length - 1}/${body.length}` };
    return { status: 206, body: body.subarray(from), headers: { ...said, ...range }, ...broken };
  };
}

export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly host: string;
  readonly headers: http.IncomingHttpHeaders;
}

export interface ScriptedServer {
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Paths asked, in order. */
  paths(): readonly string[];
  /** `place` is `/path?query` for any host or `host/path?query`; without a query it holds for every query. A function is asked anew each time. */
  on(place: string, script: Script | ((count: number, request: RecordedRequest) => Script)): void;
  close(): Promise<void>;
}

export interface Authority {
  /** PEM file to trust. */
  readonly caFile: string;
  readonly directory: string;
  /** A certificate for `names` (DNS names or IP addresses) signed by this authority. */
  issue(names: readonly string[], options?: IssueOptions): TlsOptions;
  remove(): void;
}

export interface IssueOptions {
  /** openssl dates, YYYYMMDDHHMMSSZ. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly usage?: "serverAuth" | "clientAuth";
  readonly selfSigned?: boolean;
  /** Of the signature; sha256 when absent. */
  readonly digest?: "sha1";
}

/** A certificate authority in a temporary directory of its own. */
export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), `perigee-ca-${process.pid}-`));
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  const config = ["[ca]", "default_ca=d", "[d]", `database=${at("index")}`, "default_md=sha256", "policy=p"];
  writeFileSync(
    at("ca.cnf"),
    [...config, "rand_serial=yes", "unique_subject=no", "[p]", "commonName=supplied"].join("\n"),
  );
  writeFileSync(at("index"), "");
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2");
  let issued = 0;
  const issue = (names: readonly string[], options: IssueOptions = {}): TlsOptions => {
    issued += 1;
    const [keyFile, request, certificate, extensions] = ["key", "csr", "pem", "ext"].map((s) => `${issued}.${s}`);
    const subject = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
    writeFileSync(
      at(String(extensions)),
      `subjectAltName=${subject}\nextendedKeyUsage=${options.usage ?? "serverAuth"}\n`,
    );
    openssl("req", "-new", ...key, "-keyout", String(keyFile), "-out", String(request), "-subj", "/CN=test server");
    const signer = options.selfSigned
      ? ["-selfsign", "-keyfile", String(keyFile)]
      : ["-keyfile", "ca.key", "-cert", "ca.pem"];
    const dates = [
      "-startdate",
      options.notBefore ?? "20200101000000Z",
      "-enddate",
      options.notAfter ?? "20491231235959Z",
    ];
    openssl(
      ...["ca", "-batch", "-notext", "-config", "ca.cnf", "-outdir", ".", "-in", String(request)],
      ...["-out", String(certificate), "-extfile", String(extensions), ...signer, ...dates],
      ...["-md", options.digest ?? "sha256"],
    );
    return { key: readFileSync(at(String(keyFile))), cert: readFileSync(at(String(certificate))) };
  };
  return { caFile: at("ca.pem"), directory, issue, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Listens on a free port of 127.0.0.1; with `tls` HTTPS, without it HTTP. */
export async function startServer(tls: TlsOptions | undefined): Promise<ScriptedServer> {
  const scripts = new Map<string, Script | ((count: number, request: RecordedRequest) => Script)>();
  const counts = new Map<string, number>();
  const requests: RecordedRequest[] = [];
  const handle = (request: http.IncomingMessage, response: http.ServerResponse) => {
    const path = request.url ?? "";
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    const recorded = { method: request.method ?? "", path, host, headers: request.headers };
    requests.push(recorded);
    const bare = path.split("?")[0] ?? "";
    const place = [`${host}${path}`, `${host}${bare}`, path, bare].find((candidate) => scripts.has(candidate));
    const script = place === undefined ? { status: 404, body: "not here\n" } : scripts.get(place);
    const count = (counts.get(place ?? "") ?? 0) + 1;
    counts.set(place ?? "", count);
    answer(response, typeof script === "function" ? script(count, recorded) : (script ?? {}));
  };
  const server = tls === undefined ? http.createServer(handle) : https.createServer(tls, handle);
  server.on("clientError", (_error, socket) => socket.destroy());
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    paths: () => requests.map((request) => request.path),
    on: (place, script) => scripts.set(place, script),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: http.ServerResponse, script: Script): void {
  if (script.silent) return;
  if (script.dropped) {
    response.socket?.destroy();
    return;
  }
  const body = Buffer.from(script.body ?? "");
  const length = script.declaredLength ?? body.length;
  response.writeHead(script.status ?? 200, {
    ...(!script.chunked && { "content-length": String(length) }),
    ...script.headers,
  });
  const until = script.stallAt ?? script.resetAt;
  if (until === undefined) {
    // A length that was a lie is ended by closing, as a dying server does.
    if (length > body.length) response.write(body, () => response.destroy());
    else response.end(body);
    return;
  }
  response.flushHeaders();
  response.write(body.subarray(0, until), () => {
    if (script.resetAt !== undefined) response.socket?.destroy();
  });
}
