/** What the kernel offers, as perigee-shim found by trying. Knows nothing of what it is wanted for. */
import { spawnSync } from "node:child_process";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { answerOf, shimFailure, startVerb } from "./child.ts";

export interface KernelFeatures {
  readonly release: string;
  readonly openat2: boolean;
  /** Needed to run a pod (Linux 5.12). */
  readonly mountSetattr: boolean;
  readonly userNamespace: boolean;
  readonly timeNamespace: boolean;
  readonly cgroupNamespace: boolean;
  readonly overlay: boolean;
  /** Mounts of the file system that `directory` is on can be idmapped. */
  readonly idmap: boolean;
  /** And overlays take such a mount as a lower directory. */
  readonly idmapOverlay: boolean;
  readonly cloneIntoCgroup: boolean;
  readonly seccomp: boolean;
}

const names = [
  "openat2",
  "mountSetattr",
  "userNamespace",
  "timeNamespace",
  "cgroupNamespace",
  "overlay",
  "idmap",
  "idmapOverlay",
  "cloneIntoCgroup",
  "seccomp",
] as const satisfies readonly (keyof KernelFeatures)[];

/** @throws Failure SHIM_FAILED, SHIM_MISSING */
export async function probeKernel(directory: string): Promise<KernelFeatures> {
  const verb = startVerb("probe", [], directory);
  return parseFeatures(await answerOf(verb));
}

/** The same for a caller that cannot wait: about 5 ms, most of them for the namespaces that are tried. */
export function probeKernelSync(directory: string): KernelFeatures {
  const { error, status, stdout, stderr } = spawnSync(shimPath(), ["probe"], { cwd: directory, env: {} });
  if (error !== undefined) throw ioFailure(error, `cannot work in ${directory}`, directory);
  if (status !== 0) throw shimFailure("probe", stderr.toString("latin1"), `exit status ${status}`);
  return parseFeatures(stdout.toString("latin1"));
}

function parseFeatures(text: string): KernelFeatures {
  const value: unknown = JSON.parse(text);
  const fields = new Map<string, unknown>(Object.entries(value ?? {}));
  const release = fields.get("release");
  const missing = names.filter((name) => typeof fields.get(name) !== "boolean");
  if (typeof release !== "string" || missing.length > 0) {
    throw new Failure("SHIM_FAILED", `perigee-shim probe did not say: ${["release", ...missing].join(", ")}`);
  }
  const has = (name: (typeof names)[number]): boolean => fields.get(name) === true;
  return {
    release,
    openat2: has("openat2"),
    mountSetattr: has("mountSetattr"),
    userNamespace: has("userNamespace"),
    timeNamespace: has("timeNamespace"),
    cgroupNamespace: has("cgroupNamespace"),
    overlay: has("overlay"),
    idmap: has("idmap"),
    idmapOverlay: has("idmapOverlay"),
    cloneIntoCgroup: has("cloneIntoCgroup"),
    seccomp: has("seccomp"),
  };
}
