/** Which networks there are: files of net.d in the configuration directories, over the built-in ones by name (NET-11). */
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readStateFile } from "../base/state-file.ts";
import { closest } from "../base/suggest.ts";
import { builtinNames } from "./builtin.ts";
import { type NetworkList, parseNetworkFile } from "./config.ts";
import type { NetworkRequest, NetworkSelection } from "./selection.ts";

/** One that the pod is to be in; built-in ones are made when their addresses are known. */
export interface ChosenNetwork {
  readonly request: NetworkRequest;
  readonly list: NetworkList | "builtin";
}

/** `net.d` of one directory, in the order of file names; the first of a name counts, as with rkt. @throws Failure CONFIG_INVALID, JSON_INVALID, IO_FAILED */
function readDirectory(directory: string): readonly NetworkList[] {
  const lists: NetworkList[] = [];
  for (const file of namesIn(directory)) {
    const kind = extname(file);
    if (![".conf", ".conflist", ".json"].includes(kind)) continue;
    const path = join(directory, file);
    const content = readStateFile(path);
    if ("problem" in content) {
      if (content.problem === "missing") continue;
      throw new Failure("CONFIG_INVALID", `${path} is ${content.problem}`, { subject: path });
    }
    const list = parseNetworkFile(content.bytes, path, kind === ".conflist");
    if (!lists.some(({ name }) => name === list.name)) lists.push(list);
  }
  return lists;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioFailure(error, `cannot list ${directory}`, directory);
  }
}

/** By name; `directories` lowest precedence first. */
export function configuredNetworks(directories: readonly string[]): ReadonlyMap<string, NetworkList> {
  const lists = [...new Set(directories)].flatMap((directory) => readDirectory(join(directory, "net.d")));
  return new Map(lists.map((list) => [list.name, list]));
}

/**
 * The networks of a selection, in its order; `all` are the configured ones by name, and `default` among them.
 * @throws Failure NOT_FOUND for an unknown one, CONFIG_INVALID
 */
export function chooseNetworks(selection: NetworkSelection, directories: readonly string[]): readonly ChosenNetwork[] {
  if (!("networks" in selection) && selection.kind !== "all") return [];
  const configured = configuredNetworks(directories);
  const everything = [...new Set(["default", ...configured.keys()])].sort();
  const requests = "networks" in selection ? selection.networks : everything.map((name) => ({ name, args: [] }));
  return requests.map((request) => {
    const list = configured.get(request.name) ?? (builtinNames.includes(request.name) ? "builtin" : undefined);
    if (list === undefined) throw unknown(request.name, [...configured.keys()]);
    return { request, list };
  });
}

function unknown(name: string, configured: readonly string[]): Failure {
  const names = [...new Set([...builtinNames, ...configured, "none", "host", "all"])];
  const near = closest(name, names);
  return new Failure("NOT_FOUND", `there is no network ${excerpt(name)}`, {
    subject: name,
    cause: `there are ${names.join(", ")}`,
    hint: near === undefined ? "define it in net.d/NAME.conflist of a configuration directory" : `--net=${near}`,
  });
}
