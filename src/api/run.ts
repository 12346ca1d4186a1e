/** run: a pod of images, from references to a started shim. Returns a handle; never ends the caller's process by itself. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { killRemains, removePod } from "../pod/gc.ts";
import { claimRange, releaseRanges } from "../pod/id-ranges.ts";
import { canIdmapOverlay } from "../pod/kernel.ts";
import { launchPod, type ReadyPod } from "../pod/launch.ts";
import { defaultHostname } from "../pod/network.ts";
import { openPods, type Pod } from "../pod/pod.ts";
import { type PreparedPod, preparePod } from "../pod/prepare.ts";
import { failureOf } from "../shim/events.ts";
import { FileLock } from "../shim/flock.ts";
import { type RunHandle, replaceWithRun, type SpawnOptions, spawnRun } from "../shim/run.ts";
import { lockOf, openStoreSync, type Store } from "../store/layout.ts";
import { ensureTree, findTree } from "../store/trees.ts";
import { type Decisions, decidePod, planInput } from "./decide.ts";
import { podImages } from "./pod-images.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";
import { saveUuidFile } from "./uuid-file.ts";

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

export async function runPod(
  settings: Settings,
  options: RunOptions & { readonly foreground: boolean },
): Promise<RunnablePod> {
  if (!settings.caller.isRoot) {
    throw new Failure("NOT_ROOT", "pods need root", { hint: "sudo perigee run …" });
  }
  const store = openStoreSync(settings.directories.data);
  const images = await podImages(settings, store, options);
  const decisions = await decidePod(settings, options, images);
  const root = openPods(settings.directories.data);
  const prepared = prepare(settings, store, root, decisions);
  try {
    if (options.uuidFile !== undefined) await saveUuidFile(options.uuidFile, prepared.pod.uuid);
    const ready = await launch(settings, store, options, decisions, prepared);
    return runnable(prepared, decisions, ready);
  } catch (error) {
    await discard(settings, root, prepared.pod);
    throw error;
  }
}

function prepare(settings: Settings, store: Store, root: string, decisions: Decisions): PreparedPod {
  const { data } = settings.directories;
  const lock = FileLock.open(lockOf(store), "shared", { wait: true });
  try {
    return preparePod({
      root,
      apps: decisions.manifest.apps.map((app, index) => {
        const image = decisions.images[index];
        if (image === undefined) throw new Failure("INTERNAL", `${app.name} has no image`);
        return { name: app.name, imageId: image.record.id, imageName: image.record.name, treeId: image.treeId };
      }),
      network: decisions.network,
      hostname: (uuid) => decisions.hostname ?? defaultHostname(uuid),
      manifest: decisions.manifest,
      claim: decisions.privateUsers ? (uuid) => claimRange(data, uuid) : undefined,
    });
  } finally {
    lock?.release();
  }
}

async function launch(
  settings: Settings,
  store: Store,
  options: RunOptions & { readonly foreground: boolean },
  decisions: Decisions,
  prepared: PreparedPod,
): Promise<ReadyPod> {
  const trees = await treesOf(settings, store, options, decisions);
  const { record } = prepared;
  const input = planInput(settings, options, decisions, {
    uuid: record.uuid,
    hostname: record.hostname,
    idBase: record.idBase,
    trees,
    canIdmap: record.idBase !== undefined && canIdmapOverlay(settings.directories.data),
    foreground: options.foreground,
  });
  for (const app of input.apps) {
    const tree = trees.get(app.name);
    if (app.root.kind !== "directory" || tree === undefined) continue;
    const { copyTree } = await import("../image/copy.ts");
    const target = join(prepared.pod.directory, app.root.path);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    await copyTree(tree, target, record.idBase ?? 0, options.signal);
  }
  return launchPod({ prepared, input, trees, emptyVolumes: decisions.volumes.empty });
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

function runnable(prepared: PreparedPod, decisions: Decisions, { start }: ReadyPod): RunnablePod {
  const { uuid } = prepared.pod;
  return {
    uuid,
    warnings: decisions.warnings,
    replace: ({ report }) => replaceWithRun({ ...start, report }),
    spawn: async (options = {}) => {
      const handle = spawnRun({ ...start, ...options });
      // The shim shares the lock now; kept here too it would make a pod that ended look as if it ran.
      prepared.pod.release();
      await untilReady(handle);
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

/** A pod that could not be started leaves nothing. */
async function discard(settings: Settings, root: string, pod: Pod): Promise<void> {
  try {
    await killRemains(pod.directory);
    const { uuid, phase, directory } = pod;
    pod.release();
    await removePod(settings.directories.data, root, { uuid, phase, directory, state: "exited" });
    releaseRanges(settings.directories.data, (other) => other !== uuid);
  } catch (error) {
    settings.log.warn(
      `pod ${pod.uuid} could not be removed; perigee gc will: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
