/** Credentials of auth.d (DISC-11, CLI-18) and proxies of the environment (T-D15) by the program itself, on loopback. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  type Authority,
  createAuthority,
  type RecordedRequest,
  type Script,
  type ScriptedServer,
  startServer,
} from "../helpers/https-server.ts";
import { program, Running, Workspace } from "../helpers/program.ts";
import { expectedAuthorization } from "../helpers/signature-v4.ts";
import { ownKey, signedImage } from "../helpers/site-world.ts";

const work = new Workspace();
let authority: Authority;
let server: ScriptedServer;
let proxy: http.Server;
/** Targets of CONNECT. */
const tunnels: string[] = [];
let fingerprint = "";

const basic = `Basic ${Buffer.from("ann:hush hush").toString("base64")}`;
const aws = { accessKeyID: "AKID", secretAccessKey: "s3cretKey", awsRegion: "eu-west-1" };
/** What is in auth.d, and whether a request has the header that goes with it. */
const kinds: Readonly<Record<string, { readonly file: object; isRight(request: RecordedRequest): boolean }>> = {
  "basic.example": {
    file: { type: "basic", credentials: { user: "ann", password: "hush hush" } },
    isRight: ({ headers }) => headers.authorization === basic,
  },
  "bearer.example": {
    file: { type: "oauth", credentials: { token: "t0ken" } },
    isRight: ({ headers }) => headers.authorization === "Bearer t0ken",
  },
  "aws.example": {
    file: { type: "aws", credentials: aws },
    isRight: (request) =>
      request.headers.authorization ===
      expectedAuthorization(request, aws.accessKeyID, aws.secretAccessKey, aws.awsRegion),
  },
};
const hosts = Object.keys(kinds);
const places = (host: string): readonly string[] => [
  "/web?ac-discovery=1",
  "/keys.asc",
  `/${host}/web.aci.asc`,
  `/${host}/web.aci`,
];

before(async () => {
  authority = createAuthority();
  server = await startServer(authority.issue([...hosts, "0.0.0.0"]));
  proxy = http.createServer().on("connect", (request, socket) => {
    tunnels.push(request.url ?? "");
    const onward = connect(server.port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
    onward.pipe(socket).pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  fingerprint = ownKey(work, "Signer");
  const key = work.must(["key", "export", fingerprint]);
  for (const host of hosts) {
    const image = signedImage(work, `${host}/web`);
    const tags = [
      `<meta name="ac-discovery" content="${host} https://${host}/{name}.{ext}">`,
      `<meta name="ac-discovery-pubkeys" content="${host} https://${host}/keys.asc">`,
    ];
    const bodies = [tags.join("\n"), key, readFileSync(`${image}.asc`), readFileSync(image)];
    places(host).forEach((place, index) => {
      const script = (_count: number, request: RecordedRequest): Script =>
        kinds[host]?.isRight(request)
          ? { body: bodies[index] ?? "" }
          : { status: 401, headers: { "WWW-Authenticate": "Basic realm=x" } };
      server.on(`${host}${place}`, script);
    });
  }
  server.on("0.0.0.0/open.aci", { body: readFileSync(work.path("basic.example-web-1.0.0.aci")) });
  const netrc = hosts.map((host) => `machine ${host} login ann password hush\n`).join("");
  writeFileSync(work.path(".netrc"), netrc, { mode: 0o600 });
});
after(async () => {
  await work.close();
  proxy.closeAllConnections();
  proxy.close();
  await server.close();
  authority.remove();
});
beforeEach(() => {
  tunnels.length = 0;
  rmSync(work.path("etc", "auth.d"), { recursive: true, force: true });
  rmSync(work.data, { recursive: true, force: true });
});

function know(host: string): void {
  mkdirSync(work.path("etc", "auth.d"), { recursive: true });
  const file = { rktKind: "auth", rktVersion: "v1", domains: [host], ...kinds[host]?.file };
  const path = work.path("etc", "auth.d", `${host}.json`);
  writeFileSync(path, JSON.stringify(file));
  chmodSync(path, 0o600);
}

interface Ended {
  readonly status: number;
  readonly stderr: string;
  /** What the server was asked meanwhile. */
  readonly asked: readonly RecordedRequest[];
}

/** `perigee ARGS…` with no other proxies than those of `environment`. */
async function perigee(environment: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended> {
  const before = server.requests.length;
  const names = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];
  const none = [...names, ...names.map((name) => name.toUpperCase())].flatMap((name) => ["-u", name]);
  const values = Object.entries(environment).map((pair) => pair.join("="));
  const line = [program, ...work.globals, "--ca-file", authority.caFile, ...args];
  const running = new Running(work.startCommand(["env", ...none, ...values, ...line], "pipe"));
  const status = await running.ended;
  return { status, stderr: running.stderr, asked: server.requests.slice(before) };
}

const directly = (host: string): readonly string[] => ["--connect-to", `${host}:127.0.0.1:${server.port}`];
const trusting = (host: string): readonly string[] => [
  "trust",
  "--prefix",
  `${host}/web`,
  "--fingerprint",
  fingerprint,
];

function assertEverythingWasAsked(asked: readonly RecordedRequest[], host: string): void {
  for (const place of places(host)) {
    assert.ok(
      asked.some((request) => request.host === host && request.path === place),
      `${place} was not asked for`,
    );
  }
  for (const request of asked) assert.ok(kinds[host]?.isRight(request), `${request.path} without what it takes`);
}

describe("credentials of auth.d go with every request of fetch and trust (DISC-11, CLI-18)", () => {
  for (const host of hosts) {
    it(`${host}: page, keys, signature and image, and none of them without`, async () => {
      const stranger = await perigee({}, ...directly(host), "fetch", `${host}/web`);
      assert.equal(stranger.status, 4, stranger.stderr);
      assert.match(stranger.stderr, /^error\[NOT_AUTHORISED\][\s\S]*\n {2}try: .*auth\.d/m);
      assert.ok(stranger.asked.length > 0);
      for (const { headers } of stranger.asked) assert.equal(headers.authorization, undefined, "T-D15: no .netrc");
      know(host);
      const trusted = await perigee({}, ...directly(host), ...trusting(host));
      assert.equal(trusted.status, 0, trusted.stderr);
      const fetched = await perigee({}, ...directly(host), "fetch", `${host}/web`);
      assert.equal(fetched.status, 0, fetched.stderr);
      assertEverythingWasAsked([...trusted.asked, ...fetched.asked], host);
      assert.ok(!/hush hush|t0ken|s3cretKey/.test(stranger.stderr + trusted.stderr + fetched.stderr));
    });
  }
  it("what is known for one host goes to no other", async () => {
    know("basic.example");
    const { status, asked } = await perigee({}, ...directly("bearer.example"), "fetch", "bearer.example/web");
    assert.equal(status, 4);
    for (const { headers } of asked) assert.equal(headers.authorization, undefined);
  });
});

describe("T-D15: HTTPS_PROXY and NO_PROXY", () => {
  const way = (): Readonly<Record<string, string>> => ({
    HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
  });
  const open = (): string => `https://0.0.0.0:${server.port}/open.aci`;
  const fetching = ["--insecure-options=image", "fetch"];

  it("all that a name takes goes through the proxy, with the server's credentials inside of the tunnel", async () => {
    const host = "basic.example";
    know(host);
    const trusted = await perigee(way(), ...trusting(host));
    assert.equal(trusted.status, 0, trusted.stderr);
    const fetched = await perigee(way(), "fetch", `${host}/web`);
    assert.equal(fetched.status, 0, fetched.stderr);
    assertEverythingWasAsked([...trusted.asked, ...fetched.asked], host);
    assert.deepEqual([...new Set(tunnels)], [`${host}:443`]);
  });

  // 0.0.0.0 is an address that reaches this machine and is none of those that go without a proxy by themselves.
  for (const [variables, isProxied] of [
    [{}, true],
    [{ NO_PROXY: "0.0.0.0" }, false],
    [{ NO_PROXY: "other.example, 192.0.2.0/24" }, true],
    [{ no_proxy: "0.0.0.0/8", NO_PROXY: "other.example" }, false],
  ] as const) {
    it(`with ${JSON.stringify(variables)} a URL is ${isProxied ? "" : "not "}asked through the proxy`, async () => {
      const { status, stderr, asked } = await perigee({ ...way(), ...variables }, ...fetching, open());
      assert.equal(status, 0, stderr);
      assert.ok(asked.some(({ path }) => path === "/open.aci"));
      assert.deepEqual([...new Set(tunnels)], isProxied ? [`0.0.0.0:${server.port}`] : []);
    });
  }
});
