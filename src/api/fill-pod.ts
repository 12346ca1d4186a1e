/** A new pod: what it begins with, what its directory is filled with, and where its trees are: shared by run and prepare. */
import { Failure } from "../base/failure.ts";
import { claimRange } from "../pod/id-ranges.ts";
import { canIdmapOverlay } from "../pod/kernel.ts";
import { claimName } from "../pod/names.ts";
import { defaultHostname } from "../pod/network.ts";
import type { PlanInput } from "../pod/plan.ts";
import { findPod, namedPhases, openPods, Pod, podsOf } from "../pod/pod.ts";
import { type PreparedPod, type PrepareRequest, preparePod } from "../pod/prepare.ts";
import { callerIds } from "../shim/caller-ids.ts";
import { FileLock } from "../shim/flock.ts";
import { touchImage } from "../store/images.ts";
import { lockOf, openStoreSync, type Store } from "../store/layout.ts";
import type { TreeRoot } from "../store/stack.ts";
import { ensureTree, findTree, rootOf } from "../store/trees.ts";
import { type ChosenImage, choosePod } from "./choose-pod.ts";
import { type Decisions, decidePod, planInput, type StartTerms } from "./decide.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";
import { orDiscard } from "./start-pod.ts";

/** A pod that was just made, and what was decided of it. */
export interface NewPod {
  readonly store: Store;
  readonly root: string;
  readonly pod: Pod;
  readonly decisions: Decisions;
}

/** Everything is decided before the pod is made; when `work` throws nothing is left of it. @throws Failure of choosePod and decidePod */
export async function inNewPod<T>(
  settings: Settings,
  options: RunOptions,
  work: (made: NewPod) => Promise<T>,
): Promise<T> {
  const { data } = settings.directories;
  const store = openStoreSync(data);
  if (callerIds() !== undefined && options.overlay !== false)
    (await import("../pod/unprivileged.ts")).requireLocal(data);
  const chosen = await choosePod(settings, store, options);
  const decisions = decidePod(settings, options, chosen);
  for (const { record } of chosen.images) touchImage(store, record.id);
  const root = openPods(data);
  const pod = Pod.create(root);
  return await orDiscard(settings, root, pod, () => work({ store, root, pod, decisions }));
}

/** What the two verbs say differently. */
export type FillRequest = Pick<PrepareRequest, "network" | "hostname" | "cgroups" | "prepared">;

/** What the user says about either. */
export type FillOptions = Pick<RunOptions, "podName" | "signal">;

/**
 * Writes record and manifest of a pod that was just made, and claims its ids. The store's lock is held meanwhile, so that a sweep sees the
 * record or did not begin (LIFE-14). @throws Failure ALREADY_EXISTS for a name that another pod has, INTERRUPTED, LIMIT_EXCEEDED, DISK_FULL, IO_FAILED
 */
export async function fillPod(
  settings: Settings,
  store: Store,
  pod: Pod,
  decisions: Decisions,
  request: FillRequest,
  { podName, signal }: FillOptions,
): Promise<PreparedPod> {
  const { data } = settings.directories;
  if (podName !== undefined) claimName(podsOf(data), podName, pod.uuid, (uuid) => isNamed(data, uuid));
  const lock = await FileLock.acquire(lockOf(store), "shared", {
    signal,
    onWait: () => settings.log.info("waiting for the store to be cleared up"),
  });
  try {
    return preparePod(pod, {
      ...request,
      name: podName,
      apps: decisions.manifest.apps.map((app, index) => {
        const image = imageAt(decisions, index);
        return { name: app.name, imageId: image.record.id, imageName: image.record.name, treeId: image.treeId };
      }),
      manifest: decisions.manifest,
      claim: decisions.privateUsers && callerIds() === undefined ? () => claimRange(data, pod.uuid) : undefined,
    });
  } finally {
    lock.release();
  }
}

function isNamed(data: string, uuid: string): boolean {
  const pod = findPod(podsOf(data), uuid);
  return pod !== undefined && namedPhases.includes(pod.phase);
}

/** The planner's input for a pod whose directory is filled. @throws Failure of planInput */
export function inputOf(
  settings: Settings,
  terms: StartTerms & { readonly foreground: boolean },
  decisions: Decisions,
  { pod, record, cgroups }: PreparedPod,
  trees: ReadonlyMap<string, TreeRoot>,
): PlanInput {
  return planInput(settings, terms, decisions, {
    uuid: pod.uuid,
    hostname: record.hostname ?? defaultHostname(pod.uuid),
    idBase: record.idBase,
    cgroups,
    trees,
    canIdmap: record.idBase !== undefined && canIdmapOverlay(settings.directories.data),
    foreground: terms.foreground,
  });
}

/** Where each app's tree is, rendering what is missing. @throws Failure WRONG_STATE when dependencies changed since the images were chosen */
export async function treesOf(
  settings: Settings,
  store: Store,
  decisions: Pick<Decisions, "manifest" | "images">,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, TreeRoot>> {
  const trees = new Map<string, TreeRoot>();
  for (const [index, app] of decisions.manifest.apps.entries()) {
    const image = imageAt(decisions, index);
    const tree =
      findTree(store, image.treeId) ?? (await ensureTree(store, image.record.id, { log: settings.log, signal }));
    // A dependency that was fetched meanwhile makes another tree, of which neither trust nor the pod's record knows.
    if (tree.id !== image.treeId) throw changedMeanwhile(image, "run or prepare it again");
    trees.set(app.name, rootOf(tree));
  }
  return trees;
}

export function changedMeanwhile({ record }: ChosenImage, hint: string): Failure {
  return new Failure("WRONG_STATE", `what ${record.name} depends on changed meanwhile`, { hint });
}

function imageAt({ images, manifest }: Pick<Decisions, "manifest" | "images">, index: number): ChosenImage {
  const image = images[index];
  if (image === undefined) throw new Failure("INTERNAL", `${manifest.apps[index]?.name ?? index} has no image`);
  return image;
}
