/** Everything decided → the plan the shim executes. Pure; plan-words.ts says the same to people. */
import { Failure } from "../base/failure.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import type { CallerIds } from "../shim/caller-ids.ts";
import type { AppPlan, DirectoryRoot, MountFlag, MountPlan, NamespaceKind, OverlayRoot, Plan } from "../shim/plan.ts";
import type { PodCgroups } from "./cgroup-plan.ts";
import { commandOf, handlerOf, workingDirectory } from "./commands.ts";
import { storedFilter } from "./default-filter.ts";
import { defaultPolicy } from "./default-policy.ts";
import { deviceLinks, devices, maskedPaths, readonlyPaths } from "./devices.ts";
import { appEnvironment } from "./environment.ts";
import { takesInput } from "./input.ts";
import type { AppIsolation, PodIsolation } from "./isolators.ts";
import type { PodFile, PodNetwork } from "./network.ts";
import { notifySocket } from "./notify.ts";
import { isAtOrBelow } from "./paths.ts";
import {
  callerOf,
  groupsOf,
  hostCgroups,
  idMaps,
  mappersOf,
  type PodRange,
  processLimit,
  requireMapped,
  terminalGroupOf,
} from "./plan-ids.ts";
import { requireRestartable, type Surroundings } from "./restart.ts";
import { compileSeccomp, type SeccompArchitecture } from "./seccomp.ts";
import type { AppSocket } from "./sockets.ts";
import type { ResolvedUser } from "./users.ts";
import type { InspectedSource } from "./volume-sources.ts";
import type { AppMount, TmpfsMount } from "./volumes.ts";

export interface PlanApp {
  readonly name: string;
  readonly root: OverlayRoot | DirectoryRoot;
  readonly user: ResolvedUser;
  readonly mounts: readonly PlannedMount[];
  /** Of podFiles(), those this app gets; their contents are in `files/NAME` of the pod directory. */
  readonly files: readonly PodFile[];
  /** It says by sd_notify when it is ready. */
  readonly notify?: boolean | undefined;
  /** In the order in which it finds them. */
  readonly sockets?: readonly AppSocket[] | undefined;
  /** Relative to the pod directory. */
  readonly log?: { readonly path: string; readonly bytes: number; readonly files: number } | undefined;
}

/** `path` is what is bound: the checked source of a host volume, or the pod's directory for an empty one; of a tmpfs its name. */
export interface PlannedMount extends InspectedSource {
  readonly mount: AppMount;
}

export interface PlanInput {
  readonly uuid: string;
  readonly hostname: string;
  /** Reified. */
  readonly manifest: PodManifest;
  /** In the order of the manifest's apps. */
  readonly apps: readonly PlanApp[];
  /** A range of the pod's own, or the ids of an ordinary user, which are the same for all pods of that user; undefined: --private-users=no. */
  readonly userNamespace?: PodRange | CallerIds | undefined;
  readonly network: PodNetwork;
  /** For a pod that asked for the metadata service; `port`: in its own network. */
  readonly metadata?: { readonly url: string; readonly port?: number | undefined } | undefined;
  /** What undoes its networks when it has ended. */
  readonly teardowns?: Plan["teardowns"] | undefined;
  readonly isolation: PodIsolation;
  readonly cgroups: PodCgroups;
  readonly foreground: boolean;
  /** Who of the caller's hears that the pod is ready. */
  readonly notifyCaller?: string | undefined;
  /** Descriptors of listening sockets that this process was handed. */
  readonly sockets?: readonly number[] | undefined;
  /** The value of TERM for --interactive; undefined: no terminal. */
  readonly terminal?: string | undefined;
  /** `paths` counts here. */
  readonly insecure: ReadonlySet<string>;
  readonly architecture: SeccompArchitecture;
}

/**
 * @throws Failure MANIFEST_INVALID for an app without a command or with a working directory in /proc, UNSUPPORTED for an id outside of the
 * user namespace
 */
export function buildPlan(input: PlanInput): Plan {
  const { network, cgroups, isolation } = input;
  const { uids, gids } = idMaps(input);
  return {
    uuid: input.uuid,
    hostname: input.hostname,
    namespaces: namespacesOf(input),
    uidMaps: uids,
    gidMaps: gids,
    unprivileged: mappersOf(input),
    cgroups: cgroups.init,
    deviceFilter: cgroups.deviceFilter,
    networkLimits: cgroups.networkLimits,
    removeCgroups: cgroups.remove,
    sysctls: isolation.sysctls,
    loopback: network !== "host",
    listenPort: input.metadata?.port,
    foreground: input.foreground,
    attachable: !input.foreground,
    notifyCaller: input.notifyCaller,
    teardowns: input.teardowns ?? [],
    apps: input.apps.map((app, index) => appPlan(input, app, index)),
  };
}

function namespacesOf({ userNamespace, network }: PlanInput): readonly NamespaceKind[] {
  return [
    ...(userNamespace === undefined ? [] : (["user"] as const)),
    ...(["mount", "pid", "ipc", "uts", "cgroup", "time"] as const),
    ...(network === "host" ? [] : (["net"] as const)),
  ];
}

function appPlan(input: PlanInput, app: PlanApp, index: number): AppPlan {
  const { cgroups, terminal, insecure } = input;
  const [described, isolation] = [input.manifest.apps[index], input.isolation.apps[index]];
  if (
    described?.app === undefined ||
    isolation === undefined ||
    described.name !== app.name ||
    isolation.name !== app.name
  ) {
    throw new Failure("INTERNAL", `${app.name} is not the app at its place of the manifest`);
  }
  requireMapped(input, app);
  if (isolation.restart !== undefined) requireRestartable(isolation.restart, surroundingsOf(input, app));
  return {
    name: app.name,
    root: app.root,
    readonlyRoot: described.readOnlyRootFS,
    mounts: [
      ...kernelMounts(input, cgroups.apps.get(app.name)),
      ...app.mounts.map((mount) => volumeMount(input, mount)),
      ...app.files.map(fileMount),
    ],
    devices,
    symlinks: terminal === undefined ? [...deviceLinks, silentConsole] : deviceLinks,
    masks: [...(insecure.has("paths") ? [] : maskedPaths), ...hostCgroups(input)],
    readonlyPaths: [...(insecure.has("paths") ? [] : readonlyPaths), ...cgroupPlaces(cgroups)],
    cgroups: cgroups.apps.get(app.name) ?? [],
    cwd: workingDirectory(described),
    uid: app.user.uid,
    gid: app.user.gid,
    groups: groupsOf(input, app),
    environment: appEnvironment(described.app.environment, {
      name: app.name,
      user: app.user,
      term: terminal,
      metadataUrl: input.metadata?.url,
      notify: app.notify === true ? notifySocket : undefined,
      isActivated: app.sockets !== undefined,
    }),
    command: commandOf(described),
    preStart: handlerOf(described.app, "pre-start"),
    postStop: handlerOf(described.app, "post-stop"),
    handlerSeconds,
    restart: isolation.restart,
    health: isolation.health,
    capabilities: isolation.capabilities,
    // The soft limit of open files is 1024 below the caller's hard limit, always: the shim knows the caller's, we do not.
    rlimits: [{ name: "core", soft: 0, hard: 0 }, ...processLimit(input, index)],
    umask: 0o022,
    noNewPrivileges: isolation.noNewPrivileges,
    seccomp: filterOf(isolation, input.architecture),
    oomScore: isolation.oomScoreAdj,
    apparmor: isolation.apparmor,
    selinux: isolation.selinux,
    terminal: terminal !== undefined,
    takesInput: !input.foreground && terminal === undefined && takesInput(described),
    notify: app.notify === true ? notifySocket : undefined,
    sockets: app.sockets,
    log: app.log,
  };
}

function surroundingsOf(input: PlanInput, { name, root }: PlanApp): Surroundings {
  const { apps, cgroups, terminal } = input;
  return {
    app: name,
    hasOverlay: root.kind === "overlay",
    hasTerminal: terminal !== undefined,
    isApart: apps.length === 1 || cgroups.apps.has(name),
  };
}

/** As long as rkt's service manager gave them. */
const handlerSeconds = 90;

/** OS-1 wants a console; without a terminal nothing is said there. */
const silentConsole = { target: "null", path: "/dev/console" };

const inert: readonly MountFlag[] = ["nosuid", "nodev", "noexec"];

/** /proc, /sys, /dev/… in the order they build on each other. */
function kernelMounts(input: PlanInput, ownCgroups: readonly string[] | undefined): readonly MountPlan[] {
  return [
    { source: "proc", target: "/proc", type: "proc", flags: inert, data: "" },
    sysMount(input),
    ...cgroupMounts(input, ownCgroups ?? []),
    {
      source: "devpts",
      target: "/dev/pts",
      type: "devpts",
      flags: ["nosuid", "noexec"],
      data: `mode=620,ptmxmode=666${terminalGroupOf(input)}`,
    },
    { source: "shm", target: "/dev/shm", type: "tmpfs", flags: inert, data: "mode=1777,size=64m" },
    { source: "mqueue", target: "/dev/mqueue", type: "mqueue", flags: inert, data: "" },
  ];
}

/** sysfs belongs to a network namespace: with the host's, a user namespace of its own may not mount it, so the host's is bound (architecture 6). */
function sysMount(input: PlanInput): MountPlan {
  const { userNamespace, network } = input;
  const flags: readonly MountFlag[] = ["ro", ...inert];
  if (userNamespace !== undefined && network === "host") {
    // Nobody but root may leave out what is mounted below it.
    const whole: readonly MountFlag[] = callerOf(input) === undefined ? flags : [...flags, "rec"];
    return { source: "/sys", target: "/sys", type: "bind", flags: whole, data: "" };
  }
  return { source: "sysfs", target: "/sys", type: "sysfs", flags, data: "" };
}

/**
 * The app's own limits, read-only (T-R53): on v2 the one file system, which shows the cgroup namespace; on v1 the pod's directories bound,
 * because mounting a v1 hierarchy waits for the end of every dying cgroup of the machine.
 */
function cgroupMounts({ cgroups }: PlanInput, own: readonly string[]): readonly MountPlan[] {
  const flags: readonly MountFlag[] = ["ro", ...inert];
  if (cgroups.visible === "v2")
    return [{ source: "cgroup", target: "/sys/fs/cgroup", type: "cgroup2", flags, data: "" }];
  if (cgroups.visible.length === 0) return [];
  return [
    { source: "cgroup", target: "/sys/fs/cgroup", type: "tmpfs", flags: inert, data: "mode=755,size=64k" },
    ...cgroups.visible.map(({ name, path }): MountPlan => {
      const source = own.find((candidate) => isAtOrBelow(candidate, path)) ?? path;
      return { source, target: `/sys/fs/cgroup/${name}`, type: "bind", flags, data: "" };
    }),
  ];
}

/** The file system that carries the directories of v1 must not be written either, once they are in place. */
function cgroupPlaces({ visible }: PodCgroups): readonly string[] {
  return visible === "v2" || visible.length === 0 ? [] : ["/sys/fs/cgroup"];
}

/**
 * nosuid always, nodev but for a device itself; that what an app leaves on a volume gives nobody of the host a right takes the filter, too
 * (T-R51). In a user namespace a host volume is idmapped, so that the app's root is the host's on that volume only; an empty one was made
 * with the pod's own ids. An ordinary user's is as it is. Where devices are no owner can be mapped: their mode says who opens them.
 */
function volumeMount({ userNamespace }: PlanInput, { mount, path, type }: PlannedMount): MountPlan {
  const flags: readonly MountFlag[] = [
    ...(mount.readOnly ? (["ro"] as const) : []),
    ...(type === "device" ? (["nosuid", "noexec"] as const) : (["nosuid", "nodev"] as const)),
  ];
  const { target } = mount;
  if (mount.kind === "tmpfs")
    return { source: path, target, type: "tmpfs", flags: [...flags, "one"], data: tmpfsData(mount) };
  const isOfHost = mount.kind === "host";
  const more: readonly MountFlag[] = [
    ...(isOfHost && mount.recursive && type === "directory" ? (["rec"] as const) : []),
    ...(isOfHost && userNamespace !== undefined && "base" in userNamespace && type !== "device"
      ? (["idmap"] as const)
      : []),
    ...(type === "directory" ? [] : (["file"] as const)),
    ...(isOfHost && mount.propagation !== "private" ? [mount.propagation] : []),
  ];
  return { source: path, target, type: "bind", flags: [...flags, ...more], data: "" };
}

/** As many files as it has KiB, or an app could fill the kernel's memory with empty ones. */
function tmpfsData({ size, mode, uid, gid }: TmpfsMount): string {
  const owner = [`mode=${mode.toString(8)}`, `uid=${uid}`, `gid=${gid}`];
  if (size === undefined) return owner.join(",");
  return [...owner, `size=${size}`, `nr_inodes=${size / 1024n}`].join(",");
}

function fileMount({ name, target }: PodFile): MountPlan {
  return { source: `files/${name}`, target, type: "bind", flags: ["ro", ...inert, "file"], data: "" };
}

function filterOf(app: AppIsolation, architecture: SeccompArchitecture): Uint8Array | undefined {
  if (app.seccomp === "off") return undefined;
  if (app.seccomp !== "default") return compileSeccomp(app.seccomp, architecture);
  return storedFilter(app, architecture) ?? compileSeccomp(defaultPolicy(app), architecture);
}
