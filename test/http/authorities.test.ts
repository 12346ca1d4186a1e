import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as tls from "node:tls";
import { silentLog } from "../../src/base/log.ts";
import type { HttpOptions } from "../../src/http/client.ts";
import { fails } from "../helpers/failures.ts";
import { host, openHttpScene, withServer } from "../helpers/http-scene.ts";
import type { startServer } from "../helpers/https-server.ts";

const { authority, server, client } = await openHttpScene();
server.on("/hello", { body: "hello" });

describe("createHttpClient: certificates (T-D09)", () => {
  const refused = async (
    tls: Parameters<typeof startServer>[0],
    words: RegExp,
    options: Partial<HttpOptions> = {},
    hint = /./,
  ) =>
    withServer(tls, async (port) => {
      await assert.rejects(
        client({ port, ...options }).get("https://example.com/"),
        fails("TLS_FAILED", words, { hint }),
      );
    });

  it("refuses an authority nobody named, and says which flag names one", async () => {
    await refused(authority.issue([host]), /unknown authority/, { caFiles: [] }, /--ca-file/);
  });
  it("refuses a self-signed certificate", async () => {
    await refused(authority.issue([host], { selfSigned: true }), /nobody but itself/);
  });
  it("refuses an expired certificate", async () => {
    await refused(authority.issue([host], { notAfter: "20210101000000Z" }), /expired/);
  });
  it("refuses a certificate of the future", async () => {
    await refused(authority.issue([host], { notBefore: "20400101000000Z" }), /not valid yet/);
  });
  it("refuses a certificate for another name", async () => {
    await refused(authority.issue(["example.org"]), /another name/);
  });
  it("refuses a certificate for the address connected to instead of the name", async () => {
    await refused(authority.issue(["127.0.0.1"]), /another name/);
  });
  it("refuses a certificate for clients", async () => {
    await refused(authority.issue([host], { usage: "clientAuth" }), /not one for servers|not accepted/);
  });
  it("refuses TLS 1.1", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await refused({ ...authority.issue([host]), ...old }, /TLS/);
  });
  it("refuses a certificate that was signed over SHA-1", async () => {
    // The server, too, would not offer one of its own accord.
    const weak = { ...authority.issue([host], { digest: "sha1" }), ciphers: "DEFAULT:@SECLEVEL=0" };
    const why = fails("TLS_FAILED", /not accepted/, { cause: /digest algorithm too weak/ });
    await withServer(weak, async (port) => {
      await assert.rejects(client({ port }).get("https://example.com/"), why);
    });
  });
  it("refuses a server that only speaks without encryption", async () => {
    const ciphers = "eNULL:@SECLEVEL=0";
    const open = { ...authority.issue([host]), ciphers, maxVersion: "TLSv1.2" } as const;
    await refused(open, /TLS/);
    await withServer(open, async (port) => {
      const socket = tls.connect({
        port,
        host: "127.0.0.1",
        servername: host,
        ca: readFileSync(authority.caFile),
        ciphers,
      });
      await once(socket, "secureConnect");
      assert.match(socket.getCipher().name, /NULL/, "whoever takes it, gets it");
      socket.destroy();
    });
  });
  it("refuses a server that speaks plain HTTP", async () => {
    await withServer(undefined, async (port) => {
      await assert.rejects(client({ port }).get("https://example.com/"), fails("HTTP_FAILED", /broke off/));
    });
  });

  it("ignores NODE_TLS_REJECT_UNAUTHORIZED=0", async () => {
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await refused(authority.issue([host]), /unknown authority/, { caFiles: [] }, /--ca-file/);
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
  });

  it("accepts a host that is an IP address, by its own name in the certificate", async () => {
    const response = await client().get(`https://127.0.0.1:${server.port}/hello`);
    assert.equal(response.status, 200);
    response.discard();
    await withServer(authority.issue(["127.0.0.1"]), async (port) => {
      const connectTo = [{ host: "192.0.2.1", address: "127.0.0.1", port }];
      await assert.rejects(client({ connectTo }).get("https://192.0.2.1/"), fails("TLS_FAILED", /another name/));
    });
  });

  it("accepts anything with --insecure-options=tls", async () => {
    await withServer(authority.issue(["example.org"], { selfSigned: true }), async (port) => {
      const response = await client({ port, caFiles: [], insecureTls: true }).get("https://example.com/");
      assert.equal(response.status, 404);
    });
  });

  it("takes further authorities from extraCaFiles, and only warns when one cannot be read", async () => {
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (message: string) => warnings.push(message) };
    const extraCaFiles = [join(authority.directory, "missing.pem"), authority.caFile];
    const response = await client({ caFiles: [], extraCaFiles, log }).get("https://example.com/hello");
    assert.equal(response.status, 200);
    assert.match(warnings.join(), /missing\.pem/);
  });

  it("refuses a --ca-file that is missing or holds no certificate", async () => {
    const missing = join(authority.directory, "missing.pem");
    await assert.rejects(client({ caFiles: [missing] }).get("https://example.com/"), fails("NOT_FOUND", /missing/));
    const empty = join(authority.directory, "empty.pem");
    writeFileSync(empty, "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n");
    await assert.rejects(client({ caFiles: [empty] }).get("https://example.com/"), fails("CONFIG_INVALID"));
  });
});
