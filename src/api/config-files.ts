/**
 * The configuration kinds that settings need: `paths` (paths.d), `http` (http.d) and `limits` (limits.d), as rkt laid out its files (spec/cli.md).
 * Later directories win, item by item; two files of one directory that define the same item are a mistake.
 * Parsers and node:fs/promises are loaded only when there is a file: every command comes through here.
 */
import { readdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { ImageLimits } from "../image/limits.ts";

export interface HttpConfig {
  readonly caFiles: readonly string[];
  /** `HOST:ADDR:PORT` */
  readonly connectTo: readonly string[];
}

export interface ConfigFile {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The data directory that a file of kind `paths` sets; `directories` lowest precedence first. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function dataDirectoryOf(directories: readonly string[], log?: Log): Promise<string | undefined> {
  return (await collect(directories, pathsKind(log))).get("data");
}

export function pathsKind(log?: Log): ConfigKind<string> {
  const itemsOf = ({ path, fields }: ConfigFile) => {
    const data = fields["data"];
    if (data === undefined) return [];
    if (typeof data !== "string" || !isAbsolute(data)) throw invalid(path, "data is not an absolute path");
    return [["data", data] as const];
  };
  return { kind: "paths", itemsOf, log };
}

/** Authorities and connections that files of kind `http` set. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function httpConfigOf(directories: readonly string[], log?: Log): Promise<HttpConfig> {
  const items = [...(await collect(directories, httpKind(log))).values()];
  const named = (field: HttpItem["field"]) => items.filter((item) => item.field === field).map(({ text }) => text);
  return { caFiles: named("caFiles"), connectTo: named("connectTo") };
}

export interface HttpItem {
  readonly field: keyof HttpConfig;
  readonly text: string;
}

export function httpKind(log?: Log): ConfigKind<HttpItem> {
  const itemsOf = ({ path, fields }: ConfigFile) => {
    const files = strings(path, fields, "caFiles").map((text) => {
      if (!isAbsolute(text)) throw invalid(path, `caFiles: ${text} is not an absolute path`);
      return [`caFiles ${text}`, { field: "caFiles", text }] as const;
    });
    const connections = strings(path, fields, "connectTo").map(
      (text) => [`connectTo ${text.split(":")[0] ?? ""}`, { field: "connectTo", text }] as const,
    );
    return [...files, ...connections];
  };
  return { kind: "http", itemsOf, log };
}

/** Limits of images that files of kind `limits` set, over the defaults. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function imageLimitsOf(directories: readonly string[], log?: Log): Promise<ImageLimits> {
  const { defaultImageLimits } = await import("../image/limits.ts");
  const items = await collect(directories, await limitsKind(log));
  return { ...defaultImageLimits, ...Object.fromEntries(items) };
}

export async function limitsKind(log?: Log): Promise<ConfigKind<number>> {
  const { defaultImageLimits, fixedLimits } = await import("../image/limits.ts");
  const names = Object.keys(defaultImageLimits) as (keyof ImageLimits)[];
  const itemsOf = ({ path, fields }: ConfigFile) =>
    names.flatMap((name) => {
      const value = fields[name];
      if (value === undefined) return [];
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
        throw invalid(path, `${name} is no positive integer`);
      }
      if (fixedLimits.includes(name) && value > defaultImageLimits[name]) {
        throw invalid(path, `${name} can be lowered only, from ${defaultImageLimits[name]}`);
      }
      return [[name as string, value] as const];
    });
  return { kind: "limits", itemsOf, log };
}

export interface ConfigItem<T> {
  readonly value: T;
  /** The file that sets it. */
  readonly file: string;
  /** Files of lower directories that set it too, the last to be overridden first. */
  readonly overrides: readonly string[];
}

export interface ConfigKind<T> {
  readonly kind: keyof typeof knownFields;
  itemsOf(file: ConfigFile): readonly (readonly [string, T])[];
  /** Told of what no version knows; silent when absent. */
  readonly log?: Log | undefined;
}

/** The items of every file of a kind, later directories over earlier ones. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function collectItems<T>(
  directories: readonly string[],
  { kind, itemsOf, log }: ConfigKind<T>,
): Promise<ReadonlyMap<string, ConfigItem<T>>> {
  const merged = new Map<string, ConfigItem<T>>();
  for (const directory of new Set(directories)) {
    const own = new Map<string, ConfigItem<T>>();
    for (const file of await readKind(join(directory, `${folders[kind] ?? kind}.d`), kind)) {
      if (log !== undefined) await warnOfUnknown(file, knownFields[kind], log);
      for (const [key, value] of itemsOf(file)) {
        if (own.has(key)) throw invalid(file.path, `${key} is set by another file of the same directory too`);
        const before = merged.get(key);
        own.set(key, { value, file: file.path, overrides: before ? [before.file, ...before.overrides] : [] });
      }
    }
    for (const [key, item] of own) merged.set(key, item);
  }
  return merged;
}

/** As collectItems, the values alone. */
export async function collect<T>(directories: readonly string[], kind: ConfigKind<T>): Promise<ReadonlyMap<string, T>> {
  return new Map([...(await collectItems(directories, kind))].map(([key, { value }]) => [key, value]));
}

/** Fields of each kind, rkt's own included; the limits are those of spec/image.md. */
const knownFields = {
  paths: ["data", "stage1-images"],
  http: ["caFiles", "connectTo"],
  limits: undefined,
  auth: ["domains", "type", "credentials"],
  dockerAuth: ["registries", "credentials"],
  registries: ["registry", "mirrors"],
} as const;

/** Folders of kinds that have none of their own name, as rkt laid them out. */
const folders: Readonly<Partial<Record<keyof typeof knownFields, string>>> = { dockerAuth: "auth" };

/** CLI-15: a field that nobody knows may be a later version's, or a slip of the pen that leaves something unset. */
async function warnOfUnknown(
  { path, fields }: ConfigFile,
  known: readonly string[] | undefined,
  log: Log,
): Promise<void> {
  const { closest } = await import("../base/suggest.ts");
  const names = known ?? Object.keys((await import("../image/limits.ts")).defaultImageLimits);
  for (const field of Object.keys(fields)) {
    if (names.includes(field) || headers.some((pair) => pair.some((header) => header === field))) continue;
    const near = closest(field, names);
    const guess = near === undefined ? `; known are ${names.join(", ")}` : `; did you mean ${near}?`;
    log.warn(`${path}: ${excerpt(field)} is no field of this kind and sets nothing${guess}`);
  }
}

/** Regular `*.json` files directly in the directory, by name; links and everything else are left alone. */
async function readKind(directory: string, kind: string): Promise<readonly ConfigFile[]> {
  const files: ConfigFile[] = [];
  for (const name of await jsonFiles(directory)) {
    const path = join(directory, name);
    const { readIfExists } = await import("../base/files.ts");
    const bytes = await readIfExists(path);
    if (bytes === undefined) continue;
    const { parseStrictJson } = await import("../schema/strict-json.ts");
    const fields = fieldsOf(path, parseStrictJson(bytes, path), kind);
    if (fields !== undefined) files.push({ path, fields });
  }
  return files;
}

async function jsonFiles(directory: string): Promise<readonly string[]> {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && /\.json$/.test(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    const { ioFailure } = await import("../base/files.ts");
    throw ioFailure(error, `cannot read ${directory}`, directory);
  }
}

/** Our names of the two fields that say what a file is, and rkt's, so that its files can be taken over. */
const headers = [
  ["perigeeKind", "perigeeVersion"],
  ["rktKind", "rktVersion"],
] as const;

/** Kinds that share a folder: each passes over the files of the other. */
const neighbours: Readonly<Record<string, string>> = { auth: "dockerAuth", dockerAuth: "auth" };

/** Undefined for a kind that is not for us. */
function fieldsOf(path: string, value: unknown, kind: string): ConfigFile["fields"] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(path, "it is not a JSON object");
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const [kindField, versionField] = headers.find(([field]) => fields[field] !== undefined) ?? headers[0];
  if (fields[kindField] !== undefined && fields[kindField] === neighbours[kind]) return undefined;
  if (fields[kindField] !== kind) throw invalid(path, `${kindField} is not ${JSON.stringify(kind)}`);
  if (fields[versionField] !== "v1") throw invalid(path, `${versionField} is not "v1"`);
  return fields;
}

export function strings(path: string, fields: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(path, `${name} is not a list of texts`);
}

export function invalid(path: string, cause: string): Failure {
  return new Failure("CONFIG_INVALID", `the configuration file ${path} cannot be used`, { subject: path, cause });
}
