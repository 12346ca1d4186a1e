/** What `--net` says, as data. Which networks there are is not known here. */
import { excerpt, Failure } from "../base/failure.ts";

export interface NetworkRequest {
  readonly name: string;
  /** For CNI_ARGS. */
  readonly args: readonly (readonly [string, string])[];
}

/** `none`: loopback only; `host`: the host's; `own`: what is listed, `all`: everything that is configured. */
export type NetworkSelection =
  | { readonly kind: "none" | "host" }
  | { readonly kind: "all" }
  | { readonly kind: "own"; readonly networks: readonly NetworkRequest[] };

const alone = ["none", "host", "all"] as const;
const mostNetworks = 16;

/** All `--net` of a command line, each a comma list of `NAME[:KEY=VALUE;…]` (NET-10). @throws Failure USAGE */
export function parseSelection(texts: readonly string[]): NetworkSelection {
  const requests = texts.flatMap((text) => text.split(",")).map(parseRequest);
  for (const { name, args } of requests) {
    const word = alone.find((candidate) => candidate === name);
    if (word === undefined) continue;
    if (requests.length === 1 && args.length === 0) return { kind: word };
    throw new Failure("USAGE", `--net=${excerpt(texts.join(","))}: ${name} stands alone and takes no arguments`);
  }
  const repeated = requests.find(({ name }, index) => requests.findIndex((other) => other.name === name) !== index);
  if (repeated !== undefined) throw new Failure("USAGE", `--net names ${excerpt(repeated.name)} twice`);
  if (requests.length > mostNetworks) {
    throw new Failure("USAGE", `--net names ${requests.length} networks; a pod has ${mostNetworks} at most`);
  }
  return { kind: "own", networks: requests };
}

function parseRequest(text: string): NetworkRequest {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  if (name === "") throw new Failure("USAGE", "--net needs a value: none, host, or names of networks");
  const pairs = colon < 0 ? [] : text.slice(colon + 1).split(";");
  return { name, args: pairs.map((pair) => parseArgument(pair, text)) };
}

function parseArgument(pair: string, text: string): readonly [string, string] {
  const match = /^([A-Za-z][A-Za-z0-9_]*)=([!-:<-~]+)$/.exec(pair);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new Failure("USAGE", `--net=${excerpt(text)}: ${excerpt(pair)} is not KEY=VALUE`, {
      hint: "--net='NAME:KEY=VALUE;KEY=VALUE', such as --net=default:IP=10.178.0.9",
    });
  }
  return [match[1], match[2]];
}

/** As it is recorded and shown: names, without arguments. */
export function selectionWords(selection: NetworkSelection): string {
  return selection.kind === "own" ? selection.networks.map(({ name }) => name).join(",") : selection.kind;
}
