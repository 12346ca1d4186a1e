/** plan: what run would do, without a pod directory, a claimed id or a cgroup. */
import { canIdmapOverlay } from "../pod/kernel.ts";
import { defaultHostname } from "../pod/network.ts";
import { buildPlan } from "../pod/plan.ts";
import { explainPlan, type PlanTopic } from "../pod/plan-words.ts";
import { callerIds } from "../shim/caller-ids.ts";
import { describePlan, type Plan } from "../shim/plan.ts";
import { openStoreSync } from "../store/layout.ts";
import { choosePod } from "./choose-pod.ts";
import { decidePod, planInput, podCgroups, treeWarnings } from "./decide.ts";
import { decidePorts } from "./decide-networks.ts";
import { treesOf } from "./fill-pod.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

export interface PlannedPod {
  readonly topics: readonly PlanTopic[];
  readonly warnings: readonly string[];
  readonly isolators: readonly {
    readonly name: string;
    readonly app?: string | undefined;
    readonly state: string;
    readonly why: string;
  }[];
  /** The records of the plan, values of variables left out. */
  readonly records: readonly string[];
}

/** uuid and ids of a plan that is only shown. */
const exampleUuid = "00000000-0000-4000-8000-000000000000";
const exampleBase = 0x7000_0000;

/** Stored images are rendered, others fetched first: users and files are looked up in their trees. @throws Failure as runPod */
export async function planPod(settings: Settings, options: RunOptions): Promise<PlannedPod> {
  const isRoot = callerIds() === undefined;
  const store = openStoreSync(settings.directories.data);
  const decisions = decidePod(settings, options, await choosePod(settings, store, options));
  decidePorts(decisions.networks, decisions.manifest);
  const trees = await treesOf(settings, store, decisions, options.signal);
  const input = planInput(settings, options, decisions, {
    uuid: exampleUuid,
    hostname: decisions.hostname ?? defaultHostname(exampleUuid),
    idBase: decisions.privateUsers && isRoot ? exampleBase : undefined,
    cgroups: podCgroups(decisions, exampleUuid),
    trees,
    canIdmap: isRoot && canIdmapOverlay(settings.directories.data),
    foreground: true,
  });
  const plan: Plan = buildPlan(input);
  return {
    topics: explainPlan(input, plan),
    warnings: [...decisions.warnings, ...treeWarnings(decisions, trees)],
    isolators: decisions.isolation.report,
    records: describePlan(plan),
  };
}
