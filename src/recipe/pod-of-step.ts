/** A pod for one command of a recipe: the same plan, confinement and life as any other, on a stack of layers instead of one tree. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { capabilitiesOf } from "../pod/capabilities.ts";
import { blockVersion, cgroupFeatures, readCgroupLayout } from "../pod/cgroup-layout.ts";
import { planPodCgroups } from "../pod/cgroup-plan.ts";
import { discardPod } from "../pod/gc.ts";
import { claimRange } from "../pod/id-ranges.ts";
import { decideIsolators } from "../pod/isolators.ts";
import { canIdmapOverlay } from "../pod/kernel.ts";
import { launchPod, type ReadyPod } from "../pod/launch.ts";
import { activeSecurityModules } from "../pod/lsm.ts";
import { makePodManifest } from "../pod/manifest.ts";
import { defaultHostname, type PodFile, type PodNetwork, podFiles } from "../pod/network.ts";
import type { PlanInput } from "../pod/plan.ts";
import { openPods, Pod } from "../pod/pod.ts";
import { type PreparedPod, preparePod } from "../pod/prepare.ts";
import { planRoot } from "../pod/rootfs.ts";
import { resolveUser } from "../pod/users.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import { FileLock } from "../shim/flock.ts";
import { lockOf, openStoreSync } from "../store/layout.ts";
import { pathBytes, type StackView } from "../store/stack.ts";
import { accountsOf } from "./files.ts";

export interface CommandRequest {
  readonly data: string;
  /** What is built. */
  readonly imageName: string;
  readonly view: StackView;
  /** A directory for what is made on the way. */
  readonly scratch: string;
  readonly command: readonly string[];
  readonly user: string;
  readonly group: string;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly workingDirectory: string | undefined;
  readonly network: PodNetwork;
  readonly insecure: ReadonlySet<string>;
  /** The host's, for a pod with its network. */
  readonly hostFiles: { readonly resolvConf: string | undefined; readonly hosts: string | undefined };
  /** The value of TERM for a shell with a terminal of its own. */
  readonly terminal?: string | undefined;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

export interface StepPod {
  readonly pod: Pod;
  readonly start: ReadyPod["start"];
  readonly idBase: number;
  /** Where the command's changes will lie; moves with the pod's phase. */
  upper(): string;
  readonly mountTargets: readonly string[];
  /** Ends and removes the pod. */
  discard(): Promise<void>;
}

/** The name of the pod's only app. */
const app = "step";

/** @throws Failure KERNEL_LACKS without idmapped overlays; whatever the pod folder refuses. Nothing is left of a pod that could not be made */
export async function makeStepPod(request: CommandRequest): Promise<StepPod> {
  const { data } = request;
  const root = openPods(data);
  if (!canIdmapOverlay(data)) {
    throw new Failure(
      "KERNEL_LACKS",
      "commands of a recipe need idmapped layers, which this file system or kernel does not have",
      {
        hint: "use a data directory on ext4, xfs, btrfs or tmpfs with Linux 5.19 or newer: --dir DIRECTORY",
      },
    );
  }
  const { manifest, isolation, layout } = decide(request);
  const pod = Pod.create(root);
  const discard = async (): Promise<void> => discardPod(data, root, pod);
  try {
    const cgroups = planPodCgroups(layout, pod.uuid, { pod: isolation.limits, apps: isolation.apps });
    const prepared = await prepare(request, pod, manifest, cgroups);
    const idBase = prepared.record.idBase;
    if (idBase === undefined) throw new Failure("INTERNAL", "a step's pod has no ids");
    const input = planInput(request, prepared, { manifest, isolation, cgroups, idBase });
    const top = request.view.stack.at(-1);
    if (top === undefined) throw new Failure("INTERNAL", "a step has no layer to run on");
    const { start, plan } = launchPod({ prepared, input, trees: new Map([[app, top.rootfs]]), emptyVolumes: [] });
    const mountTargets = ["/dev", ...(plan.apps[0]?.mounts ?? []).map(({ target }) => target)];
    return { pod, start, idBase, upper: () => join(pod.directory, "apps", app, "upper"), mountTargets, discard };
  } catch (error) {
    await discard().catch((problem: unknown) => request.log.warn(`left for perigee gc: ${String(problem)}`));
    throw error;
  }
}

function decide(request: CommandRequest) {
  const { imageName, command, user, group, environment, workingDirectory, network, insecure } = request;
  const [exec = "", ...args] = command;
  const { manifest } = makePodManifest(
    [
      {
        image: { id: topId(request), name: imageName, labels: [], manifest: { app: { user, group } } },
        name: app,
        exec,
        args,
        workingDirectory,
        environment: environment.map(([name, value]) => `${name}=${value}`),
      },
    ],
    { caller: { uid: 0, gid: 0 } },
  );
  const layout = readCgroupLayout();
  const isolation = decideIsolators([], [{ name: app, isolators: [], fromImage: new Set() }], {
    insecure,
    features: cgroupFeatures(layout),
    blockVersion: blockVersion(layout),
    blockDevices: () => ({ devices: [], unknown: [] }),
    userNamespace: true,
    writesHost: false,
    network,
    callerOomScore: Number(readFileSync("/proc/self/oom_score_adj", "utf8").trim()),
    securityModules: activeSecurityModules(),
    callerCapabilities: insecure.has("capabilities") ? callerCapabilities() : undefined,
  });
  return { manifest, isolation, layout };
}

function callerCapabilities(): readonly string[] {
  const set = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return capabilitiesOf(set ?? "0");
}

function topId({ view }: CommandRequest): string {
  return view.stack.at(-1)?.id ?? "";
}

async function prepare(
  { data, imageName, network, view, signal }: CommandRequest,
  pod: Pod,
  manifest: PodManifest,
  cgroups: PreparedPod["cgroups"],
): Promise<PreparedPod> {
  // Trees of the base and of dependencies are the store's: the pod's record keeps them as long as the command runs (LIFE-14).
  const trees = view.stack.map(({ id }) => id).filter(isTree);
  const lock = await FileLock.acquire(lockOf(openStoreSync(data)), "shared", { signal });
  try {
    return preparePod(pod, {
      apps: [
        { name: app, imageId: view.stack.at(-1)?.id ?? "", imageName, treeId: trees[0] ?? view.stack[0]?.id ?? "" },
      ],
      trees,
      network,
      hostname: defaultHostname(pod.uuid),
      manifest,
      cgroups,
      claim: () => claimRange(data, pod.uuid),
      isStep: true,
    });
  } finally {
    lock.release();
  }
}

/** By its name: layers of images and of steps have others. */
function isTree(id: string): boolean {
  return /^(?:deps-)?sha512-/.test(id);
}

interface Decided {
  readonly manifest: PodManifest;
  readonly isolation: PlanInput["isolation"];
  readonly cgroups: PreparedPod["cgroups"];
  readonly idBase: number;
}

function planInput(request: CommandRequest, { pod, record }: PreparedPod, decided: Decided): PlanInput {
  const { view, scratch, user, group, network, hostFiles } = request;
  const { manifest, isolation, cgroups, idBase } = decided;
  const { hostname = defaultHostname(pod.uuid) } = record;
  const files = podFiles({
    network,
    hostname,
    hostResolvConf: hostFiles.resolvConf,
    hostHosts: hostFiles.hosts,
  });
  // The kernel takes a directory once. Of two layers with the same content the upper one hides all that the lower one could show or hide.
  const lowers = [...new Set(view.stack.toReversed().map(({ rootfs }) => rootfs))];
  const root = planRoot(app, lowers[0] ?? "", { idBase, canIdmap: true, overlay: true });
  return {
    uuid: pod.uuid,
    hostname,
    manifest,
    apps: [
      {
        name: app,
        root: root.kind === "overlay" ? { ...root, lowers } : root,
        user: resolveUser(accountsOf(view, scratch), { user, group, supplementaryGIDs: [] }),
        mounts: [],
        files: files.filter((file) => isWanted(view, file)),
      },
    ],
    userNamespace: { base: idBase, count: 65536 },
    network,
    isolation,
    cgroups,
    foreground: true,
    terminal: request.terminal,
    insecure: request.insecure,
    architecture: process.arch === "arm64" ? "arm64" : "x64",
  };
}

function isWanted(view: StackView, { onlyIfMissing, target }: PodFile): boolean {
  return !onlyIfMissing || view.find(view.resolve(pathBytes(target), { last: true })) === undefined;
}
