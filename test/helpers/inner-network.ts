/**
 * The network of a process in a network namespace of its own, where 192.0.2.1 stands for the Internet and 127.0.0.1 for what must not be
 * reached: a server on all addresses, a resolver that counts, and a client. `/to?URL` redirects there.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, LookupFunction } from "node:net";
import { silentLog } from "../../src/base/log.ts";
import { createHttpClient } from "../../src/http/client.ts";

for (const args of ["link set lo up", "addr add 192.0.2.1/32 dev lo"]) {
  const { status, stderr } = spawnSync("ip", args.split(" "), { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

/** What each look-up of a name answers, the last one for all further. */
const names: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "public.example": [["192.0.2.1"]],
  "inner.example": [["127.0.0.1"]],
  "both.example": [["192.0.2.1", "127.0.0.1"]],
  "flip.example": [["192.0.2.1"], ["127.0.0.1"]],
};
/** Names, in the order of their look-ups. */
export const asked: string[] = [];
const lookup: LookupFunction = (host, options, done) => {
  const answers = names[host] ?? [];
  const before = asked.filter((name) => name === host).length;
  asked.push(host);
  const addresses = (answers[before] ?? answers.at(-1) ?? []).map((address) => ({ address, family: 4 }));
  process.nextTick(() => (options.all ? done(null, addresses) : done(null, addresses[0]?.address ?? "", 4)));
};

/** Address, Host, path of each request. */
export const reached: string[] = [];
/** What discovery pages hold. */
export const head = { html: "" };
const answer: RequestListener = (request, response) => {
  const url = request.url ?? "";
  reached.push(`${request.socket.localAddress} ${request.headers.host?.replace(/:\d+$/, "")} ${url.split("?")[0]}`);
  if (url.endsWith("?ac-discovery=1")) {
    response.end(`<html><head>${head.html}</head></html>`);
    return;
  }
  if (url.startsWith("/to?")) response.writeHead(302, { location: url.slice("/to?".length) });
  response.end("reached");
};
const server = createServer(answer).listen(0, "0.0.0.0");
await once(server, "listening");
// Names have no port: their pages are asked of this one.
await once(createServer(answer).listen(80, "0.0.0.0"), "listening");
export const { port } = server.address() as AddressInfo;

export const http = createHttpClient({
  caFiles: [],
  connectTo: [{ host: "configured.example", address: "127.0.0.1", port }],
  insecureTls: false,
  insecureHttp: true,
  deadlines: { connect: 5000, idle: 5000, document: 5000 },
  lookup,
  log: silentLog,
});
