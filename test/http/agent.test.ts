import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import * as https from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type AgentOptions, createAgents, type Route } from "../../src/http/agent.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";

let authority: Authority;
let server: ScriptedServer;
before(async () => {
  authority = createAuthority();
  server = await startServer(authority.issue(["example.com"]));
});
after(async () => {
  await server.close();
  authority.remove();
});

function agents(changes: Partial<AgentOptions> = {}) {
  const route = (host: string): Route | undefined =>
    host === "example.com" ? { address: "127.0.0.1", port: server.port } : undefined;
  const authorities = [readFileSync(authority.caFile, "utf8")];
  return createAgents({ route, authorities, insecureTls: false, connectMs: 10_000, ...changes });
}

/** The status of a request, or the code of its error. */
async function ask(url: string, agent: https.Agent): Promise<number | string | undefined> {
  const request = https.get(url, { agent });
  try {
    const [response] = await once(request, "response");
    response.resume();
    return response.statusCode;
  } catch (error) {
    return String(Reflect.get(Object(error), "code"));
  } finally {
    agent.destroy();
  }
}

describe("createAgents", () => {
  it("--connect-to: goes where the route says, under the host's own name", async () => {
    assert.equal(await ask("https://example.com/", agents().https), 404);
    assert.equal(server.requests.at(-1)?.host, "example.com");
  });

  it("--connect-to: the certificate must be the host's, not that of the place connected to", async () => {
    const route = () => ({ address: "127.0.0.1", port: server.port });
    assert.equal(await ask("https://example.org/", agents({ route }).https), "ERR_TLS_CERT_ALTNAME_INVALID");
    assert.equal(await ask("https://192.0.2.1/", agents({ route }).https), "ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("without a route goes to the host itself", async () => {
    assert.equal(await ask(`https://127.0.0.1:${server.port}/`, agents().https), "ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("--ca-file: the authorities given are trusted, others are not", async () => {
    assert.match(String(await ask("https://example.com/", agents({ authorities: [] }).https)), /UNABLE|SELF_SIGNED/);
    assert.equal(await ask("https://example.com/", agents({ authorities: [], insecureTls: true }).https), 404);
  });

  it("--ca-file: the authorities are trusted in addition to the built-in ones", () => {
    // Node takes its built-in ones from a file here, so that a certificate of theirs can be had.
    const builtIn = createAuthority();
    const other = createAuthority();
    const code = `
      const { readFileSync } = require("node:fs");
      const { once } = require("node:events");
      const https = require("node:https");
            const authorities = [readFileSync(process.argv[2], "utf8")];
      const ask = async (key, cert) => {
        const server = https.createServer({ key, cert }, (_, response) => response.end()).listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port } = server.address();
        const route = () => ({ address: "127.0.0.1", port });
        const agent = createAgents({ route, authorities, insecureTls: false, connectMs: 10_000 }).https;
        const request = https.get("https://example.com/", { agent });
        const status = await once(request, "response").then(([response]) => response.resume().statusCode, (error) => error.code);
        agent.destroy();
        server.close();
        return status;
      };
      let createAgents;
      (async () => {
        ({ createAgents } = await import(process.argv[1]));
        const given = JSON.parse(readFileSync(0, "utf8"));
        const answers = [];
        for (const { key, cert } of given) answers.push(await ask(key, cert));
        console.log(JSON.stringify(answers));
      })();`;
    try {
      const issued = [builtIn, authority, other].map((one) => {
        const { key, cert } = one.issue(["example.com"]);
        return { key: String(key), cert: String(cert) };
      });
      const words = ["--use-openssl-ca", "-e", code, join(process.cwd(), "build/src/http/agent.js")];
      const { stdout, stderr } = spawnSync(process.execPath, [...words, authority.caFile], {
        encoding: "utf8",
        input: JSON.stringify(issued),
        env: { SSL_CERT_FILE: builtIn.caFile, SSL_CERT_DIR: builtIn.directory },
      });
      assert.deepEqual(JSON.parse(stdout || "[]").slice(0, 2), [200, 200], stderr);
      assert.match(JSON.parse(stdout)[2], /UNABLE|SELF_SIGNED/);
    } finally {
      builtIn.remove();
      other.remove();
    }
  });

  it("gives up on a connection that is not made in time", async () => {
    const deaf = createServer().listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const address = deaf.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      const route = () => ({ address: "127.0.0.1", port });
      assert.equal(await ask("https://example.com/", agents({ route, connectMs: 50 }).https), "ETIMEDOUT");
    } finally {
      deaf.close();
    }
  });
});
