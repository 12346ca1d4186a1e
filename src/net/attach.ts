/** From a pod directory and the networks it is to be in to namespaces with links and addresses; and what undoes that when the pod has ended. */
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { Failure } from "../base/failure.ts";
import { FileLock } from "../shim/flock.ts";
import { closeNamespaces, makeNamespaces, type PodNamespaces } from "../shim/netns.ts";
import { type BuiltinName, type BuiltinNetwork, builtinNetwork, networksOf } from "./builtin.ts";
import { type Attachment, add, callEnvironment, callInput, type RuntimeConfig } from "./chain.ts";
import { undo } from "./detach.ts";
import type { ChosenNetwork } from "./networks.ts";
import { findPlugin } from "./plugin.ts";
import type { NetworkResult } from "./result.ts";
import { applyRules } from "./rules.ts";
import { teardownFile, writeIntent, writeResult } from "./state.ts";

/** Milliseconds that one plugin may take. */
export const pluginTimeout = 30_000;

export interface AttachRequest {
  readonly data: string;
  readonly uuid: string;
  /** The pod's; it holds its lock. */
  readonly directory: string;
  readonly networks: readonly ChosenNetwork[];
  /** What each network is told, by its place; only what its plugins ask for reaches them. */
  readonly runtimes: readonly RuntimeConfig[];
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
  makeDirectories(join(networksOf(data), "leases"), 0o700);
  // Shared: pods join side by side, but nobody takes away a bridge meanwhile (NET-22).
  const lock = await FileLock.acquire(networksOf(data), "shared", { signal });
  let namespaces: PodNamespaces | undefined;
  try {
    const wanted = request.networks.map((network, index) => wantedOf(request, network, index));
    const attachments = wanted.map(({ attachment }) => attachment);
    for (const { list } of attachments) for (const { type } of list.plugins) findPlugin(type, pluginDirectories);
    writeIntent(directory, { attachments, pluginDirectories });
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

function wantedOf({ data, runtimes }: AttachRequest, { request, list }: ChosenNetwork, index: number): Wanted {
  const runtime = runtimes[index] ?? {};
  const withPorts = (runtime.portMappings ?? []).length > 0;
  const builtin = list === "builtin" ? builtinNetwork(data, request.name as BuiltinName, withPorts) : undefined;
  const chosen = list === "builtin" ? builtin?.list : list;
  if (chosen === undefined) throw new Failure("INTERNAL", `${request.name} is no network`);
  return { attachment: { list: chosen, ifName: `eth${index}`, args: request.args, runtime }, builtin };
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
