import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pushToRegistry } from "../../src/api/push.ts";
import type { HttpClient, HttpResponse } from "../../src/http/client.ts";
import { once } from "../../src/oci/outgoing.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

/** Takes everything, or refuses manifests; what it was asked. */
function registry(manifestStatus: number) {
  const asked: string[] = [];
  const http: HttpClient = {
    get: async (url, request = {}) => {
      const { method = "GET", body } = request;
      asked.push(`${method} ${new URL(url).pathname}`);
      for await (const _ of body?.open() ?? []);
      const status =
        method === "HEAD" ? 404 : method === "POST" ? 202 : url.includes("manifests") ? manifestStatus : 201;
      const response: HttpResponse = {
        ...{ status, url, asked: url, isPublic: true, discard: () => {}, bytes: async () => Buffer.alloc(0) },
        header: (name) => (name === "location" ? "/upload" : undefined),
        body: once(Buffer.alloc(0)),
      };
      return response;
    },
  };
  return { http: async () => http, asked };
}

describe("pushToRegistry", () => {
  it("OCI-90: sends a layer for each image and the config, and names what others fetch", async (t) => {
    const { settings, ids, store } = await storedImages(t);
    const { http, asked } = registry(201);
    const pushed = await pushToRegistry({ ...settings, http }, { image: ids.middle, to: "docker://r.example/a/b:1" });
    assert.deepEqual([pushed.id, pushed.sent, pushed.lost], [ids.middle, 3, pushed.lost]);
    assert.equal(pushed.reference, `docker://r.example/a/b:1@${pushed.manifest}`);
    assert.equal(asked.at(-1), "PUT /v2/a/b/manifests/1");
    assert.deepEqual(readdirSync(join(store.root, "staging")), []);
  });

  it("leaves nothing behind when it fails", async (t) => {
    const { settings, ids, store } = await storedImages(t);
    const { http } = registry(500);
    const push = pushToRegistry({ ...settings, http }, { image: ids.top, to: "docker://r.example/a" });
    await assert.rejects(push, fails("HTTP_FAILED"));
    assert.deepEqual(readdirSync(join(store.root, "staging")), []);
    await assert.rejects(pushToRegistry(settings, { image: ids.top, to: "oci:x" }), fails("USAGE"));
  });
});
