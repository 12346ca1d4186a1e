/** config: what the configuration files say together, with what is secret left out, and which file says it. */
import { realpathSync } from "node:fs";
import type { Log } from "../base/log.ts";
import type { Credentials } from "../http/authorisation.ts";
import { authKind, dockerAuthKind } from "./auth-files.ts";
import { collectItems, httpKind, limitsKind, pathsKind } from "./config-files.ts";
import type { Settings } from "./settings.ts";

export interface ConfigValue {
  readonly kind: "paths" | "http" | "limits" | "auth" | "dockerAuth" | "registries";
  /** The item: a field, for `auth` the host. */
  readonly item: string;
  readonly value: string | number;
  /** The file that sets it; null: the default. */
  readonly file: string | null;
  /** Files that set it too and do not count, the next to count first. */
  readonly overrides: readonly string[];
}

export interface Config {
  readonly directories: Settings["directories"];
  /** What the data directory is by: a file of kind paths, or the command line or the default. */
  readonly dataFrom: string;
  readonly values: readonly ConfigValue[];
}

/** @throws Failure CONFIG_INVALID, JSON_INVALID naming file and place */
export async function showConfig(settings: Settings): Promise<Config> {
  const { directories, log } = settings;
  const { systemConfig, localConfig, userConfig } = directories;
  const lowestFirst = [systemConfig, localConfig, userConfig];
  // Without a log: settings told already of what these hold that nobody knows.
  const paths = await collectItems(lowestFirst, pathsKind());
  const http = await collectItems(lowestFirst, httpKind(log));
  const limits = await collectItems(lowestFirst, await limitsKind(log));
  const auth = await collectItems(lowestFirst, authKind(log));
  const registries = await registryValues(lowestFirst, log);
  const { defaultImageLimits } = await import("../image/limits.ts");
  const data = paths.get("data");
  const values: ConfigValue[] = [
    ...[...paths].map(([item, rest]) => ({ kind: "paths" as const, item, ...rest })),
    ...[...http.values()].map(({ value, ...rest }) => ({
      ...{ kind: "http" as const, item: value.field, value: value.text, ...rest },
    })),
    ...Object.entries(defaultImageLimits).map(([item, value]) => ({
      ...{ kind: "limits" as const, item, value, file: null, overrides: [] },
      ...limits.get(item),
    })),
    ...[...auth].map(([item, { value, ...rest }]) => ({
      kind: "auth" as const,
      item,
      value: withoutSecrets(value),
      ...rest,
    })),
    ...registries,
  ];
  const isData = data !== undefined && resolved(data.value) === directories.data;
  return { directories, dataFrom: isData ? data.file : "the command line or the default", values };
}

async function registryValues(lowestFirst: readonly string[], log: Log): Promise<readonly ConfigValue[]> {
  const [{ registriesKind }, { showEndpoint }] = await Promise.all([
    import("./registry-files.ts"),
    import("../oci/registries.ts"),
  ]);
  const passwords = await collectItems(lowestFirst, dockerAuthKind(log));
  const mirrors = await collectItems(lowestFirst, registriesKind(log));
  return [
    ...[...passwords].map(([item, { value, ...rest }]) => ({
      ...{ kind: "dockerAuth" as const, item, value: withoutSecrets({ kind: "basic", ...value }), ...rest },
    })),
    ...[...mirrors].map(([item, { value, ...rest }]) => ({
      ...{ kind: "registries" as const, item, value: value.map(showEndpoint).join(" "), ...rest },
    })),
  ];
}

/** What a person needs to see that it is the right one, and nothing that lets anybody in. */
function withoutSecrets(credentials: Credentials): string {
  if (credentials.kind === "basic") return `basic, user ${credentials.user}, password hidden`;
  if (credentials.kind === "bearer") return "oauth, token hidden";
  const region = credentials.region === undefined ? "" : `, region ${credentials.region}`;
  return `aws, access key hidden, secret hidden${region}`;
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
