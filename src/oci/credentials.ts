/** Who we are to a registry, from the files of Docker and of podman (OCI-63). What they hold is secret, and is in no message. */

import { existsSync, statSync } from "node:fs";
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { defaultJsonLimits, parseStrictJson } from "../schema/strict-json.ts";
import { identityToken } from "./credential-helper.ts";
import { text } from "./documents.ts";

export interface RegistryCredentials {
  readonly user: string;
  readonly password: string;
}

/** Under which names Docker keeps what is for its own registry. */
const hubNames = ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];

/** Where the files are, the first that knows the registry counting: podman's, then Docker's. */
export function credentialFiles(
  environment: ReadonlyMap<string, string>,
  sessionless = `/run/containers/${process.getuid?.() ?? 0}`,
): readonly string[] {
  const home = environment.get("HOME") ?? "/root";
  const runtime = environment.get("XDG_RUNTIME_DIR");
  // Where podman login writes without a session. What is there for others only is none of ours.
  const run = runtime === undefined ? sessionless : `${runtime}/containers`;
  const hasRun = runtime !== undefined || existsSync(`${run}/auth.json`);
  const named = environment.get("REGISTRY_AUTH_FILE");
  return [
    ...(named === undefined ? [] : [named]),
    ...(hasRun ? [`${run}/auth.json`] : []),
    `${environment.get("XDG_CONFIG_HOME") ?? `${home}/.config`}/containers/auth.json`,
    `${environment.get("DOCKER_CONFIG") ?? `${home}/.docker`}/config.json`,
  ];
}

export interface CredentialSources {
  readonly files: readonly string[];
  /** Of files of kind `auth`, rkt's `dockerAuth`: by the host of the registry. */
  readonly known?: ReadonlyMap<string, RegistryCredentials> | undefined;
  /** Runs a credential helper. */
  readonly ask: (helper: string, server: string) => Promise<RegistryCredentials | undefined>;
  readonly log: Log;
}

/** An entry for HOST/NAME counts before one for the whole host, a helper for the registry before an entry, and one for all of them last. @throws Failure CONFIG_INVALID, as askHelper */
export async function findCredentials(
  sources: CredentialSources,
  host: string,
  repository: string,
): Promise<RegistryCredentials | undefined> {
  const parts = repository.split("/");
  const paths = parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join("/"));
  const hosts = [host, ...(host === "docker.io" ? hubNames : [])];
  const names = [...paths, ...hosts, `https://${host}`, `https://${host}/v1/`];
  for (const path of sources.files) {
    const bytes = await readIfExists(path);
    if (bytes === undefined) continue;
    const found = await findInFile(parseFile(bytes, path), path, names, { ...sources, hosts });
    if (found !== undefined) return found;
  }
  return hosts.map((name) => sources.known?.get(name)).find((found) => found !== undefined);
}

async function findInFile(
  { auths, helpers, store }: CredentialFile,
  path: string,
  names: readonly string[],
  { hosts, ask, log }: CredentialSources & { readonly hosts: readonly string[] },
): Promise<RegistryCredentials | undefined> {
  const named = hosts.filter((name) => Object.hasOwn(helpers, name));
  const mayRun = (named.length > 0 || store !== undefined) && isOwn(path, log);
  const found =
    (await firstOf(mayRun ? named : [], (server) => ask(text(helpers[server]) ?? "", server))) ??
    (await firstOf(names, async (name) => (Object.hasOwn(auths, name) ? credentialsIn(auths[name], path) : undefined)));
  if (found !== undefined || !mayRun || store === undefined || named.length > 0) return found;
  // Docker keeps its own registry under the oldest of its names.
  return await firstOf(hosts[0] === "docker.io" ? hubNames.slice(0, 1) : hosts, (server) => ask(store, server));
}

async function firstOf<T>(names: readonly string[], find: (name: string) => Promise<T | undefined>) {
  for (const name of names) {
    const found = await find(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface CredentialFile {
  readonly auths: Readonly<Record<string, unknown>>;
  /** Names of helpers, by registry. */
  readonly helpers: Readonly<Record<string, unknown>>;
  /** The helper for all others. */
  readonly store: string | undefined;
}

function parseFile(bytes: Buffer, path: string): CredentialFile {
  const document = parseStrictJson(bytes, printable(path), defaultJsonLimits);
  const fields = isObject(document) ? document : {};
  const mapOf = (value: unknown) => (isObject(value) ? value : {});
  return { auths: mapOf(fields["auths"]), helpers: mapOf(fields["credHelpers"]), store: text(fields["credsStore"]) };
}

/** It says which programs are run: nobody else may have written it. */
function isOwn(path: string, log: Log): boolean {
  const { uid, mode } = statSync(path);
  const isMine = (uid === (process.geteuid?.() ?? 0) || uid === 0) && (mode & 0o002) === 0;
  if (!isMine)
    log.warn(`the credential helpers that ${printable(path)} names are not run: the file is not yours alone`);
  return isMine;
}

function credentialsIn(entry: unknown, path: string): RegistryCredentials | undefined {
  const fields = isObject(entry) ? entry : {};
  const auth = text(fields["auth"]);
  if (auth === undefined && text(fields["identitytoken"]) !== undefined) throw identityToken("this registry", path);
  if (auth === undefined) return undefined;
  const bytes = Buffer.from(auth, "base64");
  // Old versions of docker padded them with NULs.
  const plain = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1).toString("utf8");
  const colon = plain.indexOf(":");
  if (colon > 0 && !/[\u0000-\u001f\u007f]/.test(plain)) {
    return { user: plain.slice(0, colon), password: plain.slice(colon + 1) };
  }
  throw new Failure("CONFIG_INVALID", `${printable(path)} has an entry that is no user and password`, {
    subject: path,
  });
}
