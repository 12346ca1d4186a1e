import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../src/http/client.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { type OutgoingImage, once } from "../../src/oci/outgoing.ts";
import { pushImage } from "../../src/oci/push.ts";
import { parseOciReference } from "../../src/oci/reference.ts";
import { fails } from "../helpers/failures.ts";
import { type MadeBlob, makeParts, ociTypes } from "../helpers/oci-images.ts";

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const host = "https://r.example.com";
const target = parseOciReference("docker://r.example.com/team/web:1");

/** A registry as a function; what it was asked, with the bytes that it was sent. */
function scripted(answer: (line: string, request: HttpRequest) => Answer) {
  const asked: string[] = [];
  const sent = new Map<string, string>();
  const http: HttpClient = {
    get: async (url, request = {}) => {
      const line = `${request.method ?? "GET"} ${url.replace(host, "")}`;
      asked.push(line);
      let content = "";
      for await (const piece of request.body?.open() ?? []) content += Buffer.from(piece).toString();
      if (request.body !== undefined) sent.set(line, content);
      const { status, headers = {}, body = "" } = answer(line, request);
      const response: HttpResponse = {
        ...{ status, url, asked: url, isPublic: true, discard: () => {}, bytes: async () => Buffer.from(body) },
        header: (name) => headers[name],
        body: once(Buffer.from(body)),
      };
      return response;
    },
  };
  return { http, asked, sent };
}

const made = makeParts({ layers: [Buffer.from("one"), Buffer.from("two")], compress: "none" });
const outgoing = (mediaType: string, { digest, size, bytes }: MadeBlob) => ({
  ...{ mediaType, digest: parseDigest(digest, "test"), size, bytes },
  open: () => once(bytes),
});
const image: OutgoingImage = {
  manifest: outgoing(ociTypes.manifest, made.manifest),
  config: outgoing(ociTypes.config, made.config),
  layers: made.layers.map((layer) => outgoing(ociTypes.layer, layer)),
  diffIds: made.layers.map(({ digest }): Digest => parseDigest(digest, "test")),
  platform: { os: "linux", architecture: "amd64" },
  name: { repository: "example.com/web", tag: "1" },
  lost: [],
};
const [one = made.config, two = made.config] = made.layers;

async function push(http: HttpClient, more: { readonly mountFrom?: string; readonly user?: string } = {}) {
  assert.ok(target?.from === "registry");
  const credentials = async () => (more.user === undefined ? undefined : { user: more.user, password: "secret" });
  const { mountFrom } = more;
  return await pushImage(image, target, { http, insecureHttp: false, credentials, mountFrom, log: silentLog });
}

const kindOf = (credentials: HttpRequest["credentials"]) =>
  typeof credentials === "object" ? credentials.kind : (credentials ?? "the client's");

/** Has nothing yet, and takes everything. */
function empty(line: string): Answer {
  if (line.startsWith("HEAD")) return { status: 404 };
  if (line.startsWith("POST")) return { status: 202, headers: { location: "/v2/team/web/blobs/uploads/7?state=s" } };
  return {
    status: 201,
    headers: line.includes("/manifests/") ? { "docker-content-digest": made.manifest.digest } : {},
  };
}

describe("push", () => {
  it("OCI-90: blobs that are not there, then the manifest under its tag", async () => {
    const { http, asked, sent } = scripted(empty);
    assert.deepEqual(await push(http), { sent: 3, sentBytes: 6 + made.config.size, mounted: 0, present: 0 });
    const upload = (digest: string) => `PUT /v2/team/web/blobs/uploads/7?state=s&digest=${encodeURIComponent(digest)}`;
    assert.deepEqual(
      [...sent],
      [
        [upload(one.digest), "one"],
        [upload(two.digest), "two"],
        [upload(made.config.digest), made.config.bytes.toString()],
        ["PUT /v2/team/web/manifests/1", made.manifest.bytes.toString()],
      ],
    );
    assert.equal(asked.at(-1), "PUT /v2/team/web/manifests/1");
  });

  it("OCI-90: what is there is not sent, what a neighbour has is mounted", async () => {
    const { http, asked, sent } = scripted((line) => {
      if (line === `HEAD /v2/team/web/blobs/${one.digest}`) return { status: 200 };
      return line.includes(`mount=${two.digest}`) ? { status: 201 } : empty(line);
    });
    assert.deepEqual(await push(http, { mountFrom: "other/base" }), {
      ...{ sent: 1, sentBytes: made.config.size, mounted: 1, present: 1 },
    });
    assert.ok(asked.includes(`POST /v2/team/web/blobs/uploads/?mount=${two.digest}&from=other%2Fbase`));
    assert.equal(sent.size, 2);
  });

  it("OCI-91: a token for pulling and pushing here, and for pulling where blobs are mounted from", async () => {
    const places: string[] = [];
    const { http } = scripted((line, { credentials }) => {
      if (line.includes("auth.example.com")) {
        places.push(line);
        return { status: 200, body: '{"token":"t"}' };
      }
      if (kindOf(credentials) === "bearer") return empty(line);
      return {
        status: 401,
        headers: { "www-authenticate": 'Bearer realm="https://auth.example.com/t",scope="repository:all:*"' },
      };
    });
    assert.equal((await push(http, { mountFrom: "other/base", user: "me" })).sent, 3);
    const [place = ""] = places;
    assert.deepEqual(new URL(place.slice(4)).searchParams.getAll("scope"), [
      "repository:team/web:pull,push",
      "repository:other/base:pull",
    ]);
    assert.equal(places.length, 1);
  });

  it("OCI-92: who we are is told to nobody but the registry", async () => {
    const told: string[] = [];
    const { http } = scripted((line, { credentials, isGuarded }) => {
      if (line.includes("storage.example.net")) {
        told.push(`${kindOf(credentials)} ${String(isGuarded)}`);
        return { status: 201 };
      }
      if (credentials === undefined) return { status: 401, headers: { "www-authenticate": "Basic realm=r" } };
      return line.startsWith("POST")
        ? { status: 202, headers: { location: "https://storage.example.net/up" } }
        : empty(line);
    });
    await push(http, { user: "me" });
    assert.deepEqual(told, ["none true", "none true", "none true"]);
  });

  for (const [why, wrong, code] of [
    [
      "who we are is not enough",
      (line: string) => (line.startsWith("POST") ? { status: 403 } : empty(line)),
      "NOT_AUTHORISED",
    ],
    [
      "an upload without a place",
      (line: string) => (line.startsWith("POST") ? { status: 202 } : empty(line)),
      "HTTP_FAILED",
    ],
    ["a blob is refused", (line: string) => (line.includes("digest=") ? { status: 400 } : empty(line)), "HTTP_FAILED"],
    [
      "a manifest is refused",
      (line: string) => (line.includes("manifests") ? { status: 500 } : empty(line)),
      "HTTP_FAILED",
    ],
    [
      "another manifest is stored",
      (line: string) =>
        line.includes("manifests") ? { status: 201, headers: { "docker-content-digest": "sha256:0" } } : empty(line),
      "DIGEST_MISMATCH",
    ],
  ] as const) {
    it(`OCI-93: ${why}`, async () => {
      const { http, asked } = scripted(wrong);
      await assert.rejects(push(http), fails(code));
      if (!why.includes("manifest")) assert.ok(!asked.some((line) => line.includes("/manifests/")));
    });
  }

  it("OCI-93: a repository that there is not is no image that is missing, and the registry's words are told", async () => {
    const body = '{"errors":[{"code":"NAME_UNKNOWN","message":"no such project"}]}';
    const { http } = scripted((line) => (line.startsWith("POST") ? { status: 404, body } : empty(line)));
    await assert.rejects(push(http), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(String(error.cause), /answered 404: no such project/);
      return fails("HTTP_FAILED")(error);
    });
  });

  it("OCI-97: a blob is not sent from https to http", async () => {
    const { http, asked } = scripted((line) =>
      line.startsWith("POST") ? { status: 202, headers: { location: "http://r.example.com/up" } } : empty(line),
    );
    await assert.rejects(push(http), fails("HTTP_FAILED", /from https to http/));
    assert.ok(!asked.some((line) => line.startsWith("PUT")));
  });

  it("what the store has lost is not named by a manifest", async () => {
    const { http, asked } = scripted(empty);
    const rotten: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("rotten")) }),
    };
    assert.ok(target?.from === "registry");
    const config = { ...image.config, open: () => rotten };
    const options = { http, insecureHttp: false, credentials: async () => undefined, log: silentLog };
    await assert.rejects(pushImage({ ...image, config }, target, options), /rotten/);
    assert.ok(!asked.some((line) => line.includes("/manifests/")));
  });
});
