/**
 * A process in a network namespace of its own, where 192.0.2.1 stands for the Internet and 127.0.0.1 for what must not be reached: each
 * argument is a URL that a client asks; printed is, as JSON, how each ended, what was reached, and how often each name was looked up.
 * `{port}` in a URL is the server's; `/to?URL` redirects there.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, LookupFunction } from "node:net";
import { Failure } from "../../src/base/failure.ts";
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
const asked: string[] = [];
const lookup: LookupFunction = (host, options, done) => {
  const answers = names[host] ?? [];
  const before = asked.filter((name) => name === host).length;
  asked.push(host);
  const addresses = (answers[before] ?? answers.at(-1) ?? []).map((address) => ({ address, family: 4 }));
  process.nextTick(() => (options.all ? done(null, addresses) : done(null, addresses[0]?.address ?? "", 4)));
};

const reached: string[] = [];
const server = createServer((request, response) => {
  const url = request.url ?? "";
  reached.push(`${request.socket.localAddress} ${request.headers.host?.replace(/:\d+$/, "")} ${url.split("?")[0]}`);
  if (url.startsWith("/to?")) response.writeHead(302, { location: url.slice("/to?".length) });
  response.end("reached");
}).listen(0, "0.0.0.0");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

const http = createHttpClient({
  caFiles: [],
  connectTo: [{ host: "configured.example", address: "127.0.0.1", port }],
  insecureTls: false,
  insecureHttp: true,
  deadlines: { connect: 5000, idle: 5000, document: 5000 },
  lookup,
  log: silentLog,
});

const ends: string[] = [];
for (const url of process.argv.slice(2)) {
  try {
    const response = await http.get(url.replaceAll("{port}", String(port)));
    ends.push(String(await response.bytes(100)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    ends.push(`${error.code} ${Reflect.get(Object(error.cause), "code")}`);
  }
}
process.stdout.write(JSON.stringify({ ends, reached, asked }));
process.exit(0);
