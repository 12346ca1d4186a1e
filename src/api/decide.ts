/** Everything about a chosen pod that is decided before anything is made: shared by run, prepare, run-prepared and plan, which must not differ. */
import { readFileSync } from "node:fs";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { findBlockDevices } from "../pod/block-devices.ts";
import { capabilitiesOf } from "../pod/capabilities.ts";
import { blockVersion, type CgroupLayout, cgroupFeatures, readCgroupLayout } from "../pod/cgroup-layout.ts";
import { type PodCgroups, planPodCgroups } from "../pod/cgroup-plan.ts";
import { statInRoot } from "../pod/in-root.ts";
import { decideIsolators, type PodIsolation } from "../pod/isolators.ts";
import { activeSecurityModules, isSelinuxPermissive, readProfileModes } from "../pod/lsm.ts";
import { findMarkedFile } from "../pod/marked-files.ts";
import { requireTargets } from "../pod/mount-targets.ts";
import { parsePodName } from "../pod/names.ts";
import { type PodNetwork, parseHostname, podFiles } from "../pod/network.ts";
import type { PlanInput, PlannedMount } from "../pod/plan.ts";
import { podWarnings } from "../pod/plan-words.ts";
import type { ReifiedPod } from "../pod/reify.ts";
import { planRoot } from "../pod/rootfs.ts";
import { resolveUser } from "../pod/users.ts";
import { inspectSource, requirePropagation } from "../pod/volume-sources.ts";
import { type EmptyVolume, matchVolumes, mayWriteHost, obscured } from "../pod/volumes.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import { callerIds } from "../shim/caller-ids.ts";
import type { TreeRoot } from "../store/stack.ts";
import type { ChosenImage, ChosenPod } from "./choose-pod.ts";
import { decideNetworks, type NetworkDecisions, type NetworkTerms } from "./decide-networks.ts";
import { decideReadiness, decideSockets, type HandedSockets, type Readiness } from "./decide-service.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

export interface Decisions {
  readonly manifest: PodManifest;
  /** By app name: the isolators that its image says (ISO-1). */
  readonly imageIsolators: ReifiedPod["imageIsolators"];
  readonly images: readonly ChosenImage[];
  readonly network: PodNetwork;
  /** With `own`: which. */
  readonly networks: NetworkDecisions;
  readonly hostname: string | undefined;
  readonly isolation: PodIsolation;
  readonly layout: CgroupLayout;
  /** By app name; the sources of host volumes are there and may be mounted. */
  readonly mounts: ReadonlyMap<string, readonly PlannedMount[]>;
  /** Directories to be made in the pod. */
  readonly emptyVolumes: readonly EmptyVolume[];
  readonly privateUsers: boolean;
  readonly readiness: Readiness;
  readonly handed: HandedSockets;
  readonly warnings: readonly string[];
}

/** How the pod is to start, as typed. */
export type StartTerms = Pick<
  RunOptions,
  "hostname" | "sdnotify" | "podName" | "privateUsers" | "overlay" | "interactive" | "allowSymlinkSources" | "strict"
> &
  NetworkTerms;

/** @throws Failure of whatever cannot be: nothing was made yet */
export function decidePod(settings: Settings, terms: StartTerms, { images, reified }: ChosenPod): Decisions {
  const networks = decideNetworks(settings, terms);
  const { network } = networks;
  const hostname = terms.hostname === undefined ? undefined : parseHostname(terms.hostname);
  const readiness = decideReadiness(settings.environment, terms.sdnotify, reified.manifest.apps);
  if (terms.podName !== undefined) parsePodName(terms.podName);
  if (terms.interactive === true && images.length !== 1) {
    throw new Failure("USAGE", "--interactive is for a pod of one image", { hint: "name one image" });
  }
  const { manifest, imageIsolators } = reified;
  const layout = readCgroupLayout();
  const privateUsers = terms.privateUsers ?? true;
  const caller = callerIds();
  if (caller !== undefined && !privateUsers) throw needsRoot();
  const volumes = matchVolumes(manifest);
  const isolation = decideIsolators(
    manifest.isolators,
    manifest.apps.map(({ name, app }) => {
      const fromImage = imageIsolators.get(name);
      if (fromImage === undefined) throw new Failure("INTERNAL", `${name}: whose isolators?`);
      return { name, isolators: app?.isolators ?? [], fromImage };
    }),
    {
      insecure: settings.insecure,
      features: cgroupFeatures(layout),
      blockVersion: blockVersion(layout),
      isUnprivileged: caller !== undefined,
      blockDevices: () =>
        findBlockDevices([
          { source: settings.directories.data, recursive: false },
          ...[...volumes.apps.values()].flat().filter((mount) => mount.kind === "host"),
        ]),
      userNamespace: privateUsers,
      writesHost: mayWriteHost(volumes, { userNamespace: privateUsers, network }),
      network,
      callerOomScore: callerOomScore(),
      securityModules: activeSecurityModules(),
      profileModes: readProfileModes,
      isPermissive: isSelinuxPermissive,
      callerCapabilities: settings.insecure.has("capabilities") ? callerCapabilities() : undefined,
    },
  );
  const handed = decideSockets(settings.environment, manifest);
  const notDone = podWarnings(manifest, isolation, handed.sockets !== undefined);
  if (terms.strict === true) requireAll(notDone);
  const allowSymlinks = terms.allowSymlinkSources ?? false;
  const mounts = new Map(
    [...volumes.apps].map(([app, own]) => [app, own.map((one) => planMount(one, allowSymlinks, privateUsers))]),
  );
  const warnings = [...reified.warnings, ...volumes.warnings, ...markWarnings(mounts), ...readiness.warnings];
  if (privateUsers) warnings.push(...deviceWarnings(mounts));
  return {
    manifest,
    imageIsolators,
    images,
    network,
    networks,
    hostname,
    isolation,
    layout,
    mounts,
    emptyVolumes: volumes.empty,
    privateUsers,
    readiness,
    handed,
    warnings: [...warnings, ...notDone],
  };
}

function needsRoot(): Failure {
  return new Failure("NOT_ROOT", "--private-users=no gives a pod the host's ids, which only root has", {
    hint: "leave it out: root of your pods is you",
  });
}

/** ISO-13: the whole list, so that it takes one look. */
function requireAll(notDone: readonly string[]): void {
  if (notDone.length === 0) return;
  throw new Failure("UNSUPPORTED", "not everything that is asked for would be done as written", {
    cause: notDone.join("; "),
    hint: "without --strict the pod runs, and this is a warning",
  });
}

/** What of a pod has its uuid in it: the cgroups to be made for it. */
export function podCgroups({ layout, isolation, mounts }: Decisions, uuid: string): PodCgroups {
  const given = [...mounts.values()].flat().flatMap(({ device }) => device ?? []);
  return planPodCgroups(layout, uuid, { pod: isolation.limits, apps: isolation.apps, devices: given });
}

/** What can be said only when the trees are there: mounts that hide something of an image (ACE-11). */
export function treeWarnings(
  { mounts, emptyVolumes }: Decisions,
  trees: ReadonlyMap<string, TreeRoot>,
): readonly string[] {
  return [...mounts].flatMap(([app, planned]) => {
    const tree = trees.get(app);
    const own = planned.map(({ mount }) => mount);
    return tree === undefined || own.length === 0 ? [] : obscured(tree, app, own, emptyVolumes);
  });
}

export interface Placement {
  readonly uuid: string;
  readonly hostname: string;
  /** First id of the pod's range; undefined without one: in the host's user namespace, or in one with the ids of an ordinary user. */
  readonly idBase: number | undefined;
  readonly cgroups: PodCgroups;
  /** By app name. */
  readonly trees: ReadonlyMap<string, TreeRoot>;
  readonly canIdmap: boolean;
  readonly foreground: boolean;
}

/** The planner's input, once it is known where the pod and its trees are. */
export function planInput(
  settings: Settings,
  terms: StartTerms,
  decisions: Decisions,
  placement: Placement,
): PlanInput {
  const { manifest, isolation } = decisions;
  const { names } = decisions.networks;
  const asksHost = decisions.network !== "none" || names.dns === "host";
  const files = podFiles({
    network: decisions.network,
    hostname: placement.hostname,
    names,
    hostResolvConf: asksHost ? hostFile("/etc/resolv.conf") : undefined,
    hostHosts: decisions.network === "host" || names.hosts === "host" ? hostFile("/etc/hosts") : undefined,
  });
  return {
    uuid: placement.uuid,
    hostname: placement.hostname,
    manifest,
    apps: manifest.apps.map((app) => {
      const tree = placement.trees.get(app.name);
      if (tree === undefined || app.app === undefined) throw new Failure("INTERNAL", `${app.name} has no tree`);
      const mounts = decisions.mounts.get(app.name) ?? [];
      const targets = mounts.map(({ mount, type }) => ({ app: app.name, type, ...mount }));
      requireTargets(tree, targets);
      return {
        name: app.name,
        root: planRoot(app.name, tree, {
          idBase: placement.idBase,
          canIdmap: placement.canIdmap,
          overlay: terms.overlay ?? true,
        }),
        user: resolveUser(tree, app.app),
        mounts,
        files: files.filter(({ onlyIfMissing, target }) => !onlyIfMissing || statInRoot(tree, target) === undefined),
        notify: decisions.readiness.notifying.has(app.name),
        sockets: decisions.handed.sockets?.get(app.name),
        log: terms.interactive === true ? undefined : { path: `logs/${app.name}`, bytes: logBytes, files: logFiles },
      };
    }),
    userNamespace: placement.idBase === undefined ? callerIds() : { base: placement.idBase, count: 65536 },
    network: decisions.network,
    isolation,
    cgroups: placement.cgroups,
    foreground: placement.foreground,
    notifyCaller: decisions.readiness.caller,
    sockets: decisions.handed.descriptors,
    terminal: terms.interactive === true ? (settings.environment.get("TERM") ?? "xterm") : undefined,
    insecure: settings.insecure,
    architecture: process.arch === "arm64" ? "arm64" : "x64",
  };
}

/** An app that floods its output costs at most this much disk. */
const logBytes = 8 * 1024 * 1024;
const logFiles = 4;

function planMount(mount: PlannedMount["mount"], allowSymlinks: boolean, userNamespace: boolean): PlannedMount {
  if (mount.kind === "tmpfs") return { mount, path: mount.volume, type: "directory" };
  if (mount.kind === "empty") return { mount, path: `volumes/${mount.volume}`, type: "directory" };
  const source = inspectSource(mount, { allowSymlinks });
  requirePropagation(mount, source.path, { userNamespace });
  return { mount, ...source };
}

/** No owner of a device can be mapped: the pod's root is nobody there, whatever its capabilities (POD-56). */
function deviceWarnings(mounts: ReadonlyMap<string, readonly PlannedMount[]>): readonly string[] {
  const closed = [...mounts.values()].flat().filter(({ isOpenToOthers }) => isOpenToOthers === false);
  return [...new Set(closed.map(({ path }) => path))].map(
    (path) =>
      `${printable(path)}: its mode lets nobody but its owner and group open it, and in a user namespace no app is either`,
  );
}

/** No filter keeps an app from changing such a file through a shared mapping, and the kernel leaves its marks on (ISO-9, T-R51). */
function markWarnings(mounts: ReadonlyMap<string, readonly PlannedMount[]>): readonly string[] {
  const writable = [...mounts.values()].flat().filter(({ mount }) => mount.kind === "host" && !mount.readOnly);
  return [...new Set(writable.map(({ path }) => path))].flatMap((path) => {
    const marked = findMarkedFile(path);
    if (marked === undefined) return [];
    const what = `${printable(marked)} is set-user-ID, set-group-ID or has capabilities`;
    return [`${what}, and root of the pod can replace what it executes: mount ${printable(path)} read-only`];
  });
}

/** Undefined when the host has none, also when its link leads nowhere. */
export function hostFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}

function callerOomScore(): number {
  return Number(readFileSync("/proc/self/oom_score_adj", "utf8").trim());
}

/** The host's root need not have all: one that it lacks cannot be given to an app that shares its user namespace. */
function callerCapabilities(): readonly string[] {
  const set = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return capabilitiesOf(set ?? "0");
}
