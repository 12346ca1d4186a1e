import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { before, describe, it } from "node:test";
import { parseListen, type ServedSite, serve } from "../../src/api/serve.ts";
import { failure, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
before(() => mkdirSync(path("site")));

describe("parseListen", () => {
  for (const [text, address, port] of [
    ["127.0.0.1:8443", "127.0.0.1", 8443],
    ["0.0.0.0:0", "0.0.0.0", 0],
    ["[::1]:65535", "::1", 65535],
  ] as const) {
    it(text, () => assert.deepEqual(parseListen(text), { address, port }));
  }
  for (const text of [
    "",
    "8443",
    ":8443",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "::1:8443",
    "[127.0.0.1]:1",
    "example.com:1",
    "127.0.0.1:1e3",
  ]) {
    it(`refuses "${text}"`, () => assert.throws(() => parseListen(text), failure("USAGE", /ADDRESS:PORT/)));
  }
});

describe("serve", () => {
  it("answers until it is told to stop, with an authority of the user's", async () => {
    const controller = new AbortController();
    let ready: ServedSite | undefined;
    const ended = await serve(settingsIn(path()), {
      directory: path("site"),
      listen: "127.0.0.1:0",
      hosts: ["Extra.Example"],
      signal: controller.signal,
      onReady: (site) => {
        ready = site;
        controller.abort();
      },
    });
    assert.deepEqual(ended, ready);
    assert.equal(ended.url, `https://127.0.0.1:${ended.port}`);
    assert.equal(ended.caFile, path("user", "authority", "ca.pem"));
    assert.equal(statSync(path("user", "authority", "authority.pem")).mode & 0o077, 0);
    assert.deepEqual(ended.hosts, ["extra.example", "localhost", "127.0.0.1", "::1"]);
  });

  it("refuses a host that is none", async () => {
    for (const host of ["a b", "*.example.com", "", "-a", "../x"]) {
      const { signal } = new AbortController();
      await assert.rejects(
        serve(settingsIn(path()), { directory: path("site"), hosts: [host], signal }),
        failure("USAGE", /--host/),
      );
    }
  });
});
