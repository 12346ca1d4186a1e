/** Volumes, mount points and mounts → what is mounted where in each app. Pure but for `obscured`; knows no mount flags of the kernel. */
import { errnoOf, excerpt, Failure, printable } from "../base/failure.ts";
import { type Propagation, parseQuantity } from "../schema/grammar.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import type { Volume } from "../schema/volume.ts";
import type { TreeRoot } from "../store/stack.ts";
import { isFreeDevicePath } from "./devices.ts";
import { namesInRoot } from "./in-root.ts";
import type { PodNetwork } from "./network.ts";
import { cleanPath, componentsOf, isAtOrBelow } from "./paths.ts";

export interface HostMount {
  readonly kind: "host";
  readonly volume: string;
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute, without `.`, `..` and empty components. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
  readonly propagation: Propagation;
}

export interface EmptyMount {
  readonly kind: "empty";
  readonly volume: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface TmpfsMount {
  readonly kind: "tmpfs";
  readonly volume: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Bytes; undefined: what the kernel gives, half of the memory. */
  readonly size: bigint | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export type AppMount = HostMount | EmptyMount | TmpfsMount;

/** A directory of the pod, to be made before the start. */
export interface EmptyVolume {
  readonly volume: string;
  /** Permission bits; these three are what the image has there, when `seed` says where and the image has something. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Filled with what this app's image has there (POD-52). */
  readonly seed?: Seed | undefined;
}

export interface Seed {
  readonly app: string;
  readonly target: string;
}

export interface MatchedVolumes {
  /** The mounts of each app, by app name. */
  readonly apps: ReadonlyMap<string, readonly AppMount[]>;
  /** Every empty volume that some app mounts, once. */
  readonly empty: readonly EmptyVolume[];
  /** Some app can write to files of the host. Its neighbours then can, too: they reach each other's mounts through /proc/PID/root. */
  readonly writesHost: boolean;
  /** Some app has a volume of the host, be it read-only. */
  readonly mountsHost: boolean;
  readonly warnings: readonly string[];
}

/**
 * Whether some app of the pod may come to write to files of the host (ISO-5). Without a user namespace its root owns the host's files: a
 * pod that may write to them can hand a descriptor to one that may not, through a socket on a volume of both or an abstract one of the
 * host's network, and that one would then set the mark.
 */
export function mayWriteHost(
  { writesHost, mountsHost }: Pick<MatchedVolumes, "writesHost" | "mountsHost">,
  pod: { readonly userNamespace: boolean; readonly network: PodNetwork },
): boolean {
  return writesHost || (!pod.userNamespace && (mountsHost || pod.network === "host"));
}

/**
 * For a reified manifest (POD-3).
 * @throws Failure MANIFEST_INVALID: a mount of a volume that is not there, overlapping targets (ACE-12), a target at or below /proc, /sys
 * or /dev, or the root itself (T-R11), a tmpfs that is too small (POD-50)
 */
export function matchVolumes(manifest: PodManifest): MatchedVolumes {
  const apps = new Map<string, readonly AppMount[]>();
  const empty = new Map<string, EmptyVolume>();
  for (const app of manifest.apps) {
    const matched = app.mounts.map((mount) => matchMount(manifest, app, mount));
    const mounts = matched.map(({ mount }) => mount);
    requireApart(app.name, mounts);
    apps.set(app.name, mounts);
    for (const { volume, mount } of matched) {
      if (volume.kind === "empty" && !empty.has(volume.name)) empty.set(volume.name, emptyVolume(volume, app, mount));
    }
  }
  const all = [...apps.values()].flat();
  const ofHost = all.filter((mount) => mount.kind === "host");
  const writesHost = ofHost.some(({ readOnly, propagation }) => !readOnly || propagation !== "private");
  const warnings = [...unusedWarnings(manifest, all), ...propagationWarnings(ofHost)];
  return { apps, empty: [...empty.values()], writesHost, mountsHost: ofHost.length > 0, warnings };
}

function unusedWarnings(manifest: PodManifest, mounts: readonly AppMount[]): readonly string[] {
  const used = new Set(mounts.map(({ volume }) => volume));
  const unused = manifest.volumes.filter(({ name }) => !used.has(name));
  return unused.map(({ name }) => `volume ${name} is mounted nowhere: no app has a mount point or --mount for it`);
}

/** POD-57 holds for what is there at the start; what comes later is as whoever mounts it says. */
function propagationWarnings(mounts: readonly HostMount[]): readonly string[] {
  const leaky = mounts.filter(({ readOnly, propagation }) => readOnly && propagation !== "private");
  return [...new Set(leaky.map(({ volume }) => volume))].map(
    (volume) => `volume ${volume} is read-only, but what the host mounts below its source later need not be`,
  );
}

/** The first app that mounts a seeded volume, and its first mount of it, say with what (POD-52). */
function emptyVolume(volume: Extract<Volume, { kind: "empty" }>, app: PodApp, { target }: AppMount): EmptyVolume {
  const { name, mode, uid, gid, seeded } = volume;
  const own = { volume: name, mode: Number.parseInt(mode, 8), uid, gid };
  return seeded === true ? { ...own, seed: { app: app.name, target } } : own;
}

/** A file system holds whole pages, and 0 would be no limit at all. */
const leastTmpfs = 4096n;

function tmpfsSize({ name, size }: Extract<Volume, { kind: "tmpfs" }>): bigint | undefined {
  if (size === undefined || size === null) return undefined;
  const bytes = parseQuantity(size) ?? 0n;
  if (bytes >= leastTmpfs) return bytes;
  throw new Failure("MANIFEST_INVALID", `volume ${name}: a tmpfs of ${bytes} bytes holds nothing`, {
    subject: name,
    hint: "a size of 4Ki or more",
  });
}

interface Matched {
  readonly volume: Volume;
  readonly mount: AppMount;
}

function matchMount(manifest: PodManifest, app: PodApp, mount: PodApp["mounts"][number]): Matched {
  const volume = mount.appVolume ?? manifest.volumes.find(({ name }) => name === mount.volume);
  if (volume === undefined) {
    throw new Failure("USAGE", `${app.name}: there is no volume ${excerpt(mount.volume)} to mount`, {
      subject: mount.volume,
      hint: `--volume ${printable(mount.volume)},kind=host,source=/DIRECTORY`,
    });
  }
  const target = requireTarget(app.name, mount.path, volume.kind);
  const point = app.app?.mountPoints.find(({ path }) => cleanPath(path) === target);
  // The volume's word wins when it says anything (rkt); a read-only mount point only tightens.
  const readOnly = volume.readOnly ?? point?.readOnly ?? false;
  return { volume, mount: describeMount(volume, { volume: volume.name, target, readOnly }) };
}

function describeMount(volume: Volume, mount: Pick<AppMount, "volume" | "target" | "readOnly">): AppMount {
  if (volume.kind === "host") {
    const { kind, source, recursive, propagation } = volume;
    return { kind, ...mount, source, recursive: recursive ?? true, propagation: propagation ?? "private" };
  }
  if (volume.kind === "empty") return { kind: "empty", ...mount };
  const { kind, mode, uid, gid } = volume;
  return { kind, ...mount, size: tmpfsSize(volume), mode: Number.parseInt(mode, 8), uid, gid };
}

const reserved: readonly string[] = ["proc", "sys", "dev"];

/**
 * The target by components; what the executor itself mounts there is not for volumes to cover (T-R11). A device may be anywhere below /dev
 * where none of ours is: that the source is one is seen when it is looked at.
 */
function requireTarget(app: string, path: string, kind: Volume["kind"]): string {
  const target = cleanPath(path);
  const [top] = componentsOf(target);
  const isFree = top !== undefined && !reserved.includes(top);
  if ((isFree || (kind === "host" && isFreeDevicePath(target))) && !componentsOf(target).includes("..")) return target;
  throw new Failure("MANIFEST_INVALID", `${app}: nothing can be mounted at ${excerpt(path)}`, {
    subject: path,
    cause: "the root, /proc, /sys and /dev belong to the executor",
  });
}

function requireApart(app: string, mounts: readonly AppMount[]): void {
  mounts.forEach(({ target }, index) => {
    const other = mounts.find((mount, at) => at !== index && isAtOrBelow(target, mount.target));
    if (other === undefined) return;
    const problem = other.target === target ? "is mounted on twice" : `lies below ${excerpt(other.target)}`;
    throw new Failure("MANIFEST_INVALID", `${app}: ${excerpt(target)} ${problem}`, {
      subject: target,
      cause: "ACE-12: the targets of an app's mounts do not overlap",
    });
  });
}

/**
 * One line for every mount that hides something of the image (ACE-11), or may, because an ordinary user cannot look. `rootfs` is the app's
 * rendered tree; what a volume was filled with is not hidden.
 */
export function obscured(
  rootfs: TreeRoot,
  app: string,
  mounts: readonly AppMount[],
  volumes: readonly EmptyVolume[],
): readonly string[] {
  return mounts.flatMap(({ target, volume }) => {
    const seed = volumes.find((own) => own.volume === volume)?.seed;
    const isFilled = seed?.app === app && seed.target === target;
    // One tree is copied with the rights of the pod's root; layers are read with the caller's.
    if (isFilled && typeof rootfs === "string") return [];
    const names = namesToSee(rootfs, target);
    if (names === "closed") return [closedWarning(app, volume, target, isFilled)];
    if (isFilled || names === undefined || names.length === 0) return [];
    return [`${app}: volume ${volume} hides what the image has at ${excerpt(target)}`];
  });
}

/** An image's directories have its modes also in an ordinary user's store, and with ranges its owners. */
function namesToSee(rootfs: TreeRoot, target: string): ReturnType<typeof namesInRoot> | "closed" {
  try {
    return namesInRoot(rootfs, target);
  } catch (error) {
    if (errnoOf(error) === "EACCES") return "closed";
    throw error;
  }
}

function closedWarning(app: string, volume: string, target: string, isFilled: boolean): string {
  const where = `what the image has at ${excerpt(target)}`;
  return isFilled
    ? `${app}: volume ${volume} begins empty: you may not read ${where}`
    : `${app}: volume ${volume} may hide ${where}: you may not read it`;
}
