/** What cgroups a pod gets and what is written in them, on whatever hierarchies are there. Pure: cgroup.ts makes them. */
import type { CgroupLayout, Controller, Hierarchy } from "./cgroup-layout.ts";
import { deviceProgram, deviceRules, type GivenDevice } from "./devices.ts";

export interface CgroupLimits {
  /** Bytes. */
  readonly memory?: bigint | undefined;
  readonly cpuMillicores?: number | undefined;
  /** 2…262144, 1024 is the usual. */
  readonly cpuShares?: number | undefined;
  readonly pids?: number | undefined;
  readonly block?: BlockLimits | undefined;
  /** Bytes a second, sent and received each. */
  readonly traffic?: bigint | undefined;
}

/** For each of the devices, for reading and for writing by itself. */
export interface BlockLimits {
  /** `MAJOR:MINOR` of whole disks. */
  readonly devices: readonly string[];
  /** A second. */
  readonly bytes?: bigint | undefined;
  readonly operations?: bigint | undefined;
}

export interface CgroupWrite {
  readonly file: string;
  readonly value: string;
  /** Not every kernel has the file. */
  readonly optional?: boolean;
}

/** A directory to make and the files to write in it, in order. */
export interface CgroupDirectory {
  readonly path: string;
  readonly writes: readonly CgroupWrite[];
}

export interface PodCgroups {
  /** Existing v2 directories whose children are to have controllers: `+memory +pids`. */
  readonly enable: readonly { readonly path: string; readonly value: string }[];
  /** Parents first. */
  readonly directories: readonly CgroupDirectory[];
  /** Joined by init. */
  readonly init: readonly string[];
  /** Joined by an app in addition, by app name; absent when its limits are the pod's. */
  readonly apps: ReadonlyMap<string, readonly string[]>;
  /** Children first. */
  readonly remove: readonly string[];
  readonly deviceFilter?: { readonly cgroup: string; readonly program: Uint8Array } | undefined;
  readonly networkLimits?: readonly NetworkLimit[] | undefined;
  /** v1 cgroups whose knobs apps may read at /sys/fs/cgroup/NAME; on pure v2 it is the one file system. */
  readonly visible: "v2" | readonly { readonly name: string; readonly path: string }[];
}

/** What processes of a v2 cgroup may send, and receive, in bytes a second. */
export interface NetworkLimit {
  readonly cgroup: string;
  readonly bytes: bigint;
}

export interface PodLimits {
  readonly pod: CgroupLimits;
  readonly apps: readonly PodLimitsOfApp[];
  /** What the pod may open beside the devices of every pod. */
  readonly devices?: readonly GivenDevice[] | undefined;
}

interface PodLimitsOfApp {
  readonly name: string;
  readonly limits: CgroupLimits;
  /** Before it is started again, what is in its cgroup is killed: then it needs one of its own. */
  readonly restart?: object | undefined;
}

/**
 * What will be made for a pod: `perigee-UUID` in the base of every hierarchy that can be written, and below it `app-NAME` for apps with
 * limits of their own in a pod of several. Nothing is touched.
 */
export function planPodCgroups(layout: CgroupLayout, uuid: string, limits: PodLimits): PodCgroups {
  const [first, ...others] = limits.apps;
  // The only app's limits are bounded by the pod's already (ACE-21), so one cgroup says both.
  const isSingle = first !== undefined && others.length === 0;
  const pod = isSingle ? both(limits.pod, first.limits) : limits.pod;
  const apps = isSingle ? [] : limits.apps;
  const devices = limits.devices ?? [];
  const parts = layout.hierarchies
    .filter((hierarchy) => hierarchy.writable && isNeeded(hierarchy, [pod, ...apps.map((app) => app.limits)]))
    .map((hierarchy) => {
      const path = `${hierarchy.base}/perigee-${uuid}`;
      return hierarchy.version === 1 ? planV1(hierarchy, path, pod, apps, devices) : planV2(hierarchy, path, pod, apps);
    });
  const directories = parts.flatMap((part) => part.directories);
  const filter = parts.find((part) => part.filters)?.directories[0];
  return {
    enable: parts.flatMap((part) => part.enable),
    directories,
    init: parts.map((part) => part.init),
    apps: joined(limits.apps, parts),
    remove: directories.map(({ path }) => path).toReversed(),
    ...(filter ? { deviceFilter: { cgroup: filter.path, program: deviceProgram(devices) } } : {}),
    networkLimits: parts.flatMap((part) => part.networkLimits),
    visible: layout.kind === "v2" && parts.length > 0 ? "v2" : parts.flatMap((part) => part.visible),
  };
}

interface HierarchyPlan {
  readonly enable: PodCgroups["enable"];
  readonly directories: readonly CgroupDirectory[];
  readonly init: string;
  readonly apps: ReadonlyMap<string, string>;
  /** The first directory takes a device program. */
  readonly filters: boolean;
  readonly networkLimits: readonly NetworkLimit[];
  readonly visible: readonly { readonly name: string; readonly path: string }[];
}

/** A hierarchy for block devices or packets alone would be one directory more in the start of every pod. */
function isNeeded({ version, controllers }: Hierarchy, limits: readonly CgroupLimits[]): boolean {
  const isForBlocks = version === 1 && controllers.every((controller) => controller === "io");
  const isForPackets = controllers.length > 0 && controllers.every((controller) => controller === "network");
  if (isForPackets) return limits.some(({ traffic }) => traffic !== undefined);
  return !isForBlocks || limits.some(({ block }) => block !== undefined);
}

/** The only app's own limits count; init is not one of its processes (ISO-10). */
function both(pod: CgroupLimits, app: CgroupLimits): CgroupLimits {
  const own = Object.fromEntries(Object.entries(app).filter(([, value]) => value !== undefined));
  if (app.pids === undefined) return { ...pod, ...own };
  return { ...pod, ...own, pids: Math.min(app.pids + 1, pod.pids ?? Number.MAX_SAFE_INTEGER) };
}

function joined(apps: PodLimits["apps"], parts: readonly HierarchyPlan[]): PodCgroups["apps"] {
  const paths = apps.map(({ name }) => [name, parts.flatMap((part) => part.apps.get(name) ?? [])] as const);
  return new Map(paths.filter(([, list]) => list.length > 0));
}

/** All that a kernel has. */
const everyProcess = 4194304;

/** A cgroup of its own is one with a limit of its own: of processes, because what cannot fork while it is killed ends. */
function ownLimits({ limits, restart }: PodLimitsOfApp): CgroupLimits {
  return restart === undefined ? limits : { pids: everyProcess, ...limits };
}

function planV1(
  hierarchy: Hierarchy,
  path: string,
  pod: CgroupLimits,
  apps: PodLimits["apps"],
  given: readonly GivenDevice[],
): HierarchyPlan {
  const writesOf = (limits: CgroupLimits) =>
    hierarchy.controllers.flatMap((controller) => v1Writes(controller, limits));
  const devices = hierarchy.controllers.includes("devices") ? v1Devices(given) : [];
  const children = apps
    .map((app) => ({ name: app.name, path: `${path}/app-${app.name}`, writes: writesOf(ownLimits(app)) }))
    .filter(({ writes }) => writes.length > 0);
  return {
    enable: [],
    directories: [
      { path, writes: [...devices, ...writesOf(pod)] },
      ...children.map(({ path, writes }) => ({ path, writes })),
    ],
    init: path,
    apps: new Map(children.map(({ name, path }) => [name, path])),
    filters: false,
    networkLimits: [],
    visible: hierarchy.controllers.filter((name) => isVisible(name)).map((name) => ({ name, path })),
  };
}

/** What language runtimes look up to size themselves. */
function isVisible(controller: Controller): boolean {
  return controller === "memory" || controller === "cpu" || controller === "pids";
}

function v1Devices(given: readonly GivenDevice[]): readonly CgroupWrite[] {
  const allowed = deviceRules(given).map((value) => ({ file: "devices.allow", value }));
  return [{ file: "devices.deny", value: "a" }, ...allowed];
}

/** Microseconds; the kernel's own default. */
const cpuPeriod = 100_000;

/** The kernel takes no quota below a millisecond. */
function cpuQuota(millicores: number): number {
  return Math.max(1000, (millicores * cpuPeriod) / 1000);
}

function v1Writes(controller: Controller, limits: CgroupLimits): readonly CgroupWrite[] {
  const { memory, cpuMillicores, cpuShares, pids } = limits;
  switch (controller) {
    case "memory":
      // The limit holds for memory and swap together, or an app would not be ended but swapped out (ACE-41).
      return memory === undefined
        ? []
        : [
            { file: "memory.limit_in_bytes", value: String(memory) },
            { file: "memory.memsw.limit_in_bytes", value: String(memory), optional: true },
          ];
    case "cpu":
      return [
        ...(cpuMillicores === undefined
          ? []
          : [
              { file: "cpu.cfs_period_us", value: String(cpuPeriod) },
              { file: "cpu.cfs_quota_us", value: String(cpuQuota(cpuMillicores)) },
            ]),
        ...(cpuShares === undefined ? [] : [{ file: "cpu.shares", value: String(cpuShares) }]),
      ];
    case "pids":
      return pids === undefined ? [] : [{ file: "pids.max", value: String(pids) }];
    case "io":
      return v1Throttles(limits.block);
    default:
      return [];
  }
}

function v1Throttles(block: BlockLimits | undefined): readonly CgroupWrite[] {
  const kinds = [
    ["bps", block?.bytes],
    ["iops", block?.operations],
  ] as const;
  return (block?.devices ?? []).flatMap((device) =>
    kinds.flatMap(([unit, limit]) => {
      if (limit === undefined) return [];
      const files = ["read", "write"].map((way) => `blkio.throttle.${way}_${unit}_device`);
      return files.map((file) => ({ file, value: `${device} ${limit}` }));
    }),
  );
}

function v2Throttles({ devices, bytes, operations }: BlockLimits): readonly CgroupWrite[] {
  const limits = [
    ...(bytes === undefined ? [] : [`rbps=${bytes}`, `wbps=${bytes}`]),
    ...(operations === undefined ? [] : [`riops=${operations}`, `wiops=${operations}`]),
  ];
  return devices.map((device) => ({ file: "io.max", value: [device, ...limits].join(" ") }));
}

/** A v2 cgroup whose children have controllers may hold no process itself, so init gets a leaf beside the apps. */
function planV2(hierarchy: Hierarchy, path: string, pod: CgroupLimits, apps: PodLimits["apps"]): HierarchyPlan {
  const trafficOf = ({ traffic }: CgroupLimits) => (hierarchy.controllers.includes("network") ? traffic : undefined);
  const children = apps
    .map((app) => ({
      ...{ name: app.name, path: `${path}/app-${app.name}` },
      ...{ writes: v2Writes(hierarchy, ownLimits(app)), traffic: trafficOf(app.limits) },
    }))
    .filter(({ writes, traffic }) => writes.length > 0 || traffic !== undefined);
  const podWrites = v2Writes(hierarchy, pod);
  const ofApps = children.flatMap(({ writes }) => writes);
  const forApps = enabling(hierarchy, ofApps);
  const forPod = enabling(hierarchy, [...podWrites, ...ofApps]);
  const isSplit = children.length > 0;
  return {
    enable: forPod === "" ? [] : [{ path: hierarchy.base, value: forPod }],
    directories: [
      { path, writes: [...podWrites, ...(forApps === "" ? [] : [{ file: "cgroup.subtree_control", value: forApps }])] },
      ...(isSplit ? [{ path: `${path}/init`, writes: [] }] : []),
      ...children.map(({ path, writes }) => ({ path, writes })),
    ],
    init: isSplit ? `${path}/init` : path,
    apps: new Map(children.map(({ name, path }) => [name, path])),
    filters: hierarchy.controllers.includes("devices"),
    networkLimits: [{ path, traffic: trafficOf(pod) }, ...children].flatMap(({ path: cgroup, traffic }) =>
      traffic === undefined ? [] : [{ cgroup, bytes: traffic }],
    ),
    visible: [],
  };
}

/** Without the controller of memory the kernel would not know whose pages it writes to a disk later, and throttle nobody for them. */
function enabling({ controllers }: Hierarchy, writes: readonly CgroupWrite[]): string {
  const needed = new Set(writes.map(({ file }) => file.slice(0, file.indexOf("."))));
  if (needed.has("io") && controllers.includes("memory")) needed.add("memory");
  return [...needed].map((name) => `+${name}`).join(" ");
}

function v2Writes({ controllers }: Hierarchy, limits: CgroupLimits): readonly CgroupWrite[] {
  const has = (controller: Controller) => controllers.includes(controller);
  const { memory, cpuMillicores, cpuShares, pids } = limits;
  const writes: CgroupWrite[] = [];
  if (has("memory") && memory !== undefined) {
    writes.push({ file: "memory.max", value: String(memory) }, { file: "memory.swap.max", value: "0", optional: true });
  }
  if (has("cpu") && cpuMillicores !== undefined) {
    writes.push({ file: "cpu.max", value: `${cpuQuota(cpuMillicores)} ${cpuPeriod}` });
  }
  if (has("cpu") && cpuShares !== undefined) writes.push({ file: "cpu.weight", value: String(weightOf(cpuShares)) });
  if (has("pids") && pids !== undefined) writes.push({ file: "pids.max", value: String(pids) });
  if (has("io") && limits.block !== undefined) writes.push(...v2Throttles(limits.block));
  return writes;
}

/** Shares 2…262144 onto weight 1…10000, as the other runtimes do. */
export function weightOf(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262142);
}
