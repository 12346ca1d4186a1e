/** Requests that bring a body of their own, as a push does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { createHttpClient } from "../../src/http/client.ts";
import { patient } from "../helpers/http-scene.ts";

interface Received {
  readonly line: string;
  readonly length: string | undefined;
  readonly bytes: number;
}

const received: Received[] = [];
let answer = (_count: number, _request: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(201).end();
};

const server = createServer(async (request, response) => {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  received.push({ line: `${request.method} ${request.url}`, length: request.headers["content-length"], bytes });
  answer(received.length, request, response);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
assert.ok(typeof address === "object" && address !== null);
const origin = `http://127.0.0.1:${address.port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

const client = () =>
  createHttpClient({
    connectTo: [],
    caFiles: [],
    insecureTls: false,
    insecureHttp: true,
    deadlines: patient,
    log: silentLog,
  });

const pieces = 40;
const piece = Buffer.alloc(64 * 1024, 1);
let opened = 0;
const body = {
  size: pieces * piece.length,
  async *open() {
    opened += 1;
    for (let count = 0; count < pieces; count += 1) yield piece;
  },
};

describe("createHttpClient: a body of ours", () => {
  it("is sent in pieces, with its length announced", async () => {
    received.length = 0;
    const response = await client().get(`${origin}/blob`, { method: "PUT", body });
    assert.equal(response.status, 201);
    assert.deepEqual(received, [{ line: "PUT /blob", length: String(body.size), bytes: body.size }]);
    await client().get(`${origin}/begin`, { method: "POST" });
    assert.deepEqual(received.at(-1), { line: "POST /begin", length: "0", bytes: 0 });
  });

  it("OCI-92: an answer that leads elsewhere is handed on", async () => {
    answer = (_, __, response) => void response.writeHead(307, { Location: "/other" }).end();
    received.length = 0;
    const response = await client().get(`${origin}/blob`, { method: "PUT", body });
    assert.deepEqual([response.status, response.header("location"), received.length], [307, "/other", 1]);
  });

  it("is opened anew when a kept connection turns out to be dead", async () => {
    answer = (count, request, response) => {
      if (count === 2) request.socket.destroy();
      else response.writeHead(201).end();
    };
    received.length = 0;
    const http = client();
    await (await http.get(`${origin}/first`)).bytes(10);
    opened = 0;
    assert.equal((await http.get(`${origin}/blob`, { method: "PUT", body })).status, 201);
    assert.deepEqual([opened, received.map(({ bytes }) => bytes)], [2, [0, body.size, body.size]]);
  });
});
