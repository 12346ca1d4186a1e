/** What a pod or an app may use of the machine: its isolators → limits of cgroups, and a report on each. Pure. */
import { Failure, printable } from "../base/failure.ts";
import { parseQuantity } from "../schema/grammar.ts";
import type { IsolatorName } from "../schema/isolators.ts";
import type { BlockDevices } from "./block-devices.ts";
import { boundBlock, boundMemory, boundMillicores } from "./bounds.ts";
import type { CgroupFeatures } from "./cgroup-layout.ts";
import type { BlockLimits, CgroupLimits } from "./cgroup-plan.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";
import { decideTraffic, type TrafficOptions } from "./traffic.ts";

export interface LimitOptions extends TrafficOptions {
  readonly features: CgroupFeatures;
  /** Which hierarchy has the controller of block devices: v1 does not count what is written through memory. */
  readonly blockVersion: 1 | 2;
  /** A pod of an ordinary user: what cannot be limited for want of a cgroup is said, and the pod runs (ISO-23). */
  readonly isUnprivileged?: boolean | undefined;
  /** Asked only when something limits block devices. */
  readonly blockDevices: () => BlockDevices;
}

/** Processes and threads of a pod (ISO-8). */
const podProcesses = 2048;

/**
 * `pod`: the pod's limits, which an app's never exceed (ACE-21); undefined for those of the pod itself.
 * @throws Failure KERNEL_LACKS when a limit is asked for whose controller is missing or cannot be used, MANIFEST_INVALID (POD-30)
 */
export function decideLimits(level: Level, pod: CgroupLimits | undefined, options: LimitOptions): CgroupLimits {
  const bound = pod ?? {};
  const memory = decideMemory(level, bound, options);
  const cpu = decideCpu(level, bound, options);
  const shares = decideShares(level, options);
  const pids = decidePids(level, pod, options);
  const block = decideBlock(level, bound, options);
  const traffic = decideTraffic(level, bound.traffic, options);
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu.limit === undefined ? {} : { cpuMillicores: cpu.limit }),
    ...((shares ?? cpu.shares) === undefined ? {} : { cpuShares: shares ?? cpu.shares }),
    ...(pids === undefined ? {} : { pids }),
    ...(block === undefined ? {} : { block }),
    ...(traffic === undefined ? {} : { traffic }),
  };
}

function decideShares(level: Level, options: LimitOptions): number | undefined {
  const shares = lastValue(level, "os/linux/cpu-shares");
  if (shares === undefined || isLacking(level, "os/linux/cpu-shares", "cpu", options)) return undefined;
  say(level, "os/linux/cpu-shares", "enforced", `${shares} of the usual 1024`);
  return shares;
}

function decideMemory(level: Level, bound: CgroupLimits, options: LimitOptions): bigint | undefined {
  const value = lastValue(level, "resource/memory");
  if (value === undefined) return undefined;
  if (value.limit === undefined) {
    say(level, "resource/memory", "ignored", "a request without a limit: no memory is set aside");
    return undefined;
  }
  if (isLacking(level, "resource/memory", "memory", options)) return undefined;
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
  options: LimitOptions,
): { readonly limit?: number | undefined; readonly shares?: number | undefined } {
  const value = lastValue(level, "resource/cpu");
  if (value === undefined || isLacking(level, "resource/cpu", "cpu", options)) return {};
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

/** The pod has a limit unasked; one that was asked for and cannot be had is refused, as any other (ISO-8, ISO-10). */
function decidePids(level: Level, pod: CgroupLimits | undefined, options: LimitOptions): number | undefined {
  const asked = lastValue(level, "perigee/pids");
  const isByUser = options.isUnprivileged === true && options.features.pids !== true;
  if (asked === undefined)
    return pod === undefined && (isByUser || options.features.pids === true) ? podProcesses : undefined;
  const most = pod?.pids ?? asked;
  if (isByUser) {
    say(
      level,
      "perigee/pids",
      "modified",
      `${Math.min(asked, most)} of each user of the pod: ${options.features.pids}`,
    );
    return Math.min(asked, most);
  }
  requireFeature(options.features.pids, "perigee/pids");
  const why = asked > most ? `${most}, which is the pod's` : `${asked} processes and threads`;
  say(level, "perigee/pids", asked > most ? "modified" : "enforced", why);
  return Math.min(asked, most);
}

const blockIsolators = [
  ["resource/block-bandwidth", "bytes", "bytes a second"],
  ["resource/block-iops", "operations", "operations a second"],
] as const;

/**
 * Both limits hold for reading and for writing, each by itself, on every device (ISO-11). What an app leaves open is the pod's: a v1
 * hierarchy does not add up what the apps of a pod use.
 */
function decideBlock(level: Level, bound: CgroupLimits, options: LimitOptions): BlockLimits | undefined {
  const asked = blockIsolators.flatMap(([name, kind, unit]) => {
    const limit = lastValue(level, name)?.limit;
    return limit === undefined ? [] : [{ name, kind, unit, limit: parseQuantity(limit) ?? 0n }];
  });
  if (asked.length === 0) return undefined;
  const found = options.blockDevices();
  let limits: Pick<BlockLimits, "bytes" | "operations"> = bound.block ?? {};
  for (const { name, kind, unit, limit } of asked) {
    if (isLacking(level, name, "io", options)) continue;
    const own = boundBlock(limit, kind, level.app ?? "the pod");
    const most = bound.block?.[kind];
    const isBound = most !== undefined && own > most;
    const value = isBound ? most : own;
    limits = { ...limits, [kind]: value };
    const said = `${value} ${unit}${isBound ? ", which is the pod's" : ""}, reading and writing each`;
    sayBlock(level, { name, said, isBound }, found, options.blockVersion);
  }
  const isNothing = found.devices.length === 0 || (limits.bytes ?? limits.operations) === undefined;
  return isNothing ? undefined : { devices: found.devices, ...limits };
}

interface BlockWords {
  readonly name: (typeof blockIsolators)[number][0];
  readonly said: string;
  readonly isBound: boolean;
}

/** Where the limit does not hold is said, not hidden (ACE-22). */
function sayBlock(level: Level, words: BlockWords, { devices, unknown }: BlockDevices, version: 1 | 2): void {
  const { name, said, isBound } = words;
  const hidden = unknown.length === 0 ? [] : [`devices behind ${unknown.map(printable).join(", ")} cannot be told`];
  if (devices.length === 0) {
    say(level, name, "ignored", hidden[0] ?? "nothing of the pod is on a block device");
    return;
  }
  const lacks = [...hidden, ...(version === 1 ? v1Lacks(level) : [])];
  const state = isBound || lacks.length > 0 ? "modified" : "enforced";
  say(level, name, state, [`${said}, on ${devices.join(", ")}`, ...lacks].join("; "));
}

function v1Lacks({ app }: Level): readonly string[] {
  return [
    "cgroup v1 does not count what is written through the page cache",
    ...(app === undefined ? ["an app with a limit of its own is not counted with the others"] : []),
  ];
}

/** Whether a limit cannot be had and is said to be ignored. @throws Failure KERNEL_LACKS where it is not to be run without (ISO-23) */
function isLacking(
  level: Level,
  name: IsolatorName,
  controller: keyof CgroupFeatures,
  { features, isUnprivileged }: LimitOptions,
): boolean {
  const feature = features[controller];
  if (feature === true) return false;
  if (isUnprivileged !== true) requireFeature(feature, name);
  say(level, name, "ignored", `${feature}: systemd-run --user --scope -p Delegate=yes perigee …`);
  return true;
}

function requireFeature(feature: true | string, isolator: IsolatorName): void {
  if (feature === true) return;
  throw new Failure("KERNEL_LACKS", `${isolator} cannot be enforced: ${feature}`, {
    subject: isolator,
    hint: "run as root, or in a cgroup that was delegated with this controller (systemd-run --user --scope -p Delegate=yes)",
  });
}
