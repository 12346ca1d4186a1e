import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import type { PodKeys } from "../../src/metadata/keys.ts";
import { listen } from "../../src/metadata/places.ts";
import { metadataServer } from "../../src/metadata/server.ts";

const uuid = "11111111-1111-4111-8111-111111111111";
const token = "0123456789abcdef0123456789abcdef";
const keys: PodKeys = { sign: (_, content) => String(content.length), verify: () => false };
const heard: string[] = [];
const pod = {
  uuid,
  manifest: Buffer.from('{"apps":[{"name":"one","image":{"id":"x"}}]}'),
  imageManifest: () => {
    throw new Error("the store is\u001b[31m gone");
  },
};
const server = metadataServer({ isShared: false, current: () => [{ token, pod }], settled: async () => {} }, keys, {
  ...silentLog,
  warn: (line) => heard.push(line),
});
let port = 0;
before(async () => {
  await listen(server, { host: "127.0.0.1", port: 0 });
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

async function ask(path: string, options: { readonly method?: string; readonly body?: Buffer } = {}) {
  const { method = "GET", body } = options;
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const asked = request({ host: "127.0.0.1", port, path, method, headers });
  asked.on("error", () => {}); // the rest of a refused body
  asked.end(body);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const part of response) text += part;
  return { status: response.statusCode, type: response.headers["content-type"], text };
}

describe("the server of a pod's metadata", () => {
  it("META-1: answers whoever knows the token, and nobody else", async () => {
    assert.deepEqual(await ask(`/${token}/acMetadata/v1/pod/uuid`), {
      status: 200,
      type: "text/plain; charset=us-ascii",
      text: uuid,
    });
    for (const wrong of [
      "",
      "/",
      `/${token.slice(1)}0/x`,
      `/${token.toUpperCase()}/acMetadata/v1/pod/uuid`,
      `/${uuid}/acMetadata/v1/pod/uuid`,
      "/%zz",
    ]) {
      assert.equal((await ask(wrong || "/x")).status, 401, wrong);
    }
  });

  it("META-7: takes a megabyte to sign, and refuses more", async () => {
    const sign = `/${token}/acMetadata/v1/pod/hmac/sign`;
    const content = (size: number) => Buffer.concat([Buffer.from("content="), Buffer.alloc(size - 8, "x")]);
    assert.equal((await ask(sign, { method: "POST", body: content(1024 * 1024) })).text, String(1024 * 1024 - 8));
    assert.equal((await ask(sign, { method: "POST", body: content(1024 * 1024 + 1) })).status, 413);
  });

  it("META-7: tells of what it cannot read without its inner words, and answers the next", async () => {
    const answer = await ask(`/${token}/acMetadata/v1/apps/one/annotations`);
    assert.deepEqual([answer.status, answer.text], [500, "the service cannot answer; its log says why\n"]);
    assert.match(heard.join(), /the store is\\x1b\[31m gone/);
    assert.equal((await ask(`/${token}/acMetadata/v1/pod/uuid`)).status, 200);
  });

  it("META-7: survives what is no HTTP", async () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {}).resume();
    socket.write(`\0\xff${"x".repeat(100_000)}`);
    await once(socket, "close");
    assert.equal((await ask(`/${token}/acMetadata/v1/pod/uuid`)).status, 200);
  });
});
