/** Plan vectors (spec/vectors/plans): what is known before the plan, as JSON, and how it becomes the planner's input. */
import { readdirSync, readFileSync } from "node:fs";
import type { CgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { blockVersion, cgroupFeatures } from "../../src/pod/cgroup-layout.ts";
import { planPodCgroups } from "../../src/pod/cgroup-plan.ts";
import { decideIsolators } from "../../src/pod/isolators.ts";
import { podFiles } from "../../src/pod/network.ts";
import type { PlanApp, PlanInput } from "../../src/pod/plan.ts";
import { matchVolumes, mayWriteHost } from "../../src/pod/volumes.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";

export interface PlanVector {
  readonly why: string;
  readonly manifest: unknown;
  readonly layout: CgroupLayout;
  readonly apps: readonly Pick<PlanApp, "root" | "user" | "log">[];
  readonly userNamespace?: PlanInput["userNamespace"];
  readonly network: PlanInput["network"];
  readonly foreground: boolean;
  readonly terminal?: string;
  readonly insecure?: readonly string[];
  readonly architecture: PlanInput["architecture"];
  /** Lines of describePlan. */
  readonly records: readonly string[];
}

const directory = new URL("../../../spec/vectors/plans/", import.meta.url);

export function planVectors(): readonly (readonly [name: string, vector: PlanVector])[] {
  const names = readdirSync(directory).filter((name) => name.endsWith(".json"));
  return names.map((name) => [name, JSON.parse(readFileSync(new URL(name, directory), "utf8"))]);
}

export const uuid = "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11";

export function inputOf(vector: PlanVector): PlanInput {
  const manifest = PodManifest.parse(vector.manifest);
  const insecure = new Set(vector.insecure ?? []);
  const volumes = matchVolumes(manifest);
  const isolation = decideIsolators(
    manifest.isolators,
    manifest.apps.map(({ name, app }) => ({ name, isolators: app?.isolators ?? [], fromImage: new Set<string>() })),
    {
      insecure,
      features: cgroupFeatures(vector.layout),
      blockVersion: blockVersion(vector.layout),
      blockDevices: () => ({ devices: ["8:0"], unknown: [] }),
      userNamespace: vector.userNamespace !== undefined,
      writesHost: mayWriteHost(volumes, { userNamespace: vector.userNamespace !== undefined, network: vector.network }),
      network: vector.network,
      callerOomScore: 0,
      securityModules: [],
    },
  );
  const files = podFiles({ network: vector.network, hostname: "web", hostResolvConf: "nameserver 192.0.2.1\n" });
  return {
    uuid,
    hostname: "web",
    manifest,
    isolation,
    apps: manifest.apps.map(({ name }, index) => {
      const app = vector.apps[index];
      if (app === undefined) throw new Error(`${name} is not in the vector`);
      const mounts = (volumes.apps.get(name) ?? []).map((mount) => ({
        mount,
        path: mount.kind === "host" ? mount.source : `volumes/${mount.volume}`,
        type: "directory" as const,
      }));
      return { ...app, name, mounts, files };
    }),
    userNamespace: vector.userNamespace,
    network: vector.network,
    cgroups: planPodCgroups(vector.layout, uuid, { pod: isolation.limits, apps: isolation.apps }),
    foreground: vector.foreground,
    terminal: vector.terminal,
    insecure,
    architecture: vector.architecture,
  };
}
