/** Which of the images in an index is for this machine, and what its platform is called in appc (OCI-6, OCI-30). Pure. */
import { excerpt, Failure } from "../base/failure.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** This machine in OCI's words. `arm` is taken for its seventh version, as Node is built for it. */
export function hostPlatform(nodeArch: string = process.arch): Platform {
  const words: ReadonlyMap<string, Platform> = new Map([
    ["x64", { os: "linux", architecture: "amd64" }],
    ["arm64", { os: "linux", architecture: "arm64", variant: "v8" }],
    ["ia32", { os: "linux", architecture: "386" }],
    ["arm", { os: "linux", architecture: "arm", variant: "v7" }],
    ["ppc64", { os: "linux", architecture: "ppc64le" }],
  ]);
  return words.get(nodeArch) ?? { os: "linux", architecture: nodeArch };
}

interface Offered {
  readonly platform?: Platform | undefined;
}

/**
 * The first of the entries that fit best: the same variant, then one without, then an older one that still runs (arm v7 runs v6). An entry that
 * does not say what it is for is taken only when it is alone.
 * @throws Failure NOT_FOUND naming what there is
 */
export function choosePlatform<T extends Offered>(entries: readonly T[], host: Platform, subject: string): T {
  const fitting = entries
    .map((entry) => ({ entry, rank: rankOf(entry.platform, host, entries.length === 1) }))
    .filter(({ rank }) => rank < noFit)
    .toSorted((a, b) => a.rank - b.rank);
  const [best] = fitting;
  if (best !== undefined) return best.entry;
  const offered = [...new Set(entries.map(({ platform }) => showPlatform(platform)))].slice(0, 20).join(", ");
  throw new Failure("NOT_FOUND", `${subject} is not made for ${showPlatform(host)}`, {
    subject,
    cause: `it is made for ${offered === "" ? "nothing" : offered}`,
    hint: "ask who publishes it for an image of this platform, or pin another one by its digest",
  });
}

const noFit = 1000;

function rankOf(platform: Platform | undefined, host: Platform, isAlone: boolean): number {
  if (platform === undefined) return isAlone ? 500 : noFit;
  if (platform.os !== host.os || platform.architecture !== host.architecture) return noFit;
  if (platform.variant === host.variant) return 0;
  if (platform.variant === undefined || platform.variant === "") return 1;
  if (host.variant === undefined) return platform.architecture === "amd64" && platform.variant !== "v1" ? noFit : 2;
  const [wanted, has] = [versionOf(host.variant), versionOf(platform.variant)];
  return has <= wanted ? 2 + (wanted - has) : noFit;
}

function versionOf(variant: string): number {
  const digits = /^v(\d{1,2})$/.exec(variant)?.[1];
  return digits === undefined ? noFit : Number(digits);
}

export function showPlatform(platform: Platform | undefined): string {
  if (platform === undefined) return "an unnamed platform";
  const { os, architecture, variant } = platform;
  return excerpt([os, architecture, variant].filter((word) => word !== undefined && word !== "").join("/"));
}

/** The value of the label `arch` (TYPE-16); undefined when appc has no word for it. */
export function appcArch({ architecture, variant }: Platform): string | undefined {
  if (architecture === "arm") return variant === "v6" || variant === "v5" ? "armv6l" : "armv7l";
  const words: ReadonlyMap<string, string> = new Map([
    ["amd64", "amd64"],
    ["386", "i386"],
    ["arm64", "aarch64"],
    ["ppc64", "ppc64"],
    ["ppc64le", "ppc64le"],
    ["s390x", "s390x"],
  ]);
  return words.get(architecture);
}

/** The counterpart of appcArch; undefined for what OCI has no word for. */
export function ociPlatform(os: string, arch: string): Platform | undefined {
  const words: ReadonlyMap<string, Omit<Platform, "os">> = new Map([
    ["amd64", { architecture: "amd64" }],
    ["x86_64", { architecture: "amd64" }],
    ["i386", { architecture: "386" }],
    ["aarch64", { architecture: "arm64" }],
    ["armv6l", { architecture: "arm", variant: "v6" }],
    ["armv7l", { architecture: "arm", variant: "v7" }],
    ["ppc64", { architecture: "ppc64" }],
    ["ppc64le", { architecture: "ppc64le" }],
    ["s390x", { architecture: "s390x" }],
  ]);
  const platform = words.get(arch);
  return platform === undefined || !["linux", "freebsd", "darwin"].includes(os) ? undefined : { ...platform, os };
}
