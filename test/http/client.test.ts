import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { parseConnectTo } from "../../src/http/client.ts";
import { fails } from "../helpers/failures.ts";
import { host, openHttpScene, patient, withServer } from "../helpers/http-scene.ts";
import { startServer } from "../helpers/https-server.ts";

const { authority, server, client } = await openHttpScene();

describe("createHttpClient: an ordinary request", () => {
  it("connects where it is told, under the name of the URL", async () => {
    server.on("/hello", { body: "hello", headers: { "X-Kind": "greeting" } });
    const response = await client({ userAgent: "perigee/1.2.3" }).get("https://example.com/hello");
    assert.equal(response.status, 200);
    assert.equal(response.url, "https://example.com/hello");
    assert.equal(response.header("x-kind"), "greeting");
    assert.equal(response.header("x-none"), undefined);
    assert.equal((await response.bytes(100)).toString(), "hello");
    const request = server.requests.at(-1);
    assert.equal(request?.host, host);
    assert.equal(request?.headers["user-agent"], "perigee/1.2.3");
    assert.equal(request?.headers["accept-encoding"], "identity");
  });

  it("waits for what prepares TLS before it connects, and before it fails", async () => {
    server.on("/prepared", { body: "ok" });
    const seen: string[] = [];
    const prepareTls = async (): Promise<void> => {
      await sleep(50);
      seen.push("prepared");
    };
    await client({ prepareTls }).get("https://example.com/prepared");
    const missing = client({ prepareTls, caFiles: ["/nonexistent.pem"] }).get("https://example.com/prepared");
    await assert.rejects(missing, fails("NOT_FOUND"));
    assert.deepEqual(seen, ["prepared", "prepared"]);
  });

  it("any status is a response; HEAD has no body", async () => {
    server.on("/gone", { status: 410, body: "no" });
    const response = await client().get("https://example.com/gone", { method: "HEAD" });
    assert.equal(response.status, 410);
    assert.equal((await response.bytes(0)).length, 0);
    assert.equal(server.requests.at(-1)?.method, "HEAD");
  });

  it("hands a body on as it was sent, whatever Content-Encoding says (T-D07)", async () => {
    server.on("/packed", { body: "not gzip", headers: { "Content-Encoding": "gzip" } });
    assert.equal((await (await client().get("https://example.com/packed")).bytes(100)).toString(), "not gzip");
  });

  it("asks again when a kept connection turns out to be dead, but not when a new one is", async () => {
    server.on("/flaky", (count) => (count === 2 ? { dropped: true } : { body: "ok" }));
    const http = client();
    await (await http.get("https://example.com/flaky")).bytes(10);
    assert.equal((await (await http.get("https://example.com/flaky")).bytes(10)).toString(), "ok");
    server.on("/dead", { dropped: true });
    await assert.rejects(client().get("https://example.com/dead"), fails("HTTP_FAILED", /broke off/));
    assert.equal(server.paths().filter((path) => path === "/dead").length, 1);
  });

  it("stops when the caller does, before and while a body is read", async () => {
    server.on("/slow", { body: "0123456789", stallAt: 4 });
    const caller = new AbortController();
    const response = await client().get("https://example.com/slow", { signal: caller.signal });
    const body = response.bytes(100);
    caller.abort();
    await assert.rejects(body, fails("INTERRUPTED"));
    await assert.rejects(client().get("https://example.com/slow", { signal: caller.signal }), fails("INTERRUPTED"));
  });

  it("a discarded answer leaves nothing behind", async () => {
    server.on("/big", { body: Buffer.alloc(1 << 20) });
    const http = client();
    (await http.get("https://example.com/big")).discard();
    assert.equal((await (await http.get("https://example.com/hello")).bytes(100)).toString(), "hello");
  });
});

describe("createHttpClient: redirects (DISC-8, T-D02)", () => {
  const chain = (length: number) => {
    for (let hop = 0; hop < length; hop += 1) {
      server.on(`/chain${hop}`, { status: 302, headers: { Location: `/chain${hop + 1}` } });
    }
    server.on(`/chain${length}`, { body: "end" });
  };

  it("follows ten, to other hosts too, and says where it ended", async () => {
    chain(9);
    server.on("/start", { status: 301, headers: { Location: "https://cdn.example.net/chain0" } });
    const response = await client().get("https://example.com/start");
    assert.equal(response.url, "https://cdn.example.net/chain9");
    assert.equal((await response.bytes(10)).toString(), "end");
  });

  it("refuses the eleventh", async () => {
    chain(11);
    await assert.rejects(client().get("https://example.com/chain0"), fails("HTTP_FAILED", /more than 10 times/));
  });

  it("refuses a circle", async () => {
    server.on("/round", { status: 307, headers: { Location: "/about" } });
    server.on("/about", { status: 308, headers: { Location: "/round" } });
    await assert.rejects(client().get("https://example.com/round"), fails("HTTP_FAILED", /circle/));
  });

  it("T-D01: never goes down to http, and asks nothing there", async () => {
    const plain = await startServer(undefined);
    try {
      server.on("/down", { status: 302, headers: { Location: `http://127.0.0.1:${plain.port}/x` } });
      await assert.rejects(
        client().get("https://example.com/down"),
        fails("HTTP_FAILED", /encrypted/, { hint: /insecure-options=http/ }),
      );
      assert.deepEqual(plain.paths(), []);
    } finally {
      await plain.close();
    }
  });

  it("follows to http when it was allowed", async () => {
    await withServer(undefined, async (port) => {
      server.on("/down", { status: 302, headers: { Location: `http://127.0.0.1:${port}/x` } });
      const response = await client({ insecureHttp: true }).get("https://example.com/down");
      assert.equal(response.status, 404);
    });
  });

  it("refuses a redirect without a place", async () => {
    server.on("/lost", { status: 302 });
    await assert.rejects(client().get("https://example.com/lost"), fails("HTTP_FAILED", /names no place/));
  });
});

describe("createHttpClient: servers that misbehave (T-D07, T-D08)", () => {
  const hasty = { connect: 5000, idle: 50, document: 5000 };

  it("gives up on a server that takes a request and never answers", async () => {
    server.on("/silent", { silent: true });
    const deadlines = { connect: 50, idle: 50, document: 5000 };
    await assert.rejects(client({ deadlines }).get("https://example.com/silent"), fails("TIMED_OUT", /in time/));
  });

  it("gives up on a connection that never becomes TLS", async () => {
    const deaf = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => deaf.once("listening", resolve));
    const address = deaf.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      const http = client({ port, deadlines: { ...patient, connect: 50 } });
      await assert.rejects(http.get("https://example.com/"), fails("TIMED_OUT", /could not be made/));
    } finally {
      deaf.close();
    }
  });

  it("T-D07: answers of 100 Continue do not put the deadline off", async () => {
    const flood = tls.createServer(authority.issue([host]), (socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write("HTTP/1.1 100 Continue\r\n\r\n".repeat(100))) continue;
      };
      socket.on("error", () => socket.destroy()).on("drain", more);
      socket.once("data", more);
    });
    await new Promise<void>((resolve) => flood.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = flood.address() as AddressInfo;
      const http = client({ port, deadlines: { ...patient, idle: 50 } });
      await assert.rejects(http.get("https://example.com/"), fails("TIMED_OUT", /did not answer in time/));
    } finally {
      flood.close();
    }
  });

  for (const [why, script, expected] of [
    ["stalls in the body", { body: "0123456789", stallAt: 5 }, fails("TIMED_OUT", /stopped sending/)],
    ["resets in the body", { body: "0123456789", resetAt: 5 }, fails("HTTP_FAILED")],
    ["sends less than it said", { body: "0123456789", declaredLength: 20 }, fails("HTTP_FAILED")],
    ["cuts a chunked body", { body: "0123456789", chunked: true, resetAt: 5 }, fails("HTTP_FAILED")],
    ["sends more than is allowed", { body: Buffer.alloc(101) }, fails("LIMIT_EXCEEDED", /100/)],
    ["sends more than is allowed, chunked", { body: Buffer.alloc(101), chunked: true }, fails("LIMIT_EXCEEDED")],
    ["sends 20 KiB of headers", { headers: { "X-Long": "x".repeat(20_480) } }, fails("HTTP_FAILED", /16 KiB/)],
  ] as const) {
    it(why, async () => {
      server.on("/bad", script);
      const http = client({ deadlines: "stallAt" in script ? hasty : patient });
      await assert.rejects(
        http.get("https://example.com/bad").then((response) => response.bytes(100)),
        expected,
      );
    });
  }

  it("a body longer than its length is not taken for a whole one, and spoils no later request", async () => {
    server.on("/more", { body: "0123456789", declaredLength: 4 });
    const http = client();
    const more = await http.get("https://example.com/more");
    await assert.rejects(more.bytes(100), fails("HTTP_FAILED", /bytes instead of 4/));
    assert.equal((await (await http.get("https://example.com/hello")).bytes(100)).toString(), "hello");
  });

  it("says that a connection was refused", async () => {
    const gone = await startServer(undefined);
    await gone.close();
    await assert.rejects(client({ port: gone.port }).get("https://example.com/"), fails("HTTP_FAILED", /refused/));
  });
});

describe("parseConnectTo", () => {
  it("reads HOST:ADDR:PORT", () => {
    assert.deepEqual(parseConnectTo("Example.com:127.0.0.1:8443"), { host, address: "127.0.0.1", port: 8443 });
    assert.deepEqual(parseConnectTo("example.com:[::1]:443"), { host, address: "::1", port: 443 });
    assert.deepEqual(parseConnectTo("[::2]:[::1]:443"), { host: "::2", address: "::1", port: 443 });
  });
  for (const text of [
    "",
    "example.com",
    "a:b",
    "a:b:c",
    "a:b:0",
    "a:b:65536",
    "a:::1:443",
    ":b:1",
    "a::1",
    "a:b:1:2",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseConnectTo(text), fails("USAGE", /HOST:ADDR:PORT/)));
  }
});
