/** Isolators of pod and app → what is enforced, and a report on each (ACE-21, ACE-22). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import { parseQuantity } from "../schema/grammar.ts";
import type { IsolatorName } from "../schema/isolators.ts";
import { boundMemory, boundMillicores } from "./bounds.ts";
import type { CgroupFeatures } from "./cgroup-layout.ts";
import type { CgroupLimits } from "./cgroup-plan.ts";
import { type Confinement, type ConfinementOptions, decideConfinement } from "./confinement.ts";
import { type IsolatorLike, type IsolatorReport, type Level, lastValue, say } from "./isolator-level.ts";
import type { SecurityModule } from "./lsm.ts";
import { decideSysctls, type Sysctl } from "./sysctls.ts";

export interface IsolatorOptions extends ConfinementOptions {
  readonly features: CgroupFeatures;
  readonly network: "none" | "host";
  /** The caller's own oom_score_adj: an app's is never lower. */
  readonly callerOomScore: number;
  readonly securityModules: readonly SecurityModule[];
}

/** One app's isolation, decided. */
export interface AppIsolation extends Confinement {
  readonly name: string;
  readonly limits: CgroupLimits;
  readonly oomScoreAdj?: number | undefined;
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

/** Processes and threads of a pod (security 4.2). */
const podProcesses = 2048;

/**
 * @throws Failure KERNEL_LACKS when a limit is asked for whose controller is missing or cannot be used, MANIFEST_INVALID, UNSUPPORTED
 * (a sysctl that is not the pod's own, a profile of a security module that this kernel runs: ACE-36, ACE-37, ACE-44)
 */
export function decideIsolators(
  pod: readonly IsolatorLike[],
  apps: readonly AppIsolators[],
  options: IsolatorOptions,
): PodIsolation {
  const report: IsolatorReport[] = [];
  const podLevel: Level = { app: undefined, isolators: pod, fromImage: new Set(), report };
  const podLimits = decideLimits(podLevel, {}, options.features);
  const limits = options.features.pids === true ? { ...podLimits, pids: podProcesses } : podLimits;
  const sysctls = decideSysctls(lastValue(podLevel, "os/unix/sysctl") ?? {}, options.network);
  reportRest(podLevel, options, sysctls.length > 0 ? ["os/unix/sysctl"] : []);
  return {
    limits,
    sysctls,
    apps: apps.map((app) => decideApp({ ...app, app: app.name, report }, app.name, podLimits, options)),
    report,
  };
}

function decideApp(level: Level, name: string, podLimits: CgroupLimits, options: IsolatorOptions): AppIsolation {
  const decided: AppIsolation = {
    name,
    limits: decideLimits(level, podLimits, options.features),
    oomScoreAdj: decideOomScore(level, options.callerOomScore),
    ...decideConfinement(level, options),
  };
  reportRest(level, options, []);
  return decided;
}

/** An app's limits never exceed the pod's (ACE-21). */
function decideLimits(level: Level, bound: CgroupLimits, features: CgroupFeatures): CgroupLimits {
  const memory = decideMemory(level, bound, features);
  const cpu = decideCpu(level, bound, features);
  const shares = lastValue(level, "os/linux/cpu-shares");
  if (shares !== undefined) {
    requireFeature(features.cpu, "os/linux/cpu-shares");
    say(level, "os/linux/cpu-shares", "enforced", `${shares} of the usual 1024`);
  }
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu.limit === undefined ? {} : { cpuMillicores: cpu.limit }),
    ...((shares ?? cpu.shares) === undefined ? {} : { cpuShares: shares ?? cpu.shares }),
  };
}

function decideMemory(level: Level, bound: CgroupLimits, features: CgroupFeatures): bigint | undefined {
  const value = lastValue(level, "resource/memory");
  if (value === undefined) return undefined;
  if (value.limit === undefined) {
    say(level, "resource/memory", "ignored", "a request without a limit: no memory is set aside");
    return undefined;
  }
  requireFeature(features.memory, "resource/memory");
  const limit = boundMemory(parseQuantity(value.limit) ?? 0n, level.app ?? "the pod");
  const isBound = bound.memory !== undefined && limit > bound.memory;
  say(
    level,
    "resource/memory",
    isBound ? "modified" : "enforced",
    isBound ? `limit ${bound.memory} bytes, which is the pod's` : `limit ${limit} bytes`,
  );
  return isBound ? bound.memory : limit;
}

/** The request is the share under contention; missing, it is the limit (ACE-41). */
function decideCpu(
  level: Level,
  bound: CgroupLimits,
  features: CgroupFeatures,
): { readonly limit?: number | undefined; readonly shares?: number | undefined } {
  const value = lastValue(level, "resource/cpu");
  if (value === undefined) return {};
  requireFeature(features.cpu, "resource/cpu");
  const millicores = (text: string | undefined) =>
    text === undefined ? undefined : boundMillicores(parseQuantity(text, 1000n) ?? 0n);
  const asked = millicores(value.limit);
  const request = millicores(value.request) ?? asked ?? 0;
  const shares = Math.min(262144, Math.max(2, Math.round((request * 1024) / 1000)));
  const isBound = asked !== undefined && bound.cpuMillicores !== undefined && asked > bound.cpuMillicores;
  const limit = isBound ? bound.cpuMillicores : asked;
  const said = limit === undefined ? "no limit" : `limit ${limit} thousandths of a core`;
  say(
    level,
    "resource/cpu",
    isBound ? "modified" : "enforced",
    `${said}${isBound ? ", which is the pod's" : ""}, shares ${shares}`,
  );
  return { limit, shares };
}

function requireFeature(feature: true | string, isolator: IsolatorName): void {
  if (feature === true) return;
  throw new Failure("KERNEL_LACKS", `${isolator} cannot be enforced: ${feature}`, {
    subject: isolator,
    hint: "run as root, or in a cgroup that was delegated with this controller (systemd-run --user --scope -p Delegate=yes)",
  });
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

/** Everything that was not decided above: said to be ignored, or refused where ignoring it is not allowed. */
function reportRest(level: Level, { securityModules }: IsolatorOptions, handled: readonly string[]): void {
  const said = new Set(level.report.filter(({ app }) => app === level.app).map(({ name }) => name));
  for (const { name } of level.isolators) {
    if (said.has(name)) continue;
    said.add(name);
    if (handled.includes(name)) {
      level.report.push({ name, app: level.app, state: "enforced", why: "as written" });
      continue;
    }
    const needed = moduleOf(name);
    if (needed !== undefined && securityModules.includes(needed)) {
      throw new Failure("UNSUPPORTED", `${excerpt(name)}: profiles of ${needed} cannot be applied by this version`, {
        subject: name,
        cause: "running without the profile that was asked for would be less isolation than the manifest demands",
      });
    }
    level.report.push({ name, app: level.app, state: "ignored", why: reasonOf(name, level.app, needed) });
  }
}

function moduleOf(name: string): SecurityModule | undefined {
  if (name === "os/linux/apparmor-profile") return "apparmor";
  return name === "os/linux/selinux-context" ? "selinux" : undefined;
}

function reasonOf(name: string, app: string | undefined, needed: SecurityModule | undefined): string {
  if (needed !== undefined) return `this kernel does not run ${needed}`;
  if (name === "os/unix/sysctl") return "only a pod has sysctls, an app has none";
  if (/^resource\/(block|network)-/.test(name)) return "this version does not limit block devices and networks";
  const isAppOnly = /^os\/linux\/(capabilities-|seccomp-|no-new-privileges|oom-score-adj)/.test(name);
  return isAppOnly && app === undefined ? "it is for apps, not for a pod" : "unknown to this version";
}
