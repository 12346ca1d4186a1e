/** Which networks a pod is to be in, from what the user typed and what is configured. What is made of it is made at the start. */
import { Failure } from "../base/failure.ts";
import type { PortMapping } from "../net/chain.ts";
import { type NameFlags, type NameOptions, parseAlias, parseNameFlags } from "../net/name-files.ts";
import { type ChosenNetwork, chooseNetworks } from "../net/networks.ts";
import { defaultPluginDirectories } from "../net/plugin.ts";
import { portMappings } from "../net/ports.ts";
import { parseSelection, selectionWords } from "../net/selection.ts";
import type { PodNetwork } from "../pod/network.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

export interface NetworkDecisions {
  readonly network: PodNetwork;
  /** As `list` shows it. */
  readonly words: string;
  readonly chosen: readonly ChosenNetwork[];
  readonly pluginDirectories: readonly string[];
  /** What the user says of hosts and resolv.conf. */
  readonly names: NameOptions;
  readonly aliases: readonly string[];
}

export type NetworkTerms = NameFlags & Pick<RunOptions, "network" | "netAliases">;

/** @throws Failure USAGE; NOT_ROOT for an ordinary user's; NOT_FOUND for an unknown network; CONFIG_INVALID */
export function decideNetworks(settings: Settings, terms: NetworkTerms): NetworkDecisions {
  const { network } = terms;
  const texts = typeof network === "string" ? [network] : (network ?? []);
  const selection = parseSelection(texts.length === 0 ? ["none"] : texts);
  const isOwn = selection.kind !== "none" && selection.kind !== "host";
  if (isOwn && !settings.caller.isRoot) {
    throw new Failure("NOT_ROOT", `--net=${selectionWords(selection)}: plugins that make networks need root`, {
      hint: "--net=none has loopback only, --net=host is the host's network",
    });
  }
  const { systemConfig, localConfig, userConfig } = settings.directories;
  const chosen = chooseNetworks(selection, [systemConfig, localConfig, userConfig]);
  return {
    network: isOwn ? "own" : selection.kind,
    words: selection.kind === "all" ? chosen.map(({ request }) => request.name).join(",") : selectionWords(selection),
    chosen,
    pluginDirectories: pluginDirectoriesOf(settings),
    names: parseNameFlags(terms),
    aliases: (terms.netAliases ?? []).map(parseAlias),
  };
}

/** CNI_PATH, whose relative parts lead nowhere (NET-5). */
function pluginDirectoriesOf({ environment }: Settings): readonly string[] {
  const named = (environment.get("CNI_PATH") ?? "").split(":").filter((directory) => directory !== "");
  return named.length === 0 ? defaultPluginDirectories : named;
}

/**
 * Ports of the host that are to lead into the pod: asked when it starts, since it may be prepared for any network.
 * @throws Failure UNSUPPORTED where it has no network of its own (POD-42), MANIFEST_INVALID
 */
export function decidePorts({ network }: NetworkDecisions, manifest: PodManifest): readonly PortMapping[] {
  const mappings = portMappings(manifest);
  const [port] = manifest.ports;
  if (port === undefined || network === "own") return mappings;
  throw new Failure("UNSUPPORTED", `port ${port.name} cannot be forwarded to a pod with --net=${network}`, {
    subject: port.name,
    cause: "POD-42: neither --net=none nor --net=host has ports of its own to forward to",
    hint: network === "host" ? "the apps listen on the host's ports as it is" : "--net=default",
  });
}
