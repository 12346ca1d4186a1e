import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../src/http/client.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { parseOciReference } from "../../src/oci/reference.ts";
import { openRegistry } from "../../src/oci/registry.ts";
import { resolveImage } from "../../src/oci/resolve.ts";
import { fails } from "../helpers/failures.ts";
import { makeParts, ociTypes } from "../helpers/oci-images.ts";

interface Answer {
  readonly status?: number;
  /** Who answered in the end, when that is not whoever was asked. */
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A client whose servers are a function; remembers what was asked. */
function scripted(answer: (url: string, request: HttpRequest) => Answer) {
  const asked: { readonly url: string; readonly request: HttpRequest }[] = [];
  const http: HttpClient = {
    get: async (url, request = {}) => {
      asked.push({ url, request });
      const { status = 200, headers = {}, body = "", from = url } = answer(url, request);
      const bytes = Buffer.from(body);
      const response: HttpResponse = {
        ...{ status, url: from, asked: url, isPublic: true, discard: () => {}, bytes: async () => bytes },
        header: (name) => headers[name],
        body: (async function* () {
          yield bytes;
        })(),
      };
      return response;
    },
  };
  return { http, asked };
}

const made = makeParts({ layers: [] });

async function resolve(
  text: string,
  http: HttpClient,
  more: { readonly insecureHttp?: boolean; readonly user?: string } = {},
) {
  const reference = parseOciReference(text);
  assert.ok(reference?.from === "registry");
  const credentials = async () => (more.user === undefined ? undefined : { user: more.user, password: "secret" });
  const source = await openRegistry(reference, {
    http,
    insecureHttp: more.insecureHttp ?? false,
    credentials,
    log: silentLog,
  });
  return { source, image: () => resolveImage(reference, source, hostPlatform()) };
}

function image(url: string): Answer {
  if (url.includes("/manifests/"))
    return { headers: { "content-type": `${ociTypes.manifest}; charset=utf-8` }, body: made.manifest.bytes };
  if (url.endsWith(made.config.digest)) return { body: made.config.bytes };
  return { status: 404 };
}

const challenge = {
  status: 401,
  headers: {
    "www-authenticate": 'Bearer realm="https://auth.example.com/token?a=b",service="s",scope="repository:other:push"',
  },
};

describe("registries", () => {
  it("OCI-60: a manifest by its tag or digest, blobs by theirs", async () => {
    const { http, asked } = scripted(image);
    const { source, image: whole } = await resolve("docker://r.example.com/team/web:1", http);
    assert.equal((await whole()).manifestDigest, made.manifest.digest);
    assert.equal(source.imageName, "r.example.com/team/web");
    assert.deepEqual(
      asked.map(({ url }) => url),
      [
        "https://r.example.com/v2/team/web/manifests/1",
        `https://r.example.com/v2/team/web/blobs/${made.config.digest}`,
      ],
    );
    const pinned = await resolve(`docker://r.example.com/team/web@${made.manifest.digest}`, http);
    await pinned.image();
    assert.equal(asked[2]?.url, `https://r.example.com/v2/team/web/manifests/${made.manifest.digest}`);
  });
  it("OCI-60: Docker's own registry is asked where it answers", async () => {
    const { http, asked } = scripted(image);
    await (await resolve("docker://busybox", http)).image();
    assert.equal(new URL(asked[0]?.url ?? "").pathname, "/v2/library/busybox/manifests/latest");
    assert.notEqual(new URL(asked[0]?.url ?? "").host, "docker.io");
  });
  it("OCI-62: what a place that the registry led to asks for is not answered", async () => {
    const elsewhere = (url: string): Answer =>
      url.includes("/blobs/") ? { ...challenge, from: "https://cdn.example.net/blob" } : image(url);
    const { http, asked } = scripted(elsewhere);
    const { image: whole } = await resolve("docker://r.example.com/web:1", http, { user: "ann" });
    await assert.rejects(whole, fails("NOT_AUTHORISED"));
    assert.ok(
      asked.every(({ url }) => !url.includes("auth.example.com")),
      JSON.stringify(asked),
    );
  });
  it("OCI-61: nothing secret is said where there is no TLS, whatever is asked for", async () => {
    const plain = (url: string): Answer => {
      if (url.startsWith("https://localhost")) throw new Failure("HTTP_FAILED", "refused");
      return url.includes("auth.example.com")
        ? { body: '{"token":"t"}' }
        : url.includes("/manifests/")
          ? challenge
          : {};
    };
    const { http, asked } = scripted(plain);
    const { image: whole } = await resolve("docker://localhost:5000/a", http, { insecureHttp: true, user: "ann" });
    await assert.rejects(whole, fails("NOT_AUTHORISED"));
    for (const { url, request } of asked) {
      const { credentials } = request;
      assert.ok(typeof credentials !== "object" || credentials.kind === "bearer", url);
    }
  });
  it("OCI-61: without TLS only when that is allowed, and only when nothing else answers", async () => {
    const deaf = (url: string): Answer => {
      if (url.startsWith("https:")) throw new Failure("HTTP_FAILED", "refused");
      return image(url);
    };
    const secure = scripted(deaf);
    await assert.rejects(
      async () => (await resolve("docker://localhost:5000/a", secure.http)).image(),
      fails("HTTP_FAILED"),
    );
    assert.ok(secure.asked.every(({ url }) => url.startsWith("https:")));
    const lax = scripted(deaf);
    await (await resolve("docker://localhost:5000/a", lax.http, { insecureHttp: true })).image();
    assert.equal(lax.asked[1]?.url, "http://localhost:5000/v2/a/manifests/latest");
    const both = scripted(image);
    await (await resolve("docker://localhost:5000/a", both.http, { insecureHttp: true })).image();
    assert.ok(both.asked.every(({ url }) => url.startsWith("https:")));
  });
  it("OCI-62: a token is fetched once, to pull this repository and for nothing that the registry proposes", async () => {
    const { http, asked } = scripted((url, { credentials }) => {
      if (url.startsWith("https://auth.")) return { body: '{"token":"t0"}' };
      const isKnown = typeof credentials === "object" && credentials.kind === "bearer" && credentials.token === "t0";
      return isKnown ? image(url) : challenge;
    });
    await (await resolve("docker://r.example.com/team/web", http, { user: "me" })).image();
    const tokens = asked.filter(({ url }) => url.startsWith("https://auth."));
    assert.equal(tokens.length, 1);
    const { searchParams } = new URL(tokens[0]?.url ?? "");
    assert.deepEqual(
      [searchParams.getAll("scope"), searchParams.get("service"), searchParams.get("a")],
      [["repository:team/web:pull"], "s", "b"],
    );
    assert.deepEqual(tokens[0]?.request.credentials, { kind: "basic", user: "me", password: "secret" });
    assert.equal(tokens[0]?.request.isGuarded, true, "T-D03: a server of the Internet named the place");
  });
  it("OCI-62: user and password where the registry takes them", async () => {
    const { http } = scripted((url, { credentials }) =>
      typeof credentials === "object" && credentials.kind === "basic"
        ? image(url)
        : { status: 401, headers: { "www-authenticate": "Basic" } },
    );
    await (await resolve("docker://r.example.com/a", http, { user: "me" })).image();
    const refused = fails("NOT_AUTHORISED", /not for us/, { hint: /login/ });
    await assert.rejects(async () => (await resolve("docker://r.example.com/a", http)).image(), refused);
  });
  const hostile: readonly (readonly [string, Answer, Answer, Parameters<typeof fails>[0]])[] = [
    ["401 again and again", challenge, { body: '{"token":"x"}' }, "NOT_AUTHORISED"],
    ["a token server that refuses", challenge, { status: 401 }, "NOT_AUTHORISED"],
    ["a token server that fails", challenge, { status: 503 }, "HTTP_FAILED"],
    ["a token that is none", challenge, { body: '{"token":"a\\nb"}' }, "NOT_AUTHORISED"],
    ["HTML for a token", challenge, { body: "<html>" }, "JSON_INVALID"],
    [
      "a place for tokens that is none",
      { ...challenge, headers: { "www-authenticate": "Bearer realm=nowhere" } },
      {},
      "NOT_AUTHORISED",
    ],
    ["a challenge that nobody knows", { status: 401 }, {}, "NOT_AUTHORISED"],
    ["a tag that is gone", { status: 404 }, {}, "NOT_FOUND"],
    ["no right to it", { status: 403 }, {}, "NOT_AUTHORISED"],
    ["too many requests", { status: 429 }, {}, "HTTP_FAILED"],
    ["a broken server", { status: 500 }, {}, "HTTP_FAILED"],
    [
      "OCI-69: a web page for a manifest",
      { headers: { "content-type": "text/html" }, body: "<html>" },
      {},
      "HTTP_FAILED",
    ],
    ["HTML for a manifest that is called something else", { body: "<html>" }, {}, "JSON_INVALID"],
  ];
  for (const [why, registry, tokens, code] of hostile) {
    it(`OCI-64: ${why} is told as that, after few requests`, async () => {
      const { http, asked } = scripted((url) => (url.startsWith("https://auth.") ? tokens : registry));
      await assert.rejects(async () => (await resolve("docker://r.example.com/a", http)).image(), fails(code));
      assert.ok(asked.length <= 3);
    });
  }
});
