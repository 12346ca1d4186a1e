/** One request, answered from a site's files. GET and HEAD only; knows no TLS and no listening. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Conditions, isRangeValid, judge } from "./conditions.ts";
import { openSiteFile, type SiteFile } from "./files.ts";
import { hostOf, isDirectoryPath, pageRedirect, pathOf, rangeOf, typeOf } from "./request.ts";

/** Where to look for a path of a host, first to last (host is the Host header's, and a stranger's). */
export type Lookup = (host: string, path: readonly string[]) => readonly (readonly string[])[];

/** Answers, and resolves with the status once everything was handed over or the client is gone. */
export async function answer(
  directory: string,
  lookup: Lookup,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(response, 405, "only GET and HEAD are answered here", { Allow: "GET, HEAD" });
  }
  const target = request.url ?? "";
  const path = pathOf(target);
  if (path === undefined) return refuse(response, 404, "not found");
  for (const names of lookup(hostOf(request.headers.host), path)) {
    const file = await openSiteFile(directory, names, { isDirectory: isDirectoryPath(target) });
    if (file === undefined) continue;
    try {
      const page = file.names.length > names.length ? pageRedirect(target, path) : undefined;
      if (page !== undefined) return refuse(response, 301, `the page is ${page}`, { Location: page });
      return await sendFile(file, request, response);
    } finally {
      await file.handle.close();
    }
  }
  return refuse(response, 404, "not found");
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): number {
  const body = `${text}\n`;
  response.writeHead(status, {
    ...headers,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
  return status;
}

async function sendFile(file: SiteFile, request: IncomingMessage, response: ServerResponse): Promise<number> {
  const { size, modifiedAt, etag, names } = file;
  const { headers } = request;
  response.setHeader("ETag", etag);
  response.setHeader("Last-Modified", modifiedAt.toUTCString());
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("Cache-Control", "no-cache");
  const verdict = judge(conditionsOf(headers), file);
  if (verdict === "failed") return refuse(response, 412, "it is another version");
  if (verdict === "not-modified") {
    response.writeHead(304).end();
    return 304;
  }
  // Ranges are for GET alone (RFC 9110, 14.2).
  const isRange = request.method === "GET" && isRangeValid([headers["if-range"]].flat()[0], file, new Date());
  const range = isRange ? rangeOf(headers.range, size) : undefined;
  if (range === "unsatisfiable") return refuse(response, 416, "no such range", { "Content-Range": `bytes */${size}` });
  const { start, end } = range ?? { start: 0, end: size };
  const status = range === undefined ? 200 : 206;
  response.writeHead(status, {
    "Content-Type": typeOf(names),
    "Content-Length": end - start,
    ...(range === undefined ? {} : { "Content-Range": `bytes ${start}-${end - 1}/${size}` }),
  });
  if (request.method === "HEAD" || start === end) {
    response.end();
    return status;
  }
  const content = file.handle.createReadStream({ start, end: end - 1, autoClose: false, highWaterMark: 256 * 1024 });
  // A client that leaves in the middle is no failure of ours; one that gets less than it was told notices.
  await pipeline(content, response).catch(() => response.destroy());
  return status;
}

function conditionsOf(headers: IncomingHttpHeaders): Conditions {
  return {
    ifMatch: headers["if-match"],
    ifUnmodifiedSince: headers["if-unmodified-since"],
    ifNoneMatch: headers["if-none-match"],
    ifModifiedSince: headers["if-modified-since"],
  };
}
