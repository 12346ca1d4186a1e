import assert from "node:assert/strict";
import * as http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { createHttpClient, type HttpOptions } from "../../src/http/client.ts";
import { proxyFor, readProxies } from "../../src/http/proxy.ts";
import { fails } from "../helpers/failures.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";

const read = (variables: Readonly<Record<string, string>>) => readProxies(new Map(Object.entries(variables)));

describe("readProxies, proxyFor (T-D15)", () => {
  const chosen = (url: string, noProxy = "", more = {}) =>
    proxyFor(read({ HTTPS_PROXY: "http://p:1", HTTP_PROXY: "p:2", NO_PROXY: noProxy, ...more }), new URL(url))?.port;

  it("is one for each scheme; small letters come first", () => {
    assert.equal(chosen("https://example.com/"), "1");
    assert.equal(chosen("http://example.com/"), "2");
    assert.equal(chosen("https://example.com/", "", { https_proxy: "http://p:3" }), "3");
    assert.equal(proxyFor(read({}), new URL("https://example.com/")), undefined);
  });
  for (const [entry, url, isDirect] of [
    ["*", "https://example.com/", true],
    ["example.com", "https://example.com/", true],
    ["Example.com", "https://a.example.com/", true],
    [".example.com", "https://a.example.com/", true],
    ["*.example.com", "https://a.example.com/", true],
    ["example.com", "https://notexample.com/", false],
    ["example.com", "https://example.com.evil/", false],
    ["a.example.com", "https://example.com/", false],
    ["example.com:8443", "https://example.com:8443/", true],
    ["example.com:8443", "https://example.com/", false],
    ["x, example.com", "https://example.com/", true],
    ["10.0.0.0/8", "https://10.1.2.3/", true],
    ["10.0.0.0/8", "https://11.1.2.3/", false],
    ["10.1.2.3", "https://10.1.2.3/", true],
    ["2001:db8::/32", "https://[2001:db8::1]/", true],
    ["[2001:db8::1]:443", "https://[2001:db8::1]/", true],
    ["10.0.0.0/99", "https://10.1.2.3/", false],
    ["", "https://localhost/", true],
    ["", "https://127.3.2.1/", true],
    ["", "https://[::1]/", true],
  ] as const) {
    it(`NO_PROXY=${entry}: ${url} ${isDirect ? "directly" : "by the proxy"}`, () =>
      assert.equal(chosen(url, entry), isDirect ? undefined : "1"));
  }
  it("in a CGI program HTTP_PROXY is a stranger's", () =>
    assert.equal(chosen("http://example.com/", "", { REQUEST_METHOD: "GET" }), undefined));
  it("refuses what is no proxy, and does not repeat its password", () => {
    for (const bad of ["socks5://p:1", "http://", "http://u:hush@:bad"]) {
      assert.throws(
        () => read({ HTTPS_PROXY: bad }),
        (error: Error) => {
          assert.ok(fails("CONFIG_INVALID")(error));
          return !JSON.stringify([error.message, error.cause]).includes("hush");
        },
      );
    }
  });
});

describe("createHttpClient through a proxy", () => {
  let authority: Authority;
  let server: ScriptedServer;
  let proxy: http.Server;
  const asked: { target: string; headers: http.IncomingHttpHeaders }[] = [];
  let refuse: string | undefined;
  /** Where the proxy leads to, if not to the server. */
  let port: number | undefined;
  before(async () => {
    authority = createAuthority();
    server = await startServer(authority.issue(["example.com"]));
    proxy = http.createServer().on("connect", (request, socket) => {
      asked.push({ target: request.url ?? "", headers: request.headers });
      if (refuse !== undefined) return socket.end(refuse);
      const onward = connect(port ?? server.port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      socket.on("error", () => onward.destroy());
      onward.on("error", () => socket.destroy());
      return onward.pipe(socket).pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    proxy.close();
    proxy.closeAllConnections();
    await server.close();
    authority.remove();
  });
  beforeEach(() => {
    asked.length = 0;
    refuse = undefined;
    port = undefined;
  });
  const client = (options: Partial<HttpOptions> = {}) => {
    const { port } = proxy.address() as AddressInfo;
    return createHttpClient({
      caFiles: [authority.caFile],
      connectTo: [],
      insecureTls: false,
      insecureHttp: false,
      credentials: new Map([["example.com", { kind: "bearer", token: "s3cret" }]]),
      proxies: read({ HTTPS_PROXY: `http://ann:p%40ss@127.0.0.1:${port}` }),
      deadlines: { connect: 5000, idle: 5000, document: 5000 },
      log: silentLog,
      ...options,
    });
  };

  it("tunnels, with the proxy's own credentials for the proxy and ours for the server", async () => {
    server.on("/x", { body: "through" });
    const fetch = client();
    for (let i = 0; i < 2; i += 1) {
      assert.equal(String(await (await fetch.get("https://example.com/x")).bytes(100)), "through");
    }
    assert.equal(asked[0]?.target, "example.com:443");
    assert.equal(asked[0]?.headers["proxy-authorization"], `Basic ${Buffer.from("ann:p@ss").toString("base64")}`);
    assert.equal(asked[0]?.headers.authorization, undefined);
    const seen = server.requests.at(-1);
    assert.equal(seen?.headers.authorization, "Bearer s3cret");
    assert.equal(seen?.headers["proxy-authorization"], undefined);
    assert.equal(seen?.host, "example.com");
  });

  it("HTTP_PROXY: plain http goes through a tunnel too, where it is allowed", async () => {
    const plain = await startServer(undefined);
    plain.on("/x", { body: "plain" });
    port = plain.port;
    try {
      const address = proxy.address() as AddressInfo;
      const proxies = read({ HTTP_PROXY: `http://127.0.0.1:${address.port}`, HTTPS_PROXY: "http://127.0.0.1:1" });
      const fetch = client({ proxies, insecureHttp: true });
      assert.equal(String(await (await fetch.get("http://example.com/x")).bytes(100)), "plain");
      assert.equal(asked[0]?.target, "example.com:80");
      assert.equal(plain.requests[0]?.headers.authorization, undefined, "credentials are for https only");
      const direct = client({ proxies: { ...proxies, except: ["example.com"] }, insecureHttp: true });
      await assert.rejects(direct.get("http://example.com:1/x"), fails("HTTP_FAILED"));
      assert.equal(asked.length, 1, "NO_PROXY: not through the proxy");
    } finally {
      await plain.close();
    }
  });

  it("T-D09: the certificate is checked inside, whatever the environment says", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await assert.rejects(client().get("https://other.example/"), fails("TLS_FAILED", /another name/));
      await assert.rejects(client({ caFiles: [] }).get("https://example.com/x"), fails("TLS_FAILED"));
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });

  it("T-D09: a server asked by its address has a certificate for that address, not for localhost", async () => {
    for (const [name, isRight] of [
      ["192.0.2.1", true],
      ["localhost", false],
      ["example.com", false],
    ] as const) {
      const other = await startServer(authority.issue([name]));
      port = other.port;
      try {
        const asking = client().get("https://192.0.2.1/");
        if (isRight) assert.equal((await asking).status, 404);
        else await assert.rejects(asking, fails("TLS_FAILED", /another name/));
        assert.equal(asked.at(-1)?.target, "192.0.2.1:443");
      } finally {
        await other.close();
      }
    }
  });

  it("a host that --connect-to leads elsewhere is connected to directly", async () => {
    const connectTo = [{ host: "example.com", address: "127.0.0.1", port: server.port }];
    (await client({ connectTo }).get("https://example.com/x")).discard();
    assert.deepEqual(asked, []);
  });

  for (const [why, answer] of [
    ["wants a password", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"],
    ["says that there is nothing", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
    ["redirects", "HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"],
  ] as const) {
    it(`a proxy that ${why} is not taken for the server`, async () => {
      refuse = answer;
      await assert.rejects(client().get("https://example.com/x"), (error: unknown) => {
        assert.ok(fails("HTTP_FAILED", /proxy/)(error));
        assert.ok(!String(error instanceof Error ? error.cause : "").includes("p%40ss"));
        return true;
      });
    });
  }
});
