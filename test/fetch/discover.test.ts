import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { exitStatus } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { type DiscoverOptions, discover, discoveryFailure } from "../../src/fetch/discover.ts";
import { createHttpClient, type HttpOptions } from "../../src/http/client.ts";
import { fails } from "../helpers/failures.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";

const name = "example.com/group/web";
const labels = [
  { name: "version", value: "1.0.0" },
  { name: "os", value: "linux" },
  { name: "arch", value: "amd64" },
];
const template = "https://cdn.example.com/{name}-{version}-{os}-{arch}.{ext}";
const image = "https://cdn.example.com/example.com/group/web-1.0.0-linux-amd64.aci";
const pages = {
  name: "/group/web?ac-discovery=1",
  parent: "/group?ac-discovery=1",
  host: "/?ac-discovery=1",
};

let authority: Authority;
let server: ScriptedServer;

before(() => {
  authority = createAuthority();
});
after(() => authority.remove());
beforeEach(async () => {
  server = await startServer(authority.issue(["example.com"]));
});
afterEach(() => server.close());

const deadlines = { connect: 5000, idle: 5000, document: 5000 };

function client(options: Partial<HttpOptions> & { readonly port?: number } = {}) {
  const { port = server.port, ...rest } = options;
  const connectTo = [{ host: "example.com", address: "127.0.0.1", port }];
  const fallback = { caFiles: [authority.caFile], connectTo, insecureTls: false, insecureHttp: false, deadlines };
  return createHttpClient({ ...fallback, log: silentLog, ...rest });
}

const look = (options: Partial<DiscoverOptions> = {}, http = client()) =>
  discover(http, name, labels, { insecureHttp: false, ...options });

const meta = (kind: "ac-discovery" | "ac-discovery-pubkeys", prefix: string, url: string) =>
  `<meta name="${kind}" content="${prefix} ${url}">`;
const imageTag = meta("ac-discovery", "example.com", template);
const keyTag = meta("ac-discovery-pubkeys", "example.com", "https://example.com/keys.gpg");

describe("discover: the walk (DISC-1, DISC-7)", () => {
  it("takes image and keys from the page of the name and asks nothing more", async () => {
    server.on(pages.name, { body: imageTag + keyTag });
    const discovery = await look();
    assert.deepEqual(discovery.endpoints, [{ image, signature: `${image}.asc` }]);
    assert.deepEqual(discovery.keys, ["https://example.com/keys.gpg"]);
    assert.deepEqual(server.paths(), [pages.name]);
    assert.deepEqual(
      discovery.attempts.map(({ kind }) => kind),
      ["found"],
    );
  });

  it("goes up to the host when a page is not there or has no tags, and says so of each", async () => {
    server.on(pages.parent, { body: "<p>Welcome</p>" });
    server.on(pages.host, { body: imageTag + keyTag });
    const discovery = await look();
    assert.deepEqual(server.paths(), [pages.name, pages.parent, pages.host]);
    assert.equal(discovery.endpoints.length, 1);
    assert.deepEqual(
      discovery.attempts.map(({ url, kind, outcome }) => [url, kind, outcome]),
      [
        [`https://${name}?ac-discovery=1`, "absent", "answered with status 404"],
        [
          "https://example.com/group?ac-discovery=1",
          "absent",
          `no ac-discovery tag for ${name}, no ac-discovery-pubkeys tag for ${name}`,
        ],
        ["https://example.com?ac-discovery=1", "found", "1 ac-discovery, 1 ac-discovery-pubkeys"],
      ],
    );
  });

  it("walks for images and keys independently", async () => {
    server.on(pages.name, { body: keyTag });
    server.on(pages.parent, {
      body: imageTag + meta("ac-discovery-pubkeys", "example.com", "https://other.example/k"),
    });
    const discovery = await look();
    assert.deepEqual(discovery.keys, ["https://example.com/keys.gpg"]);
    assert.equal(discovery.endpoints.length, 1);
    assert.deepEqual(server.paths(), [pages.name, pages.parent]);
  });

  it("asks only as far as what is wanted needs", async () => {
    server.on(pages.name, { body: keyTag });
    assert.deepEqual((await look({ wanted: "keys" })).endpoints, []);
    assert.deepEqual(server.paths(), [pages.name]);
    server.on(pages.name, { body: imageTag });
    assert.equal((await look({ wanted: "endpoints" })).endpoints.length, 1);
    assert.deepEqual(server.paths(), [pages.name, pages.name]);
  });

  it("DISC-7: a server error of one path does not end the walk, but is remembered", async () => {
    server.on(pages.name, { status: 500 });
    server.on(pages.parent, { status: 503 });
    const discovery = await look();
    assert.deepEqual(
      discovery.attempts.map(({ kind }) => kind),
      ["network", "network", "absent"],
    );
    const result = discoveryFailure(name, discovery);
    assert.equal(result.code, "HTTP_FAILED");
    assert.match(result.message, /status 500/);
  });

  for (const status of [401, 403]) {
    it(`DISC-7: ${status} does not end the walk; when nothing is found it is NOT_AUTHORISED, and names auth.d`, async () => {
      server.on(pages.name, { status });
      server.on(pages.parent, { status: 500 });
      const nothing = await look();
      assert.deepEqual(server.paths(), [pages.name, pages.parent, pages.host]);
      assert.deepEqual(
        nothing.attempts.map(({ kind }) => kind),
        ["refused", "network", "absent"],
      );
      const failure = discoveryFailure(name, nothing);
      assert.ok(fails("NOT_AUTHORISED", new RegExp(`could not be looked up.*${status}`), { hint: /auth\.d/ })(failure));
      assert.equal(exitStatus(failure), 4);
      server.on(pages.host, { body: imageTag });
      assert.equal((await look()).endpoints.length, 1);
    });
  }

  it("DISC-8: follows redirects of a page", async () => {
    server.on(pages.name, { status: 301, headers: { Location: "/moved" } });
    server.on("/moved", { body: imageTag + keyTag });
    assert.equal((await look()).endpoints.length, 1);
  });

  it("a redirect that is refused is a failure of this path only", async () => {
    server.on(pages.name, { status: 301, headers: { Location: "//evil.example/" } });
    server.on(pages.parent, { body: imageTag + keyTag });
    const discovery = await look();
    assert.equal(discovery.endpoints.length, 1);
    assert.equal(discovery.attempts[0]?.kind, "network");
  });
});

describe("discover: tags", () => {
  it("DISC-5, T-D05: a prefix covers whole components only", async () => {
    const other = (prefix: string) =>
      meta("ac-discovery", prefix, template) + meta("ac-discovery-pubkeys", prefix, "https://x.example/k");
    server.on(pages.name, {
      body: ["example.co", "example.com/gro", "example.com/group/web/x", "example.com.evil", "com"].map(other).join(""),
    });
    const discovery = await look();
    assert.deepEqual([discovery.endpoints, discovery.keys], [[], []]);
    server.on(pages.name, { body: other("example.com/group") });
    assert.equal((await look()).endpoints.length, 1);
  });

  it("DISC-5: passes over a template that needs a label nobody gave, and says which", async () => {
    server.on(pages.host, { body: meta("ac-discovery", "example.com", "https://h.example/{channel}/{name}.{ext}") });
    const discovery = await look();
    assert.deepEqual(discovery.endpoints, []);
    assert.match(discovery.attempts.at(-1)?.outcome ?? "", /no usable ac-discovery tag \(.*needs \{channel\}/);
  });

  it("DISC-6: keeps every endpoint, in the order of the page", async () => {
    server.on(pages.name, {
      body: ["a", "b"]
        .map((host) => meta("ac-discovery", "example.com", `https://${host}.example/{name}.{ext}`))
        .join(""),
    });
    const { endpoints } = await look();
    assert.deepEqual(
      endpoints.map((endpoint) => new URL(endpoint.image).host),
      ["a.example", "b.example"],
    );
  });

  it("DISC-12: version is latest in a template when nobody gave one", async () => {
    server.on(pages.name, { body: imageTag + keyTag });
    const { endpoints } = await discover(client(), name, labels.slice(1), { insecureHttp: false });
    assert.match(endpoints[0]?.image ?? "", /web-latest-linux-amd64\.aci$/);
  });

  it("a label called ext or name chooses nothing", async () => {
    server.on(pages.name, { body: imageTag + keyTag });
    const hostile = [...labels, { name: "ext", value: "evil" }, { name: "name", value: "evil.example" }];
    const { endpoints } = await discover(client(), name, hostile, { insecureHttp: false });
    assert.deepEqual(endpoints, [{ image, signature: `${image}.asc` }]);
  });

  it("T-D10: keys over http are no keys", async () => {
    server.on(pages.name, { body: meta("ac-discovery-pubkeys", "example.com", "http://example.com/keys.gpg") });
    const discovery = await look();
    assert.deepEqual(discovery.keys, []);
    assert.match(discovery.attempts[0]?.outcome ?? "", /encrypted/);
  });

  it("T-D07: a page of more than 1 MiB is a failure, its tags are not used", async () => {
    server.on(pages.name, { body: imageTag + " ".repeat(1024 * 1024) });
    const discovery = await look();
    assert.deepEqual(discovery.endpoints, []);
    assert.equal(discoveryFailure(name, discovery).code, "LIMIT_EXCEEDED");
  });
});

describe("discover: hosts that do not answer", () => {
  it("asks a host that refuses connections once, not once a parent", async () => {
    await server.close();
    const discovery = await look();
    assert.deepEqual(
      discovery.attempts.map(({ url, kind }) => [url, kind]),
      [[`https://${name}?ac-discovery=1`, "network"]],
    );
    const result = discoveryFailure(name, discovery);
    assert.equal(result.code, "HTTP_FAILED");
    assert.match(result.message, new RegExp(`^${name} could not be looked up: .*refused`));
  });

  it("says that the certificate is not trusted", async () => {
    const result = discoveryFailure(name, await look({}, client({ caFiles: [] })));
    assert.equal(result.code, "TLS_FAILED");
    assert.match(result.hint ?? "", /--ca-file/);
  });

  it("a name that is no host is absent everywhere", async () => {
    const discovery = await discover(client(), "1.2.3.4.5", [], { insecureHttp: false });
    assert.deepEqual(
      discovery.attempts.map(({ kind }) => kind),
      ["absent"],
    );
    assert.equal(discoveryFailure("1.2.3.4.5", discovery).code, "DISCOVERY_FAILED");
  });

  it("nothing anywhere is DISCOVERY_FAILED, with every attempt", async () => {
    const result = discoveryFailure(name, await look());
    assert.equal(result.code, "DISCOVERY_FAILED");
    assert.equal(String(result.cause).match(/status 404/g)?.length, 3);
    const nothing = { endpoints: [], keys: [], attempts: [], guarded: { endpoints: false, keys: false } };
    assert.match(discoveryFailure("web", nothing).hint ?? "", /example\.com\/web/);
  });

  it("stops when the caller does", async () => {
    await assert.rejects(look({ signal: AbortSignal.abort() }), fails("INTERRUPTED"));
  });

  it("a missing CA file is the caller's mistake, not an answer", async () => {
    await assert.rejects(look({}, client({ caFiles: ["/nonexistent/ca.pem"] })), fails("NOT_FOUND"));
  });
});

describe("discover: http (DISC-13, T-D01)", () => {
  it("never asks http unless told, whatever https does", async (context) => {
    const plain = await startServer(undefined);
    context.after(() => plain.close());
    // TLS to a server that speaks plain HTTP fails; nothing may be asked of it in clear.
    const discovery = await look({}, client({ port: plain.port }));
    assert.deepEqual(discovery.endpoints, []);
    assert.deepEqual(plain.paths(), []);
  });

  it("falls back to http when told, path by path", async (context) => {
    const plain = await startServer(undefined);
    context.after(() => plain.close());
    plain.on(pages.host, { body: imageTag + keyTag });
    const discovery = await look({ insecureHttp: true }, client({ port: plain.port, insecureHttp: true }));
    assert.equal(discovery.endpoints.length, 1);
    assert.deepEqual(plain.paths(), [pages.name, pages.parent, pages.host]);
    // https is tried first, but only once: it is the same host.
    assert.deepEqual(
      discovery.attempts.map(({ url }) => new URL(url).protocol),
      ["https:", "http:", "http:", "http:"],
    );
  });
});
