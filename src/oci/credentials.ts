/** Who we are to a registry, from the files of Docker and of podman (OCI-63). What they hold is secret, and is in no message. */

import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { isObject } from "../base/objects.ts";
import { defaultJsonLimits, parseStrictJson } from "../schema/strict-json.ts";
import { text } from "./documents.ts";

export interface RegistryCredentials {
  readonly user: string;
  readonly password: string;
}

/** Under which names Docker keeps what is for its own registry. */
const hubNames = ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];

/** Where the files are, the first that knows the registry counting: podman's, then Docker's. */
export function credentialFiles(environment: ReadonlyMap<string, string>): readonly string[] {
  const home = environment.get("HOME") ?? "/root";
  const runtime = environment.get("XDG_RUNTIME_DIR");
  const named = environment.get("REGISTRY_AUTH_FILE");
  return [
    ...(named === undefined ? [] : [named]),
    ...(runtime === undefined ? [] : [`${runtime}/containers/auth.json`]),
    `${environment.get("XDG_CONFIG_HOME") ?? `${home}/.config`}/containers/auth.json`,
    `${environment.get("DOCKER_CONFIG") ?? `${home}/.docker`}/config.json`,
  ];
}

/** An entry for HOST/NAME counts before one for the whole host. @throws Failure CONFIG_INVALID */
export async function findCredentials(
  files: readonly string[],
  host: string,
  repository: string,
): Promise<RegistryCredentials | undefined> {
  const parts = repository.split("/");
  const paths = parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join("/"));
  const names = [...paths, host, `https://${host}`, `https://${host}/v1/`, ...(host === "docker.io" ? hubNames : [])];
  for (const path of files) {
    const bytes = await readIfExists(path);
    if (bytes === undefined) continue;
    const auths = authsIn(bytes, path);
    for (const name of names) {
      const found = credentialsIn(auths[name], path);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function authsIn(bytes: Buffer, path: string): Readonly<Record<string, unknown>> {
  const document = parseStrictJson(bytes, printable(path), defaultJsonLimits);
  const auths = isObject(document) ? document["auths"] : undefined;
  return isObject(auths) ? auths : {};
}

function credentialsIn(entry: unknown, path: string): RegistryCredentials | undefined {
  const auth = isObject(entry) ? text(entry["auth"]) : undefined;
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
