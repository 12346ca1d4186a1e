/** The plugins of one network, one after the other: ADD forwards, DEL backwards, each told what the one before it answered. */

import { Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { hostPath } from "../shim/background.ts";
import type { JsonObject, NetworkList, PluginConfig } from "./config.ts";
import { type CniCommand, callPlugin, findPlugin } from "./plugin.ts";
import { type NetworkResult, parseResult } from "./result.ts";

/** What a pod wants of a network, besides being in it (NET-7). */
export interface RuntimeConfig {
  readonly portMappings?: readonly PortMapping[] | undefined;
  /** `10.0.0.5/24` */
  readonly ips?: readonly string[] | undefined;
  readonly mac?: string | undefined;
  readonly bandwidth?: JsonObject | undefined;
  readonly dns?:
    | { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] }
    | undefined;
  readonly aliases?: readonly string[] | undefined;
}

/** As the portmap plugin reads it. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostIP: string;
}

export interface Attachment {
  /** As the user named it; a built-in one may be a list of another name, for a further bridge. */
  readonly network: string;
  readonly list: NetworkList;
  readonly ifName: string;
  /** `K=V` for CNI_ARGS. */
  readonly args: readonly (readonly [string, string])[];
  readonly runtime: RuntimeConfig;
}

export interface ChainContext {
  /** The pod's uuid. */
  readonly containerId: string;
  /** A path to the network namespace; undefined where it is gone. */
  readonly netns: string | undefined;
  readonly pluginDirectories: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type Terms = Omit<ChainContext, "netns" | "timeoutMs" | "signal">;

/** @throws Failure NETWORK_FAILED, NOT_FOUND, INTERRUPTED; what was begun is for the caller to undo by `remove` */
export async function add(attachment: Attachment, context: ChainContext): Promise<NetworkResult> {
  let result: NetworkResult | undefined;
  for (const plugin of attachment.list.plugins) {
    const answer = await call("ADD", attachment, plugin, context, result?.raw);
    // A plugin that changes nothing may answer nothing; the specification wants prevResult, which is then what holds.
    if (answer.trim() !== "" || result === undefined) result = parseResult(answer, plugin.type);
  }
  if (result === undefined) throw new Failure("INTERNAL", `${attachment.list.name} has no plugins`);
  return result;
}

/** All plugins are called, whatever becomes of the others; may be repeated. @throws the first Failure */
export async function remove(attachment: Attachment, context: ChainContext, previous?: JsonObject): Promise<void> {
  let first: unknown;
  for (const plugin of attachment.list.plugins.toReversed()) {
    await call("DEL", attachment, plugin, context, previous).catch((error: unknown) => {
      first ??= error;
    });
  }
  if (first !== undefined) throw first;
}

/** Whether the network is as ADD left it. Versions before 0.4.0 have no CHECK. @throws Failure NETWORK_FAILED saying what is not */
export async function check(attachment: Attachment, context: ChainContext, previous: JsonObject): Promise<void> {
  const { list } = attachment;
  if (list.disableCheck || isBefore(list.cniVersion, "0.4.0")) return;
  for (const plugin of list.plugins) await call("CHECK", attachment, plugin, context, previous);
}

/** CNI 1.1: `false` where the list is older and nobody can be asked. @throws Failure NETWORK_FAILED for a plugin that is not ready */
export async function status(list: NetworkList, terms: Omit<ChainContext, "containerId" | "netns">): Promise<boolean> {
  if (isBefore(list.cniVersion, "1.1.0")) return false;
  for (const plugin of list.plugins) await callAlone("STATUS", list, plugin, terms, {});
  return true;
}

/** CNI 1.1: what belongs to none of these attachments is given up by the plugins themselves. @throws the first Failure */
export async function collect(
  list: NetworkList,
  valid: readonly { readonly containerID: string; readonly ifname: string }[],
  terms: Omit<ChainContext, "containerId" | "netns">,
): Promise<boolean> {
  if (list.disableGC || isBefore(list.cniVersion, "1.1.0")) return false;
  let first: unknown;
  for (const plugin of list.plugins) {
    await callAlone("GC", list, plugin, terms, { "cni.dev/valid-attachments": valid }).catch((error: unknown) => {
      first ??= error;
    });
  }
  if (first !== undefined) throw first;
  return true;
}

/** Versions that a plugin speaks. @throws Failure NETWORK_FAILED */
export async function versions(
  type: string,
  terms: Omit<ChainContext, "containerId" | "netns">,
): Promise<readonly string[]> {
  const { pluginDirectories, timeoutMs, signal } = terms;
  const program = findPlugin(type, pluginDirectories);
  const environment = { CNI_COMMAND: "VERSION", CNI_PATH: pluginDirectories.join(":"), PATH: hostPath };
  const input = { cniVersion: "1.0.0" };
  const answer: unknown = JSON.parse(
    await callPlugin({ program, command: "VERSION", environment, input, timeoutMs, signal }),
  );
  const supported = isObject(answer) ? answer["supportedVersions"] : undefined;
  return Array.isArray(supported) ? supported.filter((version) => typeof version === "string") : [];
}

async function call(
  command: CniCommand,
  attachment: Attachment,
  plugin: PluginConfig,
  context: ChainContext,
  previous: JsonObject | undefined,
): Promise<string> {
  const { pluginDirectories, timeoutMs, signal } = context;
  const program = findPlugin(plugin.type, pluginDirectories);
  const environment = {
    ...callEnvironment(command, attachment, context),
    ...(context.netns !== undefined && { CNI_NETNS: context.netns }),
  };
  const input = callInput(attachment, plugin, previous);
  return await callPlugin({ program, command, environment, input, timeoutMs, signal });
}

/** Without CNI_NETNS, which is known only when the call is made. */
export function callEnvironment(
  command: CniCommand,
  { ifName, args }: Attachment,
  { containerId, pluginDirectories }: Terms,
): Readonly<Record<string, string>> {
  // Plugins refuse arguments they do not know unless they are told not to.
  const said = args.length === 0 ? [] : [["IgnoreUnknown", "1"] as const, ...args];
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifName,
    CNI_PATH: pluginDirectories.join(":"),
    PATH: hostPath,
    ...(said.length > 0 && { CNI_ARGS: said.map(([key, value]) => `${key}=${value}`).join(";") }),
  };
}

/** What one plugin reads: its own fields, the network's name and version, and what it may be told (NET-3, NET-7). */
export function callInput(
  { list, runtime }: Attachment,
  plugin: PluginConfig,
  previous: JsonObject | undefined,
): JsonObject {
  const granted = Object.entries(runtime).filter(
    ([name, value]) => value !== undefined && plugin.capabilities.has(name),
  );
  const { capabilities: _, ...fields } = plugin.fields;
  return {
    ...fields,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(granted.length > 0 && { runtimeConfig: Object.fromEntries(granted) }),
    ...(previous !== undefined && { prevResult: previous }),
  };
}

async function callAlone(
  command: "STATUS" | "GC",
  list: NetworkList,
  plugin: PluginConfig,
  { pluginDirectories, timeoutMs, signal }: Omit<ChainContext, "containerId" | "netns">,
  further: JsonObject,
): Promise<void> {
  const program = findPlugin(plugin.type, pluginDirectories);
  const environment = { CNI_COMMAND: command, CNI_PATH: pluginDirectories.join(":"), PATH: hostPath };
  const { capabilities: _, ...fields } = plugin.fields;
  const input = { ...fields, name: list.name, cniVersion: list.cniVersion, ...further };
  await callPlugin({ program, command, environment, input, timeoutMs, signal });
}

function isBefore(version: string, other: string): boolean {
  const [a, b] = [version, other].map((text) => text.split(".").map(Number));
  const at = a?.findIndex((part, index) => part !== b?.[index]) ?? -1;
  return at >= 0 && (a?.[at] ?? 0) < (b?.[at] ?? 0);
}
