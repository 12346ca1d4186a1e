/** Settings: directories, policy and the caller, loaded once a command. The only reader of the environment; loads nothing heavy. */
import { accessSync, constants, realpathSync } from "node:fs";
import { isAbsolute, join, normalize } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { type Log, silentLog } from "../base/log.ts";
import type { HttpClient } from "../http/client.ts";
import type { ImageLimits } from "../image/limits.ts";
import { dataDirectoryOf, httpConfigOf, imageLimitsOf } from "./config-files.ts";
import { version } from "./version.ts";

const insecureNames = [
  "image",
  "tls",
  "http",
  "pubkey",
  "ondisk",
  "capabilities",
  "paths",
  "seccomp",
  "device-nodes",
] as const;
export type InsecureOption = (typeof insecureNames)[number];

export interface GlobalOptions {
  readonly dir?: string | undefined;
  readonly systemConfig?: string | undefined;
  readonly localConfig?: string | undefined;
  readonly userConfig?: string | undefined;
  /** Comma list as typed. */
  readonly insecureOptions?: string | undefined;
  readonly trustKeysFromHttps?: boolean | undefined;
  readonly debug?: boolean | undefined;
  readonly caFile?: readonly string[] | undefined;
  readonly connectTo?: readonly string[] | undefined;
  readonly log?: Log | undefined;
}

export interface Settings {
  readonly directories: {
    readonly data: string;
    readonly systemConfig: string;
    readonly localConfig: string;
    readonly userConfig: string;
  };
  /** The data directory as --dir named it, for hints that repeat the line; absent when it did not. */
  readonly dir?: string | undefined;
  readonly insecure: ReadonlySet<InsecureOption>;
  readonly trustKeysFromHttps: boolean;
  readonly debug: boolean;
  readonly caFiles: readonly string[];
  readonly connectTo: readonly string[];
  readonly caller: { readonly uid: number; readonly gid: number; readonly isRoot: boolean };
  /** From SOURCE_DATE_EPOCH. @throws at load: Failure USAGE when it is no number */
  readonly sourceDateEpoch: number | undefined;
  /** The environment for --inherit-env and passphrases; a copy. */
  readonly environment: ReadonlyMap<string, string>;
  readonly log: Log;
  /** The HTTP client of these settings, made on first use. */
  readonly http: () => Promise<HttpClient>;
  /** How large images may be, read on first use. @throws Failure CONFIG_INVALID, JSON_INVALID */
  readonly limits: () => Promise<ImageLimits>;
}

/** Of what makes a pod. @throws Failure KERNEL_LACKS where ordinary users can have none */
export async function requirePods({ caller }: Pick<Settings, "caller">): Promise<void> {
  if (caller.isRoot) return;
  const { requireUserNamespaces } = await import("../pod/unprivileged.ts");
  requireUserNamespaces();
}

/** Of what only root can do with pods, as `perigee VERB`. @throws Failure NOT_ROOT */
export function requireRoot({ caller }: Pick<Settings, "caller">, verb: string): void {
  if (!caller.isRoot) throw new Failure("NOT_ROOT", "pods need root", { hint: `sudo perigee ${verb} …` });
}

/** The launcher moves this variable out of Node's sight, which would parse all of its certificates at every start. */
const extraAuthorities = { own: "PERIGEE_EXTRA_CA_CERTS", node: "NODE_EXTRA_CA_CERTS" } as const;

/** A copy of the environment as the caller set it. */
export function readEnvironment(): ReadonlyMap<string, string> {
  const environment = new Map<string, string>();
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment.set(name, value);
  const moved = environment.get(extraAuthorities.own);
  if (moved !== undefined) {
    environment.delete(extraAuthorities.own);
    environment.set(extraAuthorities.node, moved);
  }
  return environment;
}

/**
 * Flags first, then configuration files, then defaults.
 * @throws Failure USAGE: a relative directory, an unknown or repeated insecure option, SOURCE_DATE_EPOCH; CONFIG_INVALID
 */
export async function loadSettings(options: GlobalOptions = {}): Promise<Settings> {
  const environment = readEnvironment();
  const caller = callerOf(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  const log = options.log ?? silentLog;
  const configDirectories = {
    systemConfig: absolute(options.systemConfig, "--system-config") ?? "/usr/lib/perigee",
    localConfig: absolute(options.localConfig, "--local-config") ?? "/etc/perigee",
    userConfig:
      absolute(options.userConfig, "--user-config") ?? userDirectory(environment, "XDG_CONFIG_HOME", ".config"),
  };
  const lowestFirst = Object.values(configDirectories);
  const data =
    absolute(options.dir, "--dir") ??
    (await dataDirectoryOf(lowestFirst, log)) ??
    defaultData(caller.isRoot, environment);
  const insecure = parseInsecureOptions(options.insecureOptions ?? "none");
  const caFiles = options.caFile ?? [];
  const connectTo = options.connectTo ?? [];
  let client: Promise<HttpClient> | undefined;
  const http = (): Promise<HttpClient> => {
    client ??= makeClient({ caFiles, connectTo, insecure, log, environment, configDirectories: lowestFirst });
    return client;
  };
  return {
    directories: { data: await resolveLinks(data), ...configDirectories },
    dir: options.dir,
    insecure,
    trustKeysFromHttps: options.trustKeysFromHttps === true,
    debug: options.debug === true,
    caFiles,
    connectTo,
    caller,
    sourceDateEpoch: parseEpoch(environment.get("SOURCE_DATE_EPOCH")),
    environment,
    log,
    http,
    limits: () => imageLimitsOf(lowestFirst, log),
  };
}

const groups: ReadonlyMap<string, readonly InsecureOption[]> = new Map<string, readonly InsecureOption[]>([
  ["none", []],
  ["all-fetch", ["image", "tls", "http", "pubkey"]],
  ["all-run", ["capabilities", "paths", "seccomp"]],
  ["all", insecureNames],
]);

/** Case does not matter. @throws Failure USAGE for an unknown or repeated name */
export function parseInsecureOptions(text: string): ReadonlySet<InsecureOption> {
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new Failure("USAGE", `--insecure-options names ${repeated} twice`, { subject: repeated });
  }
  return new Set(
    names.flatMap((name) => {
      const known = insecureNames.find((candidate) => candidate === name);
      const options = known === undefined ? groups.get(name) : [known];
      if (options !== undefined) return options;
      throw new Failure("USAGE", `--insecure-options does not know ${JSON.stringify(name)}`, {
        subject: name,
        hint: `one or more of ${[...insecureNames, ...groups.keys()].join(", ")}`,
      });
    }),
  );
}

function callerOf(uid: number, gid: number): Settings["caller"] {
  return { uid, gid, isRoot: uid === 0 };
}

function absolute(path: string | undefined, flag: string): string | undefined {
  if (path === undefined) return undefined;
  if (isAbsolute(path)) return normalize(path);
  throw new Failure("USAGE", `${flag} takes an absolute directory, not ${JSON.stringify(path)}`, {
    subject: path,
    hint: `${flag} "$PWD/${path}"`,
  });
}

function defaultData(isRoot: boolean, environment: ReadonlyMap<string, string>): string {
  return isRoot ? "/var/lib/perigee" : userDirectory(environment, "XDG_DATA_HOME", join(".local", "share"));
}

/** `$VARIABLE/perigee`, else `HOME/fallback/perigee`. A relative value is ignored, as the XDG specification asks. */
function userDirectory(environment: ReadonlyMap<string, string>, variable: string, fallback: string): string {
  const base = environment.get(variable) ?? "";
  if (isAbsolute(base)) return join(base, "perigee");
  const home = environment.get("HOME") ?? "";
  if (isAbsolute(home)) return join(home, fallback, "perigee");
  return join(process.getBuiltinModule("node:os").userInfo().homedir, fallback, "perigee");
}

/** The data directory without symlinks, so that what pods record stays true when a link is changed; as given when it is not there yet. */
async function resolveLinks(path: string): Promise<string> {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return path;
    const { ioFailure } = await import("../base/files.ts");
    throw ioFailure(error, `cannot use the directory ${path}`, path);
  }
}

function parseEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `SOURCE_DATE_EPOCH is a number of seconds, not ${JSON.stringify(text)}`, {
    subject: text,
  });
}

interface ClientSettings extends Pick<Settings, "caFiles" | "connectTo" | "insecure" | "log" | "environment"> {
  readonly configDirectories: readonly string[];
}

async function makeClient(settings: ClientSettings): Promise<HttpClient> {
  const { createHttpClient, parseConnectTo } = await import("../http/client.ts");
  const { readProxies } = await import("../http/proxy.ts");
  const { credentialsOf } = await import("./auth-files.ts");
  const { parseAuthoritiesBeside } = await import("../shim/libc.ts");
  const configured = await httpConfigOf(settings.configDirectories, settings.log);
  const extra = readableAuthorities(settings);
  return createHttpClient({
    caFiles: [...settings.caFiles, ...configured.caFiles],
    extraCaFiles: extra,
    userAgent: `perigee/${version}`,
    connectTo: [...settings.connectTo, ...configured.connectTo].map(parseConnectTo),
    insecureTls: settings.insecure.has("tls"),
    insecureHttp: settings.insecure.has("http"),
    proxies: readProxies(settings.environment),
    credentials: await credentialsOf(settings.configDirectories, settings.log),
    prepareTls: parseAuthoritiesBeside,
    log: settings.log,
  });
}

/** As Node does, a file that cannot be read is a warning: the variable is often set once for a whole machine. */
function readableAuthorities({ environment, log }: ClientSettings): readonly string[] {
  const path = environment.get(extraAuthorities.node) ?? "";
  if (path === "") return [];
  try {
    accessSync(path, constants.R_OK);
    return [path];
  } catch {
    log.warn(`${extraAuthorities.node} names ${path}, which cannot be read`);
    return [];
  }
}
