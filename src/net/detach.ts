/** The end of a pod's networks, by whoever clears up: what its supervisor did not, and, behind the last pod, what belongs to all of them. */

import { Failure } from "../base/failure.ts";
import { FileLock } from "../shim/flock.ts";
import { removeBridge } from "../shim/netns.ts";
import { bridgesOf, networksOf } from "./builtin.ts";
import { type ChainContext, remove } from "./chain.ts";
import { emptyChains, orphanRules, sweepTables } from "./iptables.ts";
import { removeRules } from "./rules.ts";
import { forget, isToBeUndone, readIntent, readPodResult } from "./state.ts";

const timeoutMs = 30_000;

/** All DELs of a pod, in reverse; then nothing is written down any more. @throws the first Failure; everything is tried */
export async function undo(pod: string, context: ChainContext): Promise<void> {
  const intent = readIntent(pod);
  if (intent === undefined) return;
  let first: unknown;
  for (const [index, attachment] of [...intent.attachments.entries()].toReversed()) {
    await remove(attachment, context, readPodResult(pod, index)?.raw).catch((error: unknown) => {
      first ??= error;
    });
  }
  if (first !== undefined) throw first;
  forget(pod);
}

/**
 * What is left of a dead pod's networks: its namespace, and with it the links, went with its last process, so plugins are asked without
 * one, and the rules they make for one pod are looked for by its uuid (NET-21). May be repeated. @throws Failure NETWORK_FAILED, NOT_FOUND
 */
export async function detachPod(pod: string, uuid: string): Promise<void> {
  const intent = readIntent(pod);
  if (intent === undefined) return;
  if (isToBeUndone(pod, intent)) {
    const { pluginDirectories } = intent;
    await undo(pod, { containerId: uuid, netns: undefined, pluginDirectories, timeoutMs });
    await sweepTables((text) => orphanRules(text, uuid));
  }
  forget(pod);
}

/**
 * Behind the last pod of the data directory: its bridges, their rules, and chains of plugins that hold nothing. `isInUse` is asked while no pod
 * can join. @throws Failure SHIM_FAILED, NETWORK_FAILED
 */
export async function removeUnused(data: string, isInUse: () => boolean): Promise<void> {
  const directory = networksOf(data);
  if (bridgesOf(data).length === 0) return;
  const lock = openExclusive(directory);
  if (lock === undefined) return;
  try {
    if (isInUse()) return;
    const bridges = bridgesOf(data);
    for (const bridge of bridges) await removeBridge(bridge);
    await removeRules(bridges);
    await sweepTables(emptyChains);
  } finally {
    lock.release();
  }
}

/** Somebody who joins just now needs all of it. */
function openExclusive(directory: string): FileLock | undefined {
  try {
    return FileLock.open(directory, "exclusive");
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
