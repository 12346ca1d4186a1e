import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerTo, type DescribedPod } from "../../src/metadata/answers.ts";
import type { PodKeys } from "../../src/metadata/keys.ts";

const uuid = "11111111-1111-4111-8111-111111111111";
const image = {
  annotations: [
    { name: "a", value: "image" },
    { name: "b/c", value: "kept" },
  ],
};
const keys: PodKeys = {
  sign: (of, content) => `${of} signed ${Buffer.from(content).toString()}`,
  verify: (of, content, signature) => signature === `${of} signed ${Buffer.from(content).toString()}`,
};
const podOf = (manifest: unknown): DescribedPod => ({
  uuid,
  manifest: Buffer.from(JSON.stringify(manifest)),
  imageManifest: (id) => Buffer.from(JSON.stringify(id === "sha512-one" ? image : {})),
});
const pod = podOf({
  apps: [
    {
      name: "one",
      image: { id: "sha512-one" },
      annotations: [
        { name: "z", value: "app" },
        { name: "a", value: "app" },
      ],
    },
    { name: "plain", image: { id: "sha512-plain" } },
  ],
  annotations: [{ name: "of/pod", value: "v" }],
});
const ask = (path: string, method = "GET", body = "", contentType = "application/x-www-form-urlencoded") => {
  const { status, body: said } = answerTo(pod, keys, {
    method,
    path: path.split("/"),
    contentType,
    body: Buffer.from(body),
  });
  return [status, String(said).trim()];
};

describe("answers", () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["acMetadata/v1/pod/uuid", 200, uuid],
    ["acMetadata/v1/pod/annotations/of/pod", 200, "v"],
    ["acMetadata/v1/pod/annotations/of", 404, "no such annotation"],
    ["acMetadata/v1/apps/one/image/id", 200, "sha512-one"],
    ["acMetadata/v1/apps/one/annotations/a", 200, "app"],
    ["acMetadata/v1/apps/plain/annotations", 200, "[]"],
    ["acMetadata/v1/apps/none/image/id", 404, "no such app"],
    ["acMetadata/v1/apps/one/image", 404, "no such path"],
    ["acMetadata/v1/apps/one/image/id/x", 404, "no such path"],
    ["acMetadata/v1/pod/uuid/x", 404, "no such path"],
    ["acMetadata/v1/pod/hmac", 404, "no such path"],
    ["acMetadata/v2/pod/uuid", 404, "no such path; it begins with acMetadata/v1"],
    ["", 404, "no such path; it begins with acMetadata/v1"],
  ];
  for (const [path, status, body] of cases) {
    it(`ACE-61, ACE-62: ${path || "nothing"}: ${status}`, () => assert.deepEqual(ask(path), [status, body]));
  }

  it("ACE-62: an app's annotations are set over its image's: replaced in place, new ones behind", () => {
    const expected = [
      { name: "a", value: "app" },
      { name: "b/c", value: "kept" },
      { name: "z", value: "app" },
    ];
    assert.deepEqual(ask("acMetadata/v1/apps/one/annotations"), [200, JSON.stringify(expected)]);
  });

  it("V13: annotations that the manifest lacks are null, and an empty list is one", () => {
    for (const [annotations, said] of [
      [undefined, "null"],
      [null, "null"],
      [[], "[]"],
    ] as const) {
      const request = {
        method: "GET",
        path: ["acMetadata", "v1", "pod", "annotations"],
        contentType: "",
        body: Buffer.alloc(0),
      };
      assert.equal(answerTo(podOf({ apps: [], annotations }), keys, request).body, said);
    }
  });

  it("ACE-63, ACE-64: sign and verify a form", () => {
    const sign = "acMetadata/v1/pod/hmac/sign";
    const verify = "acMetadata/v1/pod/hmac/verify";
    assert.deepEqual(ask(sign, "POST", "content=x"), [200, `${uuid} signed x`]);
    const signature = encodeURIComponent(`${uuid} signed x`);
    assert.deepEqual(ask(verify, "POST", `content=x&uuid=${uuid}&signature=${signature}`), [200, ""]);
    assert.deepEqual(ask(verify, "POST", `content=y&uuid=${uuid}&signature=${signature}`), [403, "another signature"]);
    for (const [path, body] of [
      [sign, ""],
      [sign, "content=%"],
      [verify, "content=x"],
      [verify, `content=x&uuid=../..&signature=${signature}`],
    ] as const) {
      assert.equal(ask(path, "POST", body)[0], 400, body);
    }
    assert.equal(ask(sign, "POST", "content=x", "text/plain")[0], 400);
    assert.equal(ask(sign, "GET")[0], 405);
    assert.equal(ask("acMetadata/v1/pod/uuid", "DELETE")[0], 405);
  });
});
