/**
 * Configuration of registries: their mirrors (kind `registries`, in registries.d), and who we are to them as rkt's files say it (kind `dockerAuth`,
 * in auth.d). Knows no request.
 */
import type { Log } from "../base/log.ts";
import { credentialFiles, type RegistryCredentials } from "../oci/credentials.ts";
import { type Endpoint, parseEndpoint, type RegistrySettings } from "../oci/registries.ts";
import { credentialsOf, dockerAuthKind } from "./auth-files.ts";
import { type ConfigFile, type ConfigKind, collect, invalid, strings } from "./config-files.ts";
import type { Settings } from "./settings.ts";

/** Nothing is read before it is asked for. */
export function registriesOf({ directories, environment, log }: Settings): RegistrySettings {
  const { systemConfig, localConfig, userConfig } = directories;
  const lowestFirst = [systemConfig, localConfig, userConfig];
  return {
    credentialFiles: credentialFiles(environment),
    passwords: async () => {
      const own = await credentialsOf(lowestFirst, log);
      const basic = [...own].flatMap(([host, known]): [string, RegistryCredentials][] =>
        known.kind === "basic" ? [[host, { user: known.user, password: known.password }]] : [],
      );
      return new Map([...(await collect(lowestFirst, dockerAuthKind(log))), ...basic]);
    },
    mirrors: () => collect(lowestFirst, registriesKind(log)),
    environment,
  };
}

/** The mirrors of each registry, in order. */
export function registriesKind(log: Log): ConfigKind<readonly Endpoint[]> {
  const itemsOf = (file: ConfigFile) => {
    const { path, fields } = file;
    const { registry } = fields;
    const known = typeof registry === "string" ? parseEndpoint(registry) : undefined;
    if (known === undefined || known.prefix !== "") throw invalid(path, "registry is not HOST or HOST:PORT");
    const mirrors = strings(path, fields, "mirrors").map((text) => {
      const mirror = parseEndpoint(text);
      if (mirror === undefined) throw invalid(path, `mirrors: ${JSON.stringify(text)} is not HOST[:PORT][/PATH]`);
      return mirror;
    });
    if (mirrors.length > mostMirrors) throw invalid(path, `mirrors: more than ${mostMirrors} of them`);
    return [[known.host, mirrors] as const];
  };
  return { kind: "registries", itemsOf, log };
}

const mostMirrors = 10;
