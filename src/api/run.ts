/** run: a pod of images, from references to a started shim. Returns a handle; never ends the caller's process by itself. */
import { Failure } from "../base/failure.ts";
import { defaultHostname } from "../pod/network.ts";
import type { PlanInput } from "../pod/plan.ts";
import type { Pod } from "../pod/pod.ts";
import { shimPath } from "../shim/binary.ts";
import { podCgroups, treeWarnings } from "./decide.ts";
import { decidePorts } from "./decide-networks.ts";
import { fillPod, inNewPod, inputOf, treesOf } from "./fill-pod.ts";
import type { RunOptions } from "./run-options.ts";
import { requirePods, type Settings } from "./settings.ts";
import { type RunnablePod, startPod } from "./start-pod.ts";

export type { RunApp, RunOptions } from "./run-options.ts";
export type { PodHandle, RunnablePod } from "./start-pod.ts";

type StartOptions = RunOptions & { readonly foreground: boolean };

/**
 * Everything up to the start of the shim. A failure leaves nothing behind: neither a pod nor a claimed id nor a cgroup.
 * @throws Failure USAGE, SHIM_MISSING, KERNEL_LACKS, INTERRUPTED …, and what choosePod throws
 */
export async function runPod(settings: Settings, options: StartOptions): Promise<RunnablePod> {
  await requireStartable(settings, options);
  return await inNewPod(settings, options, async ({ store, root, pod, decisions }) => {
    const ports = decidePorts(decisions.networks, decisions.manifest);
    const terms = {
      network: decisions.networks.words,
      hostname: decisions.hostname ?? defaultHostname(pod.uuid),
      cgroups: podCgroups(decisions, pod.uuid),
    };
    const prepared = await fillPod(settings, store, pod, decisions, terms, options);
    const trees = await treesOf(settings, store, decisions, options.signal);
    const input = inputOf(settings, options, decisions, prepared, trees);
    return await startPod(settings, root, {
      prepared,
      input: { ...input, metadata: await metadataOf(settings, pod, input, options) },
      trees,
      emptyVolumes: decisions.emptyVolumes,
      networks: decisions.networks,
      ports,
      podName: options.podName,
      warnings: [...decisions.warnings, ...treeWarnings(decisions, trees)],
      uuidFile: options.uuidFile,
      signal: options.signal,
    });
  });
}

/** Where the pod's apps are answered, if they asked to be. @throws Failure TIMED_OUT, IO_FAILED, SHIM_MISSING */
export async function metadataOf(
  settings: Settings,
  pod: Pod,
  { network }: PlanInput,
  { metadata, signal }: Pick<RunOptions, "metadata" | "signal">,
): Promise<PlanInput["metadata"]> {
  if (metadata !== true) return undefined;
  const { registerForMetadata } = await import("./register-pod.ts");
  return await registerForMetadata(settings, pod, network === "host", signal);
}

/** @throws Failure KERNEL_LACKS, NOT_ROOT, USAGE, SHIM_MISSING: what is told before anything is looked for */
export async function requireStartable(settings: Settings, options: Pick<StartOptions, "metadata">): Promise<void> {
  await requirePods(settings);
  if (options.metadata === true && !settings.caller.isRoot) {
    throw new Failure("NOT_ROOT", "--mds-register needs root: the service takes over a socket of the pod's init", {
      hint: "run it without --mds-register, or as root",
    });
  }
  shimPath();
}
