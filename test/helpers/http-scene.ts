/** A server over TLS, and clients that are led to it under two names. */
import { after } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { createHttpClient, type HttpClient, type HttpOptions } from "../../src/http/client.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "./https-server.ts";

export const host = "example.com";
/** Milliseconds: long enough for a busy machine. */
export const patient = { connect: 5000, idle: 5000, document: 5000 };

type Certificate = Parameters<typeof startServer>[0];

export interface HttpScene {
  readonly authority: Authority;
  readonly server: ScriptedServer;
  /** `port`: of another server than the scene's. */
  client(options?: Partial<HttpOptions> & { readonly port?: number }): HttpClient;
}

/** Closed after the tests of the file. */
export async function openHttpScene(): Promise<HttpScene> {
  const authority = createAuthority();
  const server = await startServer(authority.issue([host, "cdn.example.net", "127.0.0.1"]));
  after(async () => {
    await server.close();
    authority.remove();
  });
  return {
    authority,
    server,
    client({ port = server.port, ...rest } = {}) {
      const connectTo = [host, "cdn.example.net"].map((name) => ({ host: name, address: "127.0.0.1", port }));
      const fallback = { caFiles: [authority.caFile], connectTo, insecureTls: false, insecureHttp: false };
      return createHttpClient({ ...fallback, deadlines: patient, log: silentLog, ...rest });
    },
  };
}

export async function withServer(tls: Certificate, use: (port: number) => Promise<void>): Promise<void> {
  const other = await startServer(tls);
  try {
    await use(other.port);
  } finally {
    await other.close();
  }
}
