/** Isolators of pod and app → what is enforced, and a report on each (ACE-21, ACE-22). Pure. */
import type { HealthPlan, RestartPlan } from "../shim/stages.ts";
import type { CgroupLimits } from "./cgroup-plan.ts";
import { type Confinement, type ConfinementOptions, decideConfinement } from "./confinement.ts";
import { decideHealth, restartForHealth } from "./health.ts";
import { type IsolatorLike, type IsolatorReport, type Level, lastValue, say } from "./isolator-level.ts";
import { decideLabels, type LabelOptions, type Labels } from "./labels.ts";
import { decideLimits, type LimitOptions } from "./limits.ts";
import { decideRestart } from "./restart.ts";
import { decideSysctls, type Sysctl } from "./sysctls.ts";

export interface IsolatorOptions extends ConfinementOptions, LimitOptions, LabelOptions {
  /** The caller's own oom_score_adj: an app's is never lower. */
  readonly callerOomScore: number;
}

/** One app's isolation, decided. */
export interface AppIsolation extends Confinement, Labels {
  readonly name: string;
  readonly limits: CgroupLimits;
  readonly oomScoreAdj?: number | undefined;
  readonly restart?: RestartPlan | undefined;
  readonly health?: HealthPlan | undefined;
}

/** An app's isolators, and the names of those that the image says and nobody replaced. */
export interface AppIsolators {
  readonly name: string;
  readonly isolators: readonly IsolatorLike[];
  readonly fromImage: ReadonlySet<string>;
}

export interface PodIsolation {
  readonly limits: CgroupLimits;
  readonly sysctls: readonly Sysctl[];
  readonly apps: readonly AppIsolation[];
  readonly report: readonly IsolatorReport[];
}

/**
 * @throws Failure KERNEL_LACKS when a limit is asked for whose controller is missing or cannot be used, MANIFEST_INVALID, UNSUPPORTED
 * (a sysctl that is not the pod's own: ACE-44), and what decideLabels throws
 */
export function decideIsolators(
  pod: readonly IsolatorLike[],
  apps: readonly AppIsolators[],
  options: IsolatorOptions,
): PodIsolation {
  const report: IsolatorReport[] = [];
  const podLevel: Level = { app: undefined, isolators: pod, fromImage: new Set(), report };
  const limits = decideLimits(podLevel, undefined, options);
  const sysctls = decideSysctls(lastValue(podLevel, "os/unix/sysctl") ?? {}, options.network);
  decideLabels(podLevel, undefined, options);
  reportRest(podLevel, sysctls.length > 0 ? ["os/unix/sysctl"] : []);
  return {
    limits,
    sysctls,
    apps: apps.map((app) => decideApp({ ...app, app: app.name, report }, podLevel, limits, options)),
    report,
  };
}

function decideApp(
  level: Level & { readonly name: string },
  pod: Level,
  podLimits: CgroupLimits,
  options: IsolatorOptions,
): AppIsolation {
  const health = decideHealth(level);
  const decided: AppIsolation = {
    name: level.name,
    limits: decideLimits(level, podLimits, options),
    oomScoreAdj: decideOomScore(level, options.callerOomScore),
    restart: restartForHealth(decideRestart(level), health),
    health,
    ...decideConfinement(level, options),
    ...decideLabels(level, pod, options),
  };
  reportRest(level, []);
  return decided;
}

function decideOomScore(level: Level, callers: number): number | undefined {
  const score = lastValue(level, "os/linux/oom-score-adj");
  if (score === undefined) return undefined;
  const isLow = score < callers;
  say(
    level,
    "os/linux/oom-score-adj",
    isLow ? "modified" : "enforced",
    isLow ? `${callers}, as the caller's` : String(score),
  );
  return Math.max(score, callers);
}

/** Everything that was not decided above: said to be ignored. */
function reportRest(level: Level, handled: readonly string[]): void {
  const said = new Set(level.report.filter(({ app }) => app === level.app).map(({ name }) => name));
  for (const { name } of level.isolators) {
    if (said.has(name)) continue;
    said.add(name);
    if (handled.includes(name)) level.report.push({ name, app: level.app, state: "enforced", why: "as written" });
    else level.report.push({ name, app: level.app, state: "ignored", why: reasonOf(name, level.app) });
  }
}

function reasonOf(name: string, app: string | undefined): string {
  if (name === "os/unix/sysctl") return "only a pod has sysctls, an app has none";
  const isAppOnly =
    /^os\/linux\/(capabilities-|seccomp-|no-new-privileges|oom-score-adj)|^perigee\/(restart|health-check)$/.test(name);
  return isAppOnly && app === undefined ? "it is for apps, not for a pod" : "unknown to this version";
}
