/** run: a pod of images, from references to a started shim. Returns a handle; never ends the caller's process by itself. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { discardPod, removePod } from "../pod/gc.ts";
import { claimRange } from "../pod/id-ranges.ts";
import { canIdmapOverlay } from "../pod/kernel.ts";
import { launchPod, type ReadyPod } from "../pod/launch.ts";
import { defaultHostname } from "../pod/network.ts";
import { findPod, openPods, Pod } from "../pod/pod.ts";
import { type PreparedPod, preparePod } from "../pod/prepare.ts";
import { shimPath } from "../shim/binary.ts";
import { failureOf } from "../shim/events.ts";
import { FileLock } from "../shim/flock.ts";
import { type RunHandle, replaceWithRun, type SpawnOptions, spawnRun } from "../shim/run.ts";
import { touchImage } from "../store/images.ts";
import { lockOf, openStoreSync, type Store } from "../store/layout.ts";
import { ensureTree, findTree } from "../store/trees.ts";
import { type Decisions, decidePod, planInput, podCgroups, treeWarnings } from "./decide.ts";
import { podImages } from "./pod-images.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";
import { removeUuidFile, type SavedUuidFile, saveUuidFile } from "./uuid-file.ts";

export type { RunApp, RunOptions } from "./run-options.ts";

/** A pod that is ready to start; exactly one of `replace` and `spawn` is called. */
export interface RunnablePod {
  readonly uuid: string;
  /** What the user should know before it starts: limits that are not enforced, volumes that were invented. */
  readonly warnings: readonly string[];
  /** This process becomes the pod's supervisor; its exit status is the pod's. */
  replace(options: { readonly report: "text" | "json" }): never;
  /** The shim is started beside this process. Resolves when every app was executed. @throws Failure SHIM_FAILED, NOT_EXECUTABLE, EXEC_NOT_FOUND */
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

type StartOptions = RunOptions & { readonly foreground: boolean };

/**
 * Everything up to the start of the shim. A failure leaves nothing behind: neither a pod nor a claimed id nor a cgroup.
 * @throws Failure NOT_ROOT, USAGE, SHIM_MISSING, KERNEL_LACKS, INTERRUPTED …, and what podImages throws
 */
export async function runPod(settings: Settings, options: StartOptions): Promise<RunnablePod> {
  if (!settings.caller.isRoot) {
    throw new Failure("NOT_ROOT", "pods need root", { hint: "sudo perigee run …" });
  }
  if (options.interactive === true && !options.foreground) {
    throw new Failure("USAGE", "a pod in the background has no terminal", { hint: "either --interactive or --detach" });
  }
  shimPath();
  const { data } = settings.directories;
  const store = openStoreSync(data);
  const images = await podImages(settings, store, options);
  const decisions = await decidePod(settings, options, images);
  for (const { record } of images) touchImage(store, record.id);
  const root = openPods(data);
  const pod = Pod.create(root);
  let uuidFile: SavedUuidFile | undefined;
  try {
    const prepared = await prepare(settings, store, options, decisions, pod);
    const trees = await treesOf(settings, store, options, decisions);
    const ready = await launch(settings, options, decisions, prepared, trees);
    // Late: what can fail has been done, so that the file of an earlier pod is not lost for one that does not start.
    if (options.uuidFile !== undefined) uuidFile = await saveUuidFile(options.uuidFile, pod.uuid);
    await letSignalsIn(options.signal);
    const warnings = [...decisions.warnings, ...treeWarnings(decisions, trees)];
    return runnable(settings, root, { pod, ready, uuidFile, warnings });
  } catch (error) {
    await discard(settings, pod.uuid, uuidFile, () => discardPod(data, root, pod));
    throw error;
  }
}

async function prepare(
  settings: Settings,
  store: Store,
  { signal }: StartOptions,
  decisions: Decisions,
  pod: Pod,
): Promise<PreparedPod> {
  const { data } = settings.directories;
  const lock = await FileLock.acquire(lockOf(store), "shared", {
    signal,
    onWait: () => settings.log.info("waiting for the store to be cleared up"),
  });
  try {
    return preparePod(pod, {
      apps: decisions.manifest.apps.map((app, index) => {
        const image = decisions.images[index];
        if (image === undefined) throw new Failure("INTERNAL", `${app.name} has no image`);
        return { name: app.name, imageId: image.record.id, imageName: image.record.name, treeId: image.treeId };
      }),
      network: decisions.network,
      hostname: decisions.hostname ?? defaultHostname(pod.uuid),
      manifest: decisions.manifest,
      cgroups: podCgroups(decisions, pod.uuid),
      claim: decisions.privateUsers ? () => claimRange(data, pod.uuid) : undefined,
    });
  } finally {
    lock.release();
  }
}

async function launch(
  settings: Settings,
  options: StartOptions,
  decisions: Decisions,
  prepared: PreparedPod,
  trees: ReadonlyMap<string, string>,
): Promise<ReadyPod> {
  const { pod, record, cgroups } = prepared;
  const input = planInput(settings, options, decisions, {
    uuid: pod.uuid,
    hostname: record.hostname,
    idBase: record.idBase,
    cgroups,
    trees,
    canIdmap: record.idBase !== undefined && canIdmapOverlay(settings.directories.data),
    foreground: options.foreground,
  });
  for (const app of input.apps) {
    const tree = trees.get(app.name);
    if (app.root.kind !== "directory" || tree === undefined) continue;
    const { copyTree } = await import("../image/copy.ts");
    const target = join(pod.directory, app.root.path);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    await copyTree(tree, target, record.idBase ?? 0, options.signal);
  }
  return launchPod({ prepared, input, trees, emptyVolumes: decisions.emptyVolumes });
}

/** A signal that came while nothing was waited for is noticed now; after the shim has taken over it would be lost. */
async function letSignalsIn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted before the pod was started");
}

/** Where each app's tree is, rendering what is missing. */
export async function treesOf(
  settings: Settings,
  store: Store,
  options: RunOptions,
  { manifest, images }: Decisions,
): Promise<ReadonlyMap<string, string>> {
  const trees = new Map<string, string>();
  for (const [index, app] of manifest.apps.entries()) {
    const image = images[index];
    if (image === undefined) throw new Failure("INTERNAL", `${app.name} has no image`);
    const tree =
      findTree(store, image.treeId) ??
      (await ensureTree(store, image.record.id, { log: settings.log, signal: options.signal }));
    // A dependency that was fetched meanwhile makes another tree, of which neither trust nor the pod's record knows.
    if (tree.id !== image.treeId) {
      throw new Failure("WRONG_STATE", `what ${image.record.name} depends on changed meanwhile`, {
        hint: "run it again",
      });
    }
    trees.set(app.name, tree.rootfs);
  }
  return trees;
}

interface StartablePod {
  readonly pod: Pod;
  readonly ready: ReadyPod;
  readonly uuidFile: SavedUuidFile | undefined;
  readonly warnings: readonly string[];
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
      } catch (error) {
        await discard(settings, uuid, uuidFile, () => discardPod(settings.directories.data, root, pod));
        throw error;
      }
      // The shim shares the lock now; kept here too it would make a pod that ended look as if it ran.
      pod.release();
      try {
        await untilReady(handle);
      } catch (error) {
        await handle.exited;
        await discard(settings, uuid, uuidFile, () => removeEnded(settings, root, uuid));
        throw error;
      }
      const { exited, stdin, stdout, stderr } = handle;
      return { uuid, exited, stdin, stdout, stderr, signal: (number) => handle.signal(number) };
    },
  };
}

/** Only until every app was executed: what happens then is told by the files of the pod directory. */
async function untilReady(handle: RunHandle): Promise<void> {
  for await (const event of handle.events) {
    if (event.event === "ready") return;
    if (event.event === "failed") throw failureOf(event, await handle.exited);
  }
  throw new Failure("SHIM_FAILED", `perigee-shim ended with ${await handle.exited} before the pod ran`);
}

/** A pod whose lock the shim had. */
async function removeEnded({ directories }: Settings, root: string, uuid: string): Promise<void> {
  const found = findPod(root, uuid);
  if (found !== undefined) await removePod(directories.data, root, found);
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
    const reason = error instanceof Error ? error.message : String(error);
    log.warn(`pod ${uuid} could not be removed whole; perigee gc will: ${reason}`);
  }
}
