/** What is known of registries before one is asked: who we are to them, and where else their images are. From files; asked for only when needed. */
import type { Log } from "../base/log.ts";
import { askHelper } from "./credential-helper.ts";
import { findCredentials, type RegistryCredentials } from "./credentials.ts";
import { defaultHost } from "./reference.ts";

/** A place that answers for a registry: `HOST[:PORT]`, and a path before the names of its repositories. */
export interface Endpoint {
  readonly host: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

export interface RegistrySettings {
  /** Of docker and podman (OCI-63). */
  readonly credentialFiles: readonly string[];
  /** Of configuration files of kinds `auth` and `dockerAuth`, by host. @throws Failure CONFIG_INVALID */
  readonly passwords: () => Promise<ReadonlyMap<string, RegistryCredentials>>;
  /** Of configuration files of kind `registries`, by host, in the order in which they are asked. @throws Failure CONFIG_INVALID */
  readonly mirrors: () => Promise<ReadonlyMap<string, readonly Endpoint[]>>;
  /** For credential helpers. */
  readonly environment: ReadonlyMap<string, string>;
}

/** For images that are no registry's. */
export const noRegistries: RegistrySettings = {
  credentialFiles: [],
  passwords: async () => new Map(),
  mirrors: async () => new Map(),
  environment: new Map(),
};

/** @throws Failure as findCredentials */
export async function credentialsFor(
  host: string,
  repository: string,
  settings: RegistrySettings,
  { log, signal }: { readonly log: Log; readonly signal?: AbortSignal | undefined },
): Promise<RegistryCredentials | undefined> {
  const { credentialFiles, passwords, environment } = settings;
  const ask = (helper: string, server: string) => askHelper(helper, server, { environment, signal });
  return await findCredentials({ files: credentialFiles, known: await passwords(), ask, log }, host, repository);
}

/** `HOST[:PORT][/PATH]`, the host as references have it (OCI-1); undefined for what is none. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, named, path = ""] =
    /^([A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?)((?:\/[a-z0-9._-]+)*)\/?$/.exec(text) ?? [];
  if (named === undefined || !URL.canParse(`https://${named}/`) || path.split("/").includes("..")) return undefined;
  const lower = named.toLowerCase();
  const host = lower === `index.${defaultHost}` ? defaultHost : lower;
  return { host, prefix: path === "" ? "" : `${path.slice(1)}/` };
}

export function showEndpoint({ host, prefix }: Endpoint): string {
  return prefix === "" ? host : `${host}/${prefix.slice(0, -1)}`;
}
