import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { answer } from "../../src/site/answer.ts";

const content = Buffer.alloc(700_000, "0123456789");
let directory = "";
let server: Server;
let port = 0;
const statuses: number[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  mkdirSync(join(directory, "site/page"), { recursive: true });
  writeFileSync(join(directory, "secret"), "secret");
  writeFileSync(join(directory, "site/image.aci"), content);
  writeFileSync(join(directory, "site/empty.txt"), "");
  writeFileSync(join(directory, "site/page/index.html"), "<p>page");
  server = createServer((incoming, response) => {
    const lookup = (host: string, path: readonly string[]) => (host === "twice" ? [["missing"], path] : [path]);
    void answer(join(directory, "site"), lookup, incoming, response).then((status) => statuses.push(status));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", path, ...options }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) });
    });
    outgoing.on("error", reject).end();
  });
}

describe("answer", () => {
  it("sends a file with its type, size, tag and time", async () => {
    const { status, headers, body } = await ask("/image.aci");
    assert.equal(status, 200);
    assert.ok(body.equals(content));
    assert.deepEqual(
      [headers["content-type"], headers["content-length"], headers["accept-ranges"]],
      ["application/octet-stream", "700000", "bytes"],
    );
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.match(headers.etag ?? "", /^"[^"]+"$/);
    assert.ok(!Number.isNaN(Date.parse(headers["last-modified"] ?? "")));
    assert.equal(headers["content-encoding"], undefined);
  });

  it("sends the page of a directory", async () => {
    for (const path of ["/page/", "/page/?x=1", "/page?ac-discovery=1"]) {
      const { status, headers, body } = await ask(path);
      assert.deepEqual([status, headers["content-type"], String(body)], [200, "text/html; charset=utf-8", "<p>page"]);
    }
  });

  it("leads a browser to the slash at the end, on this host and no other; a file has none", async () => {
    for (const [path, location] of [
      ["/page", "/page/"],
      ["/page?a=b", "/page/?a=b"],
      ["/%70age", "/page/"],
    ] as const) {
      const { status, headers } = await ask(path);
      assert.deepEqual([status, headers.location], [301, location]);
    }
    assert.equal((await ask("/image.aci/")).status, 404);
    assert.equal((await ask("//page")).status, 404);
  });

  it("HEAD is GET without the body; an empty file is empty", async () => {
    const { status, headers, body } = await ask("/image.aci", { method: "HEAD" });
    assert.deepEqual([status, headers["content-length"], body.length], [200, "700000", 0]);
    assert.deepEqual([(await ask("/empty.txt")).status, (await ask("/empty.txt")).body.length], [200, 0]);
    assert.deepEqual(
      [(await ask("/missing", { method: "HEAD" })).status, (await ask("/missing", { method: "HEAD" })).body.length],
      [404, 0],
    );
  });

  it("T-D08: ranges, and none of another version", async () => {
    const whole = await ask("/image.aci");
    const part = await ask("/image.aci", { headers: { Range: "bytes=5-12", "If-Range": whole.headers.etag ?? "" } });
    assert.deepEqual(
      [part.status, part.headers["content-range"], String(part.body)],
      [206, "bytes 5-12/700000", "56789012"],
    );
    const rest = await ask("/image.aci", { headers: { Range: "bytes=699990-" } });
    assert.deepEqual([rest.status, rest.headers["content-length"], String(rest.body)], [206, "10", "0123456789"]);
    const beyond = await ask("/image.aci", { headers: { Range: "bytes=700000-" } });
    assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, "bytes */700000"]);
    assert.equal((await ask("/image.aci", { headers: { Range: "bytes=0-1", "If-Range": '"other"' } })).status, 200);
    const head = await ask("/image.aci", { method: "HEAD", headers: { Range: "bytes=0-9" } });
    assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "700000", 0]);
    const several = await ask("/image.aci", { headers: { Range: "bytes=0-1,5-6" } });
    assert.deepEqual([several.status, several.body.length], [200, 700_000]);
  });

  it("what the client has is not sent again", async () => {
    const { headers } = await ask("/page/");
    const byTag = await ask("/page/", { headers: { "If-None-Match": headers.etag ?? "" } });
    assert.deepEqual([byTag.status, byTag.body.length, byTag.headers.etag], [304, 0, headers.etag]);
    assert.equal(
      (await ask("/page/", { headers: { "If-Modified-Since": headers["last-modified"] ?? "" } })).status,
      304,
    );
    assert.equal((await ask("/page/", { headers: { "If-None-Match": '"other"' } })).status, 200);
  });

  it("412 when the client means another version", async () => {
    const { headers } = await ask("/page/");
    assert.equal((await ask("/page/", { headers: { "If-Match": headers.etag ?? "" } })).status, 200);
    const failed = await ask("/page/", { headers: { "If-Match": '"other"' } });
    assert.deepEqual([failed.status, failed.headers.etag], [412, headers.etag]);
    const old = { "If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT" };
    assert.equal((await ask("/page/", { headers: old })).status, 412);
  });

  it("only GET and HEAD", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]) {
      const { status, headers } = await ask("/image.aci", { method });
      assert.deepEqual([status, headers.allow], [405, "GET, HEAD"], method);
    }
  });

  it("no way out of the directory", async () => {
    for (const path of [
      "/../secret",
      "/%2e%2e/secret",
      "/page/../../secret",
      "/..%2fsecret",
      "/page/%2e%2e%2f%2e%2e/secret",
      "//secret",
      "/.",
      "/page/..",
      "/%00",
    ]) {
      const { status, body } = await ask(path);
      assert.deepEqual([status, String(body)], [404, "not found\n"], path);
    }
  });

  it("the places of a path are tried in turn", async () => {
    assert.equal((await ask("/page/", { headers: { Host: "twice" } })).status, 200);
  });

  it("a client that leaves in the middle harms nobody", async () => {
    const before = statuses.length;
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write("GET /image.aci HTTP/1.1\r\nHost: x\r\n\r\n"));
      socket.once("data", () => socket.destroy()).once("close", () => resolve());
    });
    assert.equal((await ask("/page/")).status, 200);
    assert.ok(statuses.length > before);
  });
});
