/** Debian's docker-registry on loopback, on a port that the kernel chose; ended with its workspace. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TlsOptions } from "node:tls";
import type { Workspace } from "./program.ts";

export interface RegistryOptions {
  /** Its certificate and key; without TLS when absent. */
  readonly tls?: TlsOptions | undefined;
  /** Lines of a password file (bcrypt). */
  readonly htpasswd?: string | undefined;
}

/** `me` with the password `secret`. */
export const passwordFile = "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/** @returns HOST:PORT, once it listens there */
export async function startRegistry(work: Workspace, name: string, options: RegistryOptions = {}): Promise<string> {
  const { tls, htpasswd } = options;
  const at = (file: string) => work.path(name, file);
  mkdirSync(at("data"), { recursive: true });
  const lines = [
    "version: 0.1",
    "log:",
    "  level: info",
    "storage:",
    "  filesystem:",
    `    rootdirectory: ${at("data")}`,
  ];
  lines.push("http:", "  addr: 127.0.0.1:0");
  if (tls !== undefined) {
    writeFileSync(at("cert.pem"), String(tls.cert));
    writeFileSync(at("key.pem"), String(tls.key), { mode: 0o600 });
    lines.push("  tls:", `    certificate: ${at("cert.pem")}`, `    key: ${at("key.pem")}`);
  }
  if (htpasswd !== undefined) {
    writeFileSync(at("htpasswd"), htpasswd);
    lines.push("auth:", "  htpasswd:", "    realm: test", `    path: ${at("htpasswd")}`);
  }
  writeFileSync(at("config.yml"), `${lines.join("\n")}\n`);
  const child = work.startCommand(["docker-registry", "serve", at("config.yml")], ["ignore", "ignore", "pipe"]);
  assert.ok(child.stderr !== null);
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host === undefined) continue;
    // What it says from now on nobody reads; it must not fill the pipe.
    child.stderr.resume();
    return host;
  }
  throw new Error(`docker-registry ended: ${said.join("\n")}`);
}

/** An image of a layout goes to a registry as other tools push it. @param reference `HOST/NAME:TAG` */
export function push(work: Workspace, layout: string, reference: string, more: readonly string[] = []): void {
  const copy = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", ...more];
  const { status, stderr } = work.command([...copy, `oci:${layout}`, `docker://${reference}`]);
  assert.equal(status, 0, stderr);
}
