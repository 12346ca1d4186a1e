/** One request, answered from a site's files. GET and HEAD only; knows no TLS and no listening. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { openSiteFile, type SiteFile } from "./files.ts";
import { hostOf, isNotModified, isRangeValid, pathOf, rangeOf, typeOf } from "./request.ts";

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
  const path = pathOf(request.url ?? "");
  if (path === undefined) return refuse(response, 404, "not found");
  for (const names of lookup(hostOf(request.headers.host), path)) {
    const file = await openSiteFile(directory, names);
    if (file === undefined) continue;
    try {
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
  const conditions = { ifNoneMatch: headers["if-none-match"], ifModifiedSince: headers["if-modified-since"] };
  if (isNotModified(conditions, etag, modifiedAt)) {
    response.writeHead(304).end();
    return 304;
  }
  const ifRange = [headers["if-range"]].flat()[0];
  const range = isRangeValid(ifRange, etag, modifiedAt) ? rangeOf(headers.range, size) : undefined;
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
