/** prepare: everything of a pod that needs its images, so that run-prepared starts it without them. */
import { Failure } from "../base/failure.ts";
import { buildPlan } from "../pod/plan.ts";
import { putDown } from "../pod/prepared.ts";
import { planTree } from "../store/layers.ts";
import type { Store } from "../store/layout.ts";
import type { ChosenImage } from "./choose-pod.ts";
import { type Decisions, podCgroups, treeWarnings } from "./decide.ts";
import type { NetworkTerms } from "./decide-networks.ts";
import { changedMeanwhile, fillPod, inNewPod, inputOf, treesOf } from "./fill-pod.ts";
import type { RunOptions } from "./run-options.ts";
import { requirePods, type Settings } from "./settings.ts";
import { removeUuidFile, saveUuidFile } from "./uuid-file.ts";

/** Without what is said when the pod is run. */
export type PrepareOptions = Omit<RunOptions, "hostname" | "interactive" | keyof NetworkTerms>;

export interface PreparedResult {
  readonly uuid: string;
  /** As of run. */
  readonly warnings: readonly string[];
}

/**
 * A pod in `prepared`: its images fetched, trusted and rendered, its manifest decided, its ids claimed. What run would refuse is refused
 * here, as far as it can be known before the start (LIFE-50). A failure leaves nothing behind.
 * @throws Failure as runPod, but for the start
 */
export async function preparePod(settings: Settings, options: PrepareOptions): Promise<PreparedResult> {
  await requirePods(settings);
  return await inNewPod(settings, options, async ({ store, root, pod, decisions }) => {
    const { uuid } = pod;
    // Which cgroups it gets depends on who runs it, and when.
    const cgroups = { ...podCgroups(decisions, uuid), remove: [] };
    const request = { cgroups, prepared: termsOf(store, options, decisions) };
    const prepared = await fillPod(settings, store, pod, decisions, request, options);
    const trees = await treesOf(settings, store, decisions, options.signal);
    buildPlan(inputOf(settings, { ...options, foreground: true }, decisions, prepared, trees));
    const warnings = [...decisions.warnings, ...treeWarnings(decisions, trees)];
    if (options.signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted before the pod was prepared");
    const uuidFile = options.uuidFile === undefined ? undefined : await saveUuidFile(options.uuidFile, uuid);
    try {
      await putDown(settings.directories.data, root, pod, prepared.record);
    } catch (error) {
      if (uuidFile !== undefined) await removeUuidFile(uuidFile);
      throw error;
    }
    return { uuid, warnings };
  });
}

function termsOf(store: Store, { overlay, allowSymlinkSources, strict }: PrepareOptions, decisions: Decisions) {
  const { imageIsolators, images } = decisions;
  return {
    layers: [...new Set(images.flatMap((image) => layersOf(store, image)))],
    overlay: overlay ?? true,
    allowSymlinkSources: allowSymlinkSources ?? false,
    strict: strict ?? false,
    imageIsolators: Object.fromEntries([...imageIsolators].map(([app, names]) => [app, [...names]])),
  };
}

/** What the tree is made of, as it was when its id was decided. @throws Failure WRONG_STATE when a dependency was fetched since */
function layersOf(store: Store, image: ChosenImage): readonly string[] {
  const { record, treeId } = image;
  if (!record.hasDependencies) return [record.id];
  const plan = planTree(store, record.id);
  if (plan.treeId === treeId) return plan.layers.map(({ id }) => id);
  throw changedMeanwhile(image, "prepare it again");
}
