/** Serves a site's directory over HTTPS until it is told to stop. */
import { isIP } from "node:net";
import { join } from "node:path";
import { excerpt, Failure } from "../base/failure.ts";
import { type RunningSite, serveSite } from "../site/serve.ts";
import type { Settings } from "./settings.ts";

export interface ServeOptions {
  readonly directory: string;
  /** `ADDRESS:PORT`, IPv6 in brackets; port 0 is any that is free. */
  readonly listen?: string | undefined;
  /** Further names for the certificate. */
  readonly hosts?: readonly string[] | undefined;
  /** Called once it answers. */
  readonly onReady?: ((site: ServedSite) => void) | undefined;
  readonly signal: AbortSignal;
}

export type ServedSite = Omit<RunningSite, "close">;

/**
 * Resolves when `signal` said to stop and everybody who was being answered has been.
 * @throws Failure USAGE, NOT_FOUND, CONFIG_INVALID, IO_FAILED
 */
export async function serve(settings: Settings, options: ServeOptions): Promise<ServedSite> {
  const { directory, listen = "127.0.0.1:8443", hosts = [], signal } = options;
  const { close, ...site } = await serveSite({
    ...parseListen(listen),
    directory,
    hosts: hosts.map(checkHost),
    authorityDirectory: join(settings.directories.userConfig, "authority"),
    log: settings.log,
  });
  try {
    options.onReady?.(site);
    await aborted(signal);
  } finally {
    await close();
  }
  return site;
}

/** @throws Failure USAGE */
export function parseListen(text: string): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (isIP(address) !== (match?.[1] === undefined ? 4 : 6) || !(port <= 65_535)) {
    throw new Failure("USAGE", `--listen ${excerpt(text)}: this is not ADDRESS:PORT`, {
      subject: text,
      hint: "--listen 127.0.0.1:8443, --listen [::1]:8443, or port 0 for any that is free",
    });
  }
  return { address, port };
}

function checkHost(text: string): string {
  const host = text.toLowerCase();
  if (
    isIP(host) !== 0 ||
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(host)
  )
    return host;
  throw new Failure("USAGE", `--host ${excerpt(text)}: this is no host name`, {
    subject: text,
    hint: "--host example.com",
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
