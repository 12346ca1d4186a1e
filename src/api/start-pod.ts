/** From a pod whose directory says what it is to a started shim: shared by run and run-prepared. Decides nothing. */
import { constants } from "node:os";
import { join } from "node:path";
import { makeScratchDirectories } from "../base/directories.ts";
import { Failure, messageOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { PortMapping } from "../net/chain.ts";
import { discardPod, removePod } from "../pod/gc.ts";
import { launchPod, type ReadyPod } from "../pod/launch.ts";
import type { PlanInput } from "../pod/plan.ts";
import { findPod, type Pod } from "../pod/pod.ts";
import type { PreparedPod } from "../pod/prepare.ts";
import { readAppExit } from "../pod/record.ts";
import type { EmptyVolume } from "../pod/volumes.ts";
import { failureOf } from "../shim/events.ts";
import { closeNamespaces } from "../shim/netns.ts";
import { type RunHandle, replaceWithRun, type SpawnOptions, spawnRun } from "../shim/run.ts";
import type { TreeRoot } from "../store/stack.ts";
import type { NetworkDecisions } from "./decide-networks.ts";
import type { Settings } from "./settings.ts";
import { removeUuidFile, type SavedUuidFile, saveUuidFile } from "./uuid-file.ts";

/** A pod that is ready to start; exactly one of `replace` and `spawn` is called. */
export interface RunnablePod {
  readonly uuid: string;
  /** What the user should know before it starts: limits that are not enforced, volumes that were invented. */
  readonly warnings: readonly string[];
  /** This process becomes the pod's supervisor; its exit status is the pod's. */
  replace(options: { readonly report: "text" | "json" }): never;
  /**
   * The shim is started beside this process. Resolves when the pod is ready (LIFE-81).
   * @throws Failure SHIM_FAILED, NOT_EXECUTABLE, EXEC_NOT_FOUND, NOT_READY, INTERRUPTED
   */
  spawn(options?: Pick<SpawnOptions, "stdio" | "detached">): Promise<PodHandle>;
}

/** A running pod. */
export interface PodHandle {
  readonly uuid: string;
  /** Exit status of the first app that failed, else 0. */
  readonly exited: Promise<number>;
  readonly stdin: RunHandle["stdin"];
  readonly stdout: RunHandle["stdout"];
  readonly stderr: RunHandle["stderr"];
  /** Forwarded to the apps. False if the pod has ended. */
  signal(number: number): boolean;
}

export interface StartRequest {
  readonly prepared: PreparedPod;
  readonly input: PlanInput;
  /** By app name. */
  readonly trees: ReadonlyMap<string, TreeRoot>;
  readonly emptyVolumes: readonly EmptyVolume[];
  readonly networks: NetworkDecisions;
  readonly ports: readonly PortMapping[];
  readonly podName: string | undefined;
  readonly warnings: readonly string[];
  readonly uuidFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Everything that is made for the start. When it throws, the caller discards the pod. @throws Failure as launchPod; INTERRUPTED, and what saveUuidFile throws */
export async function startPod(settings: Settings, root: string, request: StartRequest): Promise<RunnablePod> {
  const { pod } = request.prepared;
  const ready = await launch(settings, root, request);
  // Late: what can fail has been done, so that the file of an earlier pod is not lost for one that does not start.
  const uuidFile = request.uuidFile === undefined ? undefined : await saveUuidFile(request.uuidFile, pod.uuid);
  try {
    await letSignalsIn(request.signal);
  } catch (error) {
    if (uuidFile !== undefined) await removeUuidFile(uuidFile);
    throw error;
  }
  return runnable(settings, root, { pod, ready, uuidFile, warnings: request.warnings, signal: request.signal });
}

async function launch(settings: Settings, root: string, request: StartRequest): Promise<ReadyPod> {
  const { prepared, input, trees, emptyVolumes, signal } = request;
  const { pod, record } = prepared;
  for (const app of input.apps) {
    const tree = trees.get(app.name);
    if (app.root.kind !== "directory" || tree === undefined) continue;
    const { copyTree } = await import("../image/copy.ts");
    const target = join(pod.directory, app.root.path);
    try {
      makeScratchDirectories(target, 0o700);
    } catch (error) {
      throw ioFailure(error, `cannot make the root of ${app.name}`, pod.directory);
    }
    const source = typeof tree === "string" ? tree : (await import("../store/merge.ts")).mergeLayers(tree, { signal });
    await copyTree(source, target, record.idBase ?? 0, signal);
  }
  if (emptyVolumes.some(({ seed }) => seed !== undefined)) {
    const { seedVolumes } = await import("./seed-volumes.ts");
    const idBase = record.idBase ?? 0;
    await seedVolumes({ directory: pod.directory, volumes: emptyVolumes, trees, idBase, signal });
  }
  if (input.network !== "own") return launchPod({ prepared, input, trees, emptyVolumes });
  const { joinNetworks } = await import("./join-networks.ts");
  const joined = await joinNetworks(settings, root, request);
  try {
    const ready = launchPod({ prepared, input: joined.input, trees, emptyVolumes });
    return { ...ready, start: { ...ready.start, namespaces: joined.namespaces } };
  } catch (error) {
    closeNamespaces(joined.namespaces);
    throw error;
  }
}

/** A signal that came while nothing was waited for is noticed now; after the shim has taken over it would be lost. */
async function letSignalsIn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted before the pod was started");
}

interface StartablePod {
  readonly pod: Pod;
  readonly ready: ReadyPod;
  readonly uuidFile: SavedUuidFile | undefined;
  readonly warnings: readonly string[];
  readonly signal: AbortSignal | undefined;
}

function runnable(settings: Settings, root: string, startable: StartablePod): RunnablePod {
  const { pod, uuidFile, warnings } = startable;
  const { start } = startable.ready;
  const { uuid } = pod;
  return {
    uuid,
    warnings,
    replace: ({ report }) => replaceWithRun({ ...start, report }),
    spawn: async (options = {}) => {
      let handle: RunHandle;
      try {
        handle = spawnRun({ ...start, ...options });
        if (start.namespaces !== undefined) closeNamespaces(start.namespaces);
      } catch (error) {
        await discard(settings, uuid, uuidFile, () => discardPod(settings.directories.data, root, pod));
        throw error;
      }
      // The shim shares the lock now; kept here too it would make a pod that ended look as if it ran.
      pod.release();
      try {
        await untilReady(handle, { pod, ready: startable.ready, signal: startable.signal });
      } catch (error) {
        await handle.exited;
        // Its logs say why.
        if (error instanceof Failure && error.code === "NOT_READY") throw error;
        await discard(settings, uuid, uuidFile, () => removeEnded(settings, root, uuid));
        throw error;
      }
      const { exited, stdin, stdout, stderr } = handle;
      return { uuid, exited, stdin, stdout, stderr, signal: (number) => handle.signal(number) };
    },
  };
}

interface Awaited {
  readonly pod: Pod;
  readonly ready: ReadyPod;
  readonly signal: AbortSignal | undefined;
}

/** How long the apps of a pod that is given up have to end. */
const graceMs = 10_000;

/**
 * Only until the pod is ready: what happens then is told by the files of the pod directory. A pod that is given up before has ended when
 * this throws. @throws Failure NOT_READY for an app that ended before it had said that it is ready (LIFE-83), INTERRUPTED, and of the shim
 */
async function untilReady(handle: RunHandle, { pod, ready, signal }: Awaited): Promise<void> {
  const late = new Set(ready.plan.apps.filter((app) => app.notify !== undefined).map(({ name }) => name));
  const giveUp = (): void => {
    handle.signal(constants.signals.SIGTERM);
    setTimeout(() => handle.signal(constants.signals.SIGKILL), graceMs).unref();
  };
  signal?.addEventListener("abort", giveUp, { once: true });
  let failure: Failure | undefined;
  try {
    for await (const event of handle.events) {
      if (event.event === "ready") return;
      if (event.event === "failed") throw failureOf(event, await handle.exited);
      if (event.event === "app-ready") late.delete(event.app);
      if (event.event !== "app-exited" || !late.has(event.app) || failure !== undefined) continue;
      // One that is to be started again has no status yet.
      if (readAppExit(pod.directory, event.app) === undefined) continue;
      failure = notReady(pod.uuid, event);
      giveUp();
    }
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted before the pod was ready");
  failure ??= endedWaiting(pod, late);
  if (failure !== undefined) throw failure;
  throw new Failure("SHIM_FAILED", `perigee-shim ended with ${await handle.exited} before the pod ran`);
}

/** An app that waited for its next run when the pod ended has no end of its own but that of its last. */
function endedWaiting({ uuid, directory }: Pod, late: ReadonlySet<string>): Failure | undefined {
  for (const app of late) {
    const exit = readAppExit(directory, app);
    if (exit !== undefined) return notReady(uuid, { app, status: exit.status });
  }
  return undefined;
}

function notReady(uuid: string, { app, status }: { readonly app: string; readonly status: number }): Failure {
  return new Failure("NOT_READY", `${app} ended with status ${status} before it was ready`, {
    subject: uuid,
    cause: "it did not send READY=1 to NOTIFY_SOCKET; the pod was stopped",
    hint: `perigee status ${uuid} shows where its output is kept; --sdnotify=conmon does not wait for the app`,
  });
}

/** A pod whose lock the shim had. */
async function removeEnded({ directories }: Settings, root: string, uuid: string): Promise<void> {
  const found = findPod(root, uuid);
  if (found !== undefined) await removePod(directories.data, root, found);
}

/** `work` on a pod that this process holds; when it throws, nothing is left of the pod (LIFE-20). */
export async function orDiscard<T>(settings: Settings, root: string, pod: Pod, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await discard(settings, pod.uuid, undefined, () => discardPod(settings.directories.data, root, pod));
    throw error;
  }
}

/** A pod that could not be started leaves nothing; why it could not is more important than what is left of it. */
async function discard(
  { log }: Settings,
  uuid: string,
  uuidFile: SavedUuidFile | undefined,
  remove: () => Promise<void>,
): Promise<void> {
  try {
    await remove();
    if (uuidFile !== undefined) await removeUuidFile(uuidFile);
  } catch (error) {
    const reason = messageOf(error);
    log.warn(`pod ${uuid} could not be removed whole; perigee gc will: ${reason}`);
  }
}
