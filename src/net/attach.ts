/** From a pod directory and the networks it is to be in to namespaces with links and addresses; and what undoes that when the pod has ended. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { Failure } from "../base/failure.ts";
import { FileLock } from "../shim/flock.ts";
import { closeNamespaces, makeNamespaces, type PodNamespaces } from "../shim/netns.ts";
import { type BuiltinName, type BuiltinNetwork, builtinNetwork, networksOf, withNetworksLocked } from "./builtin.ts";
import { type Attachment, add, callEnvironment, callInput, type RuntimeConfig } from "./chain.ts";
import { undo } from "./detach.ts";
import type { ChosenNetwork } from "./networks.ts";
import { findPlugin } from "./plugin.ts";
import { requireFree } from "./ports.ts";
import type { NetworkResult } from "./result.ts";
import { applyRules } from "./rules.ts";
import { lookAtNetworks, teardownFile, writeIntent, writeResult } from "./state.ts";

/** Milliseconds that one plugin may take. */
export const pluginTimeout = 30_000;

export interface AttachRequest {
  readonly data: string;
  readonly uuid: string;
  /** The pod's; it holds its lock. */
  readonly directory: string;
  readonly networks: readonly ChosenNetwork[];
  /** What the networks are told; only what their plugins ask for reaches them. Ports go to the first that forwards them. */
  readonly runtime: RuntimeConfig;
  /** By which pods of its networks find it. */
  readonly names: readonly string[];
  /** Directories of all other pods that may run, asked while nobody else joins. */
  readonly others: () => readonly string[];
  readonly ids: { readonly base: number; readonly count: number } | undefined;
  readonly pluginDirectories: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** A program that the pod's supervisor runs when the pod has ended. */
export interface Teardown {
  readonly program: string;
  /** Relative to the pod directory. */
  readonly stdinFile: string;
  readonly environment: readonly (readonly [string, string])[];
  /** The variable that says where the pod's network namespace is. */
  readonly netVariable?: string | undefined;
}

export interface AttachedPod {
  readonly namespaces: PodNamespaces;
  /** In the order in which they are to be run. */
  readonly teardowns: readonly Teardown[];
  readonly results: readonly NetworkResult[];
}

interface Wanted {
  readonly attachment: Attachment;
  readonly builtin: BuiltinNetwork | undefined;
}

/**
 * Written down before anything is done (NET-20), so that gc can undo it whenever this is cut short. When it throws, nothing is left but what
 * is written down. @throws Failure NETWORK_FAILED, NOT_FOUND, LIMIT_EXCEEDED, INTERRUPTED, SHIM_FAILED, IO_FAILED
 */
export async function attachPod(request: AttachRequest): Promise<AttachedPod> {
  const { data, uuid, directory, ids, pluginDirectories, signal } = request;
  // What is there may be empty, and would be synced again for every pod.
  const leases = join(networksOf(data), "leases");
  if (!existsSync(leases)) makeDirectories(leases, 0o700);
  // Shared: pods join side by side, but nobody takes away a bridge meanwhile (NET-22).
  const lock = await FileLock.acquire(networksOf(data), "shared", { signal });
  let namespaces: PodNamespaces | undefined;
  try {
    const wanted = wantedOf(request);
    const attachments = wanted.map(({ attachment }) => attachment);
    for (const { list } of attachments) for (const { type } of list.plugins) findPlugin(type, pluginDirectories);
    claim(request, attachments);
    const rules = Promise.all(wanted.map(({ builtin }) => builtin && applyRules(builtin)));
    rules.catch(() => {}); // awaited below, also when the namespaces cannot be made
    namespaces = await makeNamespaces(ids);
    // The descriptor is this process's own, and open to every program that a plugin starts, too.
    const netns = `/proc/${process.pid}/fd/${namespaces.net}`;
    const context = { containerId: uuid, netns, pluginDirectories, timeoutMs: pluginTimeout, signal };
    const results: NetworkResult[] = [];
    try {
      for (const [index, attachment] of attachments.entries()) {
        const result = await add(attachment, context);
        const inputs = attachment.list.plugins.map((plugin) => callInput(attachment, plugin, result.raw));
        writeResult(directory, index, result, inputs);
        results.push(result);
      }
      await rules;
    } catch (error) {
      await rules.catch(() => {});
      await undo(directory, { ...context, signal: undefined });
      throw error;
    }
    return { namespaces, teardowns: teardownsOf(wanted, request), results };
  } catch (error) {
    if (namespaces !== undefined) closeNamespaces(namespaces);
    throw error;
  } finally {
    lock.release();
  }
}

/** Written down while nobody else does, so that of two pods that want one port the second is told (NET-42). */
function claim(
  { data, directory, names, others, pluginDirectories }: AttachRequest,
  attachments: readonly Attachment[],
): void {
  withNetworksLocked(data, () => {
    const wanted = attachments.flatMap(({ runtime }) => runtime.portMappings ?? []);
    if (wanted.length > 0) {
      const holders = others().flatMap((other) => lookAtNetworks(other) ?? []);
      requireFree(
        wanted,
        holders.map(({ uuid, names: [name], ports }) => ({ uuid, name, ports })),
      );
    }
    writeIntent(directory, { names, attachments, pluginDirectories });
  });
}

function wantedOf({ data, networks, runtime }: AttachRequest): readonly Wanted[] {
  const { portMappings = [], ...rest } = runtime;
  const forwards = ({ list }: ChosenNetwork) =>
    list === "builtin" || list.plugins.some(({ capabilities }) => capabilities.has("portMappings"));
  const forwarding = portMappings.length === 0 ? -1 : networks.findIndex(forwards);
  if (portMappings.length > 0 && forwarding < 0) {
    throw new Failure("UNSUPPORTED", "none of the pod's networks forwards ports (NET-41)", {
      cause: "no plugin of theirs has the capability portMappings",
      hint: "add the plugin portmap to the list in net.d, or add --net=default",
    });
  }
  return networks.map(({ request, list }, index) => {
    const own = index === forwarding ? { ...rest, portMappings } : rest;
    const builtin =
      list === "builtin" ? builtinNetwork(data, request.name as BuiltinName, index === forwarding) : undefined;
    const chosen = list === "builtin" ? builtin?.list : list;
    if (chosen === undefined) throw new Failure("INTERNAL", `${request.name} is no network`);
    const attachment = { network: request.name, list: chosen, ifName: `eth${index}`, args: request.args, runtime: own };
    return { attachment, builtin };
  });
}

/**
 * In the reverse of the order in which they were called. A bridge of ours needs no namespace to be left: the kernel takes the link away with
 * it, and the plugin would wait for that, at the cost of 30 ms.
 */
function teardownsOf(wanted: readonly Wanted[], { uuid, pluginDirectories }: AttachRequest): readonly Teardown[] {
  const all = wanted.flatMap(({ attachment, builtin }, index) => {
    const environment = callEnvironment("DEL", attachment, { containerId: uuid, pluginDirectories });
    return attachment.list.plugins.map(({ type }, plugin) => ({
      program: findPlugin(type, pluginDirectories),
      stdinFile: teardownFile(index, plugin),
      environment: Object.entries(environment),
      netVariable: builtin === undefined ? "CNI_NETNS" : undefined,
    }));
  });
  return all.toReversed();
}
