import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { authorise, type Credentials, credentialsFor, hostOfDomain } from "../../src/http/authorisation.ts";
import { createHttpClient } from "../../src/http/client.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";

const basic: Credentials = { kind: "basic", user: "ann", password: "p:w ä" };
const request = (url: string, headers = {}) => ({ method: "GET", url: new URL(url), headers });
const now = new Date("2013-05-24T00:00:00Z");

describe("hostOfDomain, credentialsFor (T-D04)", () => {
  it("takes HOST and HOST:PORT as a URL writes them", () => {
    assert.equal(hostOfDomain("Example.com"), "example.com");
    assert.equal(hostOfDomain("example.com:443"), "example.com");
    assert.equal(hostOfDomain("example.com:8443"), "example.com:8443");
    for (const bad of ["", "example.com/x", "a@example.com", "https://x", "a b", "example.com?x", "ex#"]) {
      assert.equal(hostOfDomain(bad), undefined, bad);
    }
  });
  it("only the very origin, only https", () => {
    const known = new Map([["example.com", basic]]);
    assert.equal(credentialsFor(known, new URL("https://example.com/x")), basic);
    for (const other of [
      "http://example.com/",
      "https://example.com:8443/",
      "https://example.com.evil/",
      "https://a.example.com/",
    ]) {
      assert.equal(credentialsFor(known, new URL(other)), undefined, other);
    }
  });
});

describe("authorise", () => {
  it("basic and bearer", () => {
    const { Authorization } = authorise(basic, request("https://example.com/"), now);
    assert.equal(Buffer.from(Authorization?.slice("Basic ".length) ?? "", "base64").toString(), "ann:p:w ä");
    const token: Credentials = { kind: "bearer", token: "t0ken" };
    assert.deepEqual(authorise(token, request("https://example.com/"), now), { Authorization: "Bearer t0ken" });
  });

  // The worked examples of Amazon's own description of the algorithm.
  const aws: Credentials = {
    kind: "aws",
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const bucket = "https://examplebucket.s3.amazonaws.com";
  for (const [why, url, headers, signature] of [
    [
      "an object, a range of it",
      `${bucket}/test.txt`,
      { Range: "bytes=0-9" },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      "a query without a value",
      `${bucket}/?lifecycle`,
      {},
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      "a query with values",
      `${bucket}/?prefix=J&max-keys=2`,
      {},
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ] as const) {
    it(`AWS Signature Version 4: ${why}`, () => {
      const { Authorization = "" } = authorise(aws, request(url, headers), now);
      assert.match(Authorization, new RegExp(`Signature=${signature}$`));
      assert.match(Authorization, /Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request,/);
    });
  }
  it("the region is the one given, else that of the host", () => {
    const scope = (url: string, region?: string) =>
      /\/20130524\/([^/]+)\//.exec(authorise({ ...aws, region }, request(url), now)["Authorization"] ?? "")?.[1];
    assert.equal(scope("https://b.s3.eu-west-1.amazonaws.com/x"), "eu-west-1");
    assert.equal(scope("https://s3-eu-central-1.amazonaws.com/b/x"), "eu-central-1");
    assert.equal(scope("https://b.s3.eu-west-1.amazonaws.com/x", "us-west-2"), "us-west-2");
    assert.equal(scope("https://evil-s3.eu-west-1.example.com/x"), "us-east-1");
  });
});

describe("createHttpClient with credentials (T-D04)", () => {
  let authority: Authority;
  let server: ScriptedServer;
  before(async () => {
    authority = createAuthority();
    server = await startServer(authority.issue(["example.com", "other.example"]));
  });
  after(async () => {
    await server.close();
    authority.remove();
  });
  const messages: string[] = [];
  const client = () =>
    createHttpClient({
      caFiles: [authority.caFile],
      connectTo: ["example.com", "other.example"].map((host) => ({ host, address: "127.0.0.1", port: server.port })),
      insecureTls: false,
      insecureHttp: false,
      credentials: new Map([
        ["example.com", { kind: "bearer", token: "s3cret" }],
        ["other.example", { kind: "bearer", token: "0ther" }],
      ]),
      log: { ...silentLog, debug: (message) => void messages.push(message) },
    });
  const sent = (path: string) => server.requests.filter((r) => r.path === path).at(-1)?.headers.authorization;

  it("sends them to their origin, and along redirects that stay there", async () => {
    server.on("example.com/a", { status: 302, headers: { Location: "/b" } });
    server.on("example.com/b", { body: "b" });
    (await client().get("https://example.com/a")).discard();
    assert.equal(sent("/a"), "Bearer s3cret");
    assert.equal(sent("/b"), "Bearer s3cret");
    assert.ok(!messages.join().includes("s3cret"));
  });
  it("no redirect takes any to another host, port or back", async () => {
    server.on("example.com/away", { status: 302, headers: { Location: "https://other.example/x" } });
    server.on("other.example/x", { status: 302, headers: { Location: "https://example.com/back" } });
    server.on("example.com/back", { body: "b" });
    (await client().get("https://example.com/away")).discard();
    assert.equal(sent("/away"), "Bearer s3cret");
    assert.equal(sent("/x"), undefined);
    assert.equal(sent("/back"), undefined);
    server.on("example.com/port", { status: 302, headers: { Location: "https://example.com:8443/ported" } });
    server.on("example.com/ported", { body: "b" });
    (await client().get("https://example.com/port")).discard();
    assert.equal(sent("/ported"), undefined);
  });
  it("AWS Signature Version 4 on the wire: the server, which knows the secret, comes to the same signature", async () => {
    server.on("example.com/bucket/a%20b.aci", { body: "b" });
    const secret = "s3cretKey";
    const aws: Credentials = { kind: "aws", accessKeyId: "AKID", secretAccessKey: secret, region: "eu-west-1" };
    const signing = createHttpClient({
      caFiles: [authority.caFile],
      connectTo: [{ host: "example.com", address: "127.0.0.1", port: server.port }],
      insecureTls: false,
      insecureHttp: false,
      credentials: new Map([["example.com", aws]]),
      log: silentLog,
    });
    (await signing.get("https://example.com/bucket/a%20b.aci?v=1", { headers: { Range: "bytes=1-" } })).discard();
    const got = server.requests.at(-1);
    assert.ok(got !== undefined);
    const [time, digest] = [got.headers["x-amz-date"], got.headers["x-amz-content-sha256"]].map(String);
    const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
    assert.equal(digest, sha256(""));
    const names = "host;range;x-amz-content-sha256;x-amz-date";
    const values = ["host:example.com", "range:bytes=1-", `x-amz-content-sha256:${digest}`, `x-amz-date:${time}`];
    const canonical = ["GET", "/bucket/a%20b.aci", "v=1", ...values, "", names, digest].join("\n");
    const scope = `${time?.slice(0, 8)}/eu-west-1/s3/aws4_request`;
    let key: string | Buffer = `AWS4${secret}`;
    for (const part of [...scope.split("/"), ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")])
      key = createHmac("sha256", key).update(part).digest();
    const signature = (key as Buffer).toString("hex");
    assert.equal(
      got.headers.authorization,
      `AWS4-HMAC-SHA256 Credential=AKID/${scope},SignedHeaders=${names},Signature=${signature}`,
    );
  });
  it("T-D15: a .netrc that knows the server is not looked at, neither at home nor where NETRC says", async () => {
    const home = mkdtempSync(join(authority.directory, "home-"));
    const netrc = join(home, ".netrc");
    const before = { HOME: process.env["HOME"], NETRC: process.env["NETRC"] };
    writeFileSync(netrc, "machine example.com login ann password hush\ndefault login ann password hush\n", {
      mode: 0o600,
    });
    Object.assign(process.env, { HOME: home, NETRC: netrc });
    try {
      assert.equal(homedir(), home);
      const stranger = createHttpClient({
        caFiles: [authority.caFile],
        connectTo: [{ host: "example.com", address: "127.0.0.1", port: server.port }],
        insecureTls: false,
        insecureHttp: false,
        log: silentLog,
      });
      server.on("example.com/closed", { status: 401, headers: { "WWW-Authenticate": "Basic realm=x" } });
      const response = await stranger.get("https://example.com/closed");
      assert.equal(response.status, 401);
      response.discard();
      const asked = server.requests.filter(({ path }) => path === "/closed");
      assert.deepEqual(
        asked.map(({ headers }) => headers.authorization),
        [undefined],
      );
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
  it("a server that goes on answering 401 is asked once", async () => {
    server.on("example.com/no", { status: 401, headers: { "WWW-Authenticate": "Basic realm=x" } });
    const response = await client().get("https://example.com/no");
    assert.equal(response.status, 401);
    response.discard();
    assert.equal(server.paths().filter((path) => path === "/no").length, 1);
  });
});
