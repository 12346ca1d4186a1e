/**
 * Network configurations as CNI defines them: a list of plugins (`.conflist`), or one plugin (`.conf`, `.json`), which is a list of one.
 * What a plugin makes of its own fields is for the plugin to say; what the runtime needs is checked here, with the place of what is wrong.
 */

import { excerpt, Failure, printable } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { type LocatedJson, parseLocatedJson } from "../schema/strict-json.ts";

export type JsonObject = { readonly [key: string]: unknown };

/** Versions of the protocol that are spoken, oldest first (NET-1). */
export const cniVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export interface PluginConfig {
  /** File name of the program. */
  readonly type: string;
  /** What the runtime may hand it in `runtimeConfig`. */
  readonly capabilities: ReadonlySet<string>;
  /** As in the file; what the runtime sets is not in it. */
  readonly fields: JsonObject;
}

export interface NetworkList {
  readonly name: string;
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
  /** Where it stands; undefined: built in. */
  readonly file?: string | undefined;
}

/** Of a network: what CNI allows, so that it can be part of a path and of a comment in a rule. */
const networkName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
/** One component of a path that is no option: plugins are never found through a path of the configuration (NET-5). */
const pluginType = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}$/;

const documentLimit = { bytes: 1024 * 1024, depth: 32 };
const mostPlugins = 32;

/**
 * Reads one configuration file; `.conflist` is a list. @throws Failure CONFIG_INVALID with file, line and field (NET-2); JSON_INVALID, LIMIT_EXCEEDED
 */
export function parseNetworkFile(bytes: Uint8Array, file: string, isList: boolean): NetworkList {
  const document = parseLocatedJson(bytes, file, documentLimit);
  const refuse = (path: readonly PropertyKey[], message: string): never => {
    const { line } = document.locate(path);
    const field = path.length === 0 ? "" : `${path.map(String).join(".")}: `;
    throw new Failure("CONFIG_INVALID", `${printable(file)}, line ${line}: ${excerpt(field)}${message} (NET-2)`, {
      subject: file,
    });
  };
  return parseList(document, file, isList, refuse);
}

type Refuse = (path: readonly PropertyKey[], message: string) => never;

function parseList({ value }: LocatedJson, file: string | undefined, isList: boolean, refuse: Refuse): NetworkList {
  if (!isObject(value)) return refuse([], "not an object");
  const { name, cniVersion, disableCheck = false, disableGC = false } = value;
  if (typeof name !== "string" || !networkName.test(name)) {
    return refuse(["name"], "a name of letters, digits, _ . - that begins with a letter or a digit");
  }
  const plugins = isList ? value["plugins"] : [value];
  if (!Array.isArray(plugins) || plugins.length === 0 || plugins.length > mostPlugins) {
    return refuse(["plugins"], `a list of 1 to ${mostPlugins} plugins`);
  }
  return {
    name,
    cniVersion: versionOf(cniVersion, value["cniVersions"], refuse),
    disableCheck: flag(disableCheck, "disableCheck", refuse),
    disableGC: flag(disableGC, "disableGC", refuse),
    plugins: plugins.map((plugin, index) => parsePlugin(plugin, isList ? ["plugins", index] : [], refuse)),
    file,
  };
}

/** CNI writes these flags as booleans or as their names. */
function flag(value: unknown, field: string, refuse: Refuse): boolean {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  return refuse([field], "true or false");
}

/** The newest of what is offered that is spoken here (CNI 1.1 lets a list offer several). */
function versionOf(cniVersion: unknown, offered: unknown, refuse: Refuse): string {
  if (typeof cniVersion !== "string") return refuse(["cniVersion"], "a version of CNI, such as 1.0.0");
  const choices = Array.isArray(offered) ? [cniVersion, ...offered] : [cniVersion];
  const known = cniVersions.findLast((version) => choices.includes(version));
  return known ?? refuse(["cniVersion"], `${JSON.stringify(excerpt(cniVersion))} is none of ${cniVersions.join(", ")}`);
}

function parsePlugin(value: unknown, path: readonly PropertyKey[], refuse: Refuse): PluginConfig {
  if (!isObject(value)) return refuse(path, "not an object");
  const { type, capabilities = {} } = value;
  if (typeof type !== "string" || !pluginType.test(type)) {
    return refuse([...path, "type"], "the file name of a plugin, without a path");
  }
  if (!isObject(capabilities)) return refuse([...path, "capabilities"], "not an object");
  const granted = Object.entries(capabilities).filter(([, isOn]) => isOn === true);
  return { type, capabilities: new Set(granted.map(([name]) => name)), fields: value };
}

/** A list that this program made itself. */
export function builtinList(document: JsonObject): NetworkList {
  const refuse = (path: readonly PropertyKey[], message: string): never => {
    throw new Failure("INTERNAL", `a built-in network: ${path.join(".")}: ${message}`);
  };
  return parseList({ value: document, locate: () => ({ line: 1, column: 1 }) }, undefined, true, refuse);
}

/** As builtinList, of a list that this program has written down. */
export function storedList(document: JsonObject): NetworkList {
  const { file } = document;
  const list = builtinList({ ...document, file: undefined });
  return typeof file === "string" ? { ...list, file } : list;
}
