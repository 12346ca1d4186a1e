/**
 * The configuration kinds that settings need: `paths` (paths.d), `http` (http.d) and `limits` (limits.d), as rkt laid out its files (spec/cli.md).
 * Later directories win, item by item; two files of one directory that define the same item are a mistake.
 * Parsers and node:fs/promises are loaded only when there is a file: every command comes through here.
 */
import { readdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
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
export async function dataDirectoryOf(directories: readonly string[]): Promise<string | undefined> {
  const items = await collect(directories, "paths", ({ path, fields }) => {
    const data = fields["data"];
    if (data === undefined) return [];
    if (typeof data !== "string" || !isAbsolute(data)) throw invalid(path, "data is not an absolute path");
    return [["data", data] as const];
  });
  return items.get("data");
}

/** Authorities and connections that files of kind `http` set. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function httpConfigOf(directories: readonly string[]): Promise<HttpConfig> {
  const files = await collect(directories, "http", ({ path, fields }) =>
    strings(path, fields, "caFiles").map((file) => {
      if (!isAbsolute(file)) throw invalid(path, `caFiles: ${file} is not an absolute path`);
      return [file, file] as const;
    }),
  );
  const connections = await collect(directories, "http", ({ path, fields }) =>
    strings(path, fields, "connectTo").map((text) => [text.split(":")[0] ?? "", text] as const),
  );
  return { caFiles: [...files.values()], connectTo: [...connections.values()] };
}

/** Limits of images that files of kind `limits` set, over the defaults. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function imageLimitsOf(directories: readonly string[]): Promise<ImageLimits> {
  const { defaultImageLimits, fixedLimits } = await import("../image/limits.ts");
  const names = Object.keys(defaultImageLimits) as (keyof ImageLimits)[];
  const items = await collect(directories, "limits", ({ path, fields }) =>
    names.flatMap((name) => {
      const value = fields[name];
      if (value === undefined) return [];
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
        throw invalid(path, `${name} is no positive integer`);
      }
      if (fixedLimits.includes(name) && value > defaultImageLimits[name]) {
        throw invalid(path, `${name} can be lowered only, from ${defaultImageLimits[name]}`);
      }
      return [[name, String(value)] as const];
    }),
  );
  return { ...defaultImageLimits, ...Object.fromEntries([...items].map(([name, value]) => [name, Number(value)])) };
}

/** The items of every file of a kind, later directories over earlier ones. @throws Failure CONFIG_INVALID, JSON_INVALID */
export async function collect<T>(
  directories: readonly string[],
  kind: string,
  itemsOf: (file: ConfigFile) => readonly (readonly [string, T])[],
): Promise<ReadonlyMap<string, T>> {
  const merged = new Map<string, T>();
  for (const directory of directories) {
    const own = new Map<string, T>();
    for (const file of await readKind(join(directory, `${kind}.d`), kind)) {
      for (const [key, value] of itemsOf(file)) {
        if (own.has(key)) throw invalid(file.path, `${key} is set by another file of the same directory too`);
        own.set(key, value);
      }
    }
    for (const [key, value] of own) merged.set(key, value);
  }
  return merged;
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

/** Kinds of rkt that share the folder of one of ours, and that are not for us. */
const neighbours: Readonly<Record<string, string>> = { auth: "dockerAuth" };

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
