/**
 * The configuration kinds `auth` and `dockerAuth` (auth.d): who we are to which server, as rkt's files say it (spec/cli.md). What is secret in them
 * appears in no message. Knows no request.
 */
import { statSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { type Credentials, type CredentialsByHost, hostOfDomain } from "../http/authorisation.ts";
import { type ConfigFile, type ConfigKind, collect, invalid, strings } from "./config-files.ts";

/** Of all `directories`, lowest precedence first: a host of a later one replaces that of an earlier. @throws Failure CONFIG_INVALID */
export async function credentialsOf(directories: readonly string[], log: Log): Promise<CredentialsByHost> {
  return await collect(directories, authKind(log));
}

/** Items by host. What they hold is secret. */
export function authKind(log: Log): ConfigKind<Credentials> {
  const itemsOf = (file: ConfigFile) => {
    warnIfReadable(file.path, log);
    const credentials = credentialsIn(file);
    const domains = strings(file.path, file.fields, "domains");
    if (domains.length === 0) throw invalid(file.path, "domains names no host");
    return domains.map((domain) => {
      const host = hostOfDomain(domain);
      if (host === undefined) throw invalid(file.path, `domains: ${JSON.stringify(domain)} is not HOST or HOST:PORT`);
      return [host, credentials] as const;
    });
  };
  return { kind: "auth", itemsOf, log };
}

/** rkt's words for user and password of registries of Docker images; items by host. What they hold is secret. */
export function dockerAuthKind(log: Log): ConfigKind<{ readonly user: string; readonly password: string }> {
  const itemsOf = (file: ConfigFile) => {
    warnIfReadable(file.path, log);
    const credentials = { user: secret(file, "user", /:/), password: secret(file, "password") };
    const registries = strings(file.path, file.fields, "registries");
    if (registries.length === 0) throw invalid(file.path, "registries names no host");
    return registries.map((registry) => {
      const host = hostOfDomain(registry);
      if (host === undefined) throw invalid(file.path, `registries: ${JSON.stringify(registry)} is no host`);
      return [host, credentials] as const;
    });
  };
  return { kind: "dockerAuth", itemsOf, log };
}

function credentialsIn(file: ConfigFile): Credentials {
  const type = file.fields["type"];
  if (type === "basic") return { kind: "basic", user: secret(file, "user", /:/), password: secret(file, "password") };
  if (type === "oauth") return { kind: "bearer", token: secret(file, "token", /\s/) };
  if (type !== "aws") throw invalid(file.path, "type is not basic, oauth or aws");
  const { awsRegion: region } = credentialFields(file);
  if (region !== undefined && (typeof region !== "string" || !/^[a-z0-9-]*$/.test(region))) {
    throw invalid(file.path, "credentials.awsRegion is not the name of a region");
  }
  return {
    kind: "aws",
    accessKeyId: secret(file, "accessKeyID", /[\s/,]/),
    secretAccessKey: secret(file, "secretAccessKey"),
    region: region === "" ? undefined : region,
  };
}

function credentialFields({ path, fields }: ConfigFile): Readonly<Record<string, unknown>> {
  const credentials = fields["credentials"];
  if (typeof credentials === "object" && credentials !== null && !Array.isArray(credentials)) return { ...credentials };
  throw invalid(path, "credentials is not an object");
}

/** Becomes part of a header line, so it must not end it. */
function secret(file: ConfigFile, name: string, forbidden?: RegExp): string {
  const value = credentialFields(file)[name];
  const isUsable = typeof value === "string" && value !== "" && !/[\u0000-\u001f\u007f]/.test(value);
  if (isUsable && forbidden?.test(value) !== true) return value;
  throw invalid(file.path, `credentials.${name} is missing, or holds characters it must not`);
}

function warnIfReadable(path: string, log: Log): void {
  let mode: number;
  try {
    mode = statSync(path).mode;
  } catch (error) {
    throw new Failure("CONFIG_INVALID", `the configuration file ${path} cannot be looked at`, { cause: error });
  }
  if ((mode & 0o007) !== 0)
    log.warn(`${path} holds secrets and can be read by everybody; chmod 600 ${path} mends that`);
}
