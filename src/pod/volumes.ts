/** Volumes, mount points and mounts → what is mounted where in each app. Knows no mount flags of the kernel. */
import { lstatSync, realpathSync, type Stats } from "node:fs";
import { errnoOf, excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { isACName } from "../schema/grammar.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import type { Volume } from "../schema/volume.ts";
import { namesInRoot } from "./in-root.ts";
import type { MountRequest } from "./manifest.ts";
import type { PodNetwork } from "./network.ts";

export interface HostMount {
  readonly kind: "host";
  readonly volume: string;
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute, without `.`, `..` and empty components. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
}

export interface EmptyMount {
  readonly kind: "empty";
  readonly volume: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Permission bits of the directory. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export type AppMount = HostMount | EmptyMount;

export interface MatchedVolumes {
  /** The mounts of each app, by app name. */
  readonly apps: ReadonlyMap<string, readonly AppMount[]>;
  /** Every empty volume that some app mounts, once: directories to be made before the start. */
  readonly empty: readonly EmptyMount[];
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
 * or /dev, or the root itself (T-R11)
 */
export function matchVolumes(manifest: PodManifest): MatchedVolumes {
  const apps = new Map<string, readonly AppMount[]>();
  const empty = new Map<string, EmptyMount>();
  for (const app of manifest.apps) {
    const mounts = app.mounts.map((mount) => matchMount(manifest, app, mount));
    requireApart(app.name, mounts);
    apps.set(app.name, mounts);
    for (const mount of mounts) if (mount.kind === "empty") empty.set(mount.volume, mount);
  }
  const used = new Set([...apps.values()].flatMap((mounts) => mounts.map(({ volume }) => volume)));
  const unused = manifest.volumes.filter(({ name }) => !used.has(name));
  const warnings = unused.map(
    ({ name }) => `volume ${name} is mounted nowhere: no app has a mount point or --mount for it`,
  );
  const ofHost = [...apps.values()].flat().filter(({ kind }) => kind === "host");
  const writesHost = ofHost.some(({ readOnly }) => !readOnly);
  return { apps, empty: [...empty.values()], writesHost, mountsHost: ofHost.length > 0, warnings };
}

function matchMount(manifest: PodManifest, app: PodApp, mount: PodApp["mounts"][number]): AppMount {
  const volume = mount.appVolume ?? manifest.volumes.find(({ name }) => name === mount.volume);
  if (volume === undefined) {
    throw new Failure("USAGE", `${app.name}: there is no volume ${excerpt(mount.volume)} to mount`, {
      subject: mount.volume,
      hint: `--volume ${printable(mount.volume)},kind=host,source=/DIRECTORY`,
    });
  }
  const target = requireTarget(app.name, mount.path);
  const point = app.app?.mountPoints.find(({ path }) => cleanPath(path) === target);
  // The volume's word wins when it says anything (rkt); a read-only mount point only tightens.
  const readOnly = volume.readOnly ?? point?.readOnly ?? false;
  if (volume.kind === "host") {
    const { source, recursive } = volume;
    return { kind: "host", volume: volume.name, source, target, readOnly, recursive: recursive ?? true };
  }
  const { mode, uid, gid } = volume;
  return { kind: "empty", volume: volume.name, target, readOnly, mode: Number.parseInt(mode, 8), uid, gid };
}

const reserved: readonly string[] = ["proc", "sys", "dev"];

/** The target by components; what the executor itself mounts there is not for volumes to cover (T-R11). */
function requireTarget(app: string, path: string): string {
  const target = cleanPath(path);
  const [top] = components(target);
  if (top !== undefined && !reserved.includes(top) && !components(target).includes("..")) return target;
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

/** One line for every mount that hides something of the image (ACE-11). `rootfs` is the app's rendered tree. */
export function obscured(rootfs: string, app: string, mounts: readonly AppMount[]): readonly string[] {
  return mounts.flatMap(({ target, volume }) => {
    const names = namesInRoot(rootfs, target);
    if (names === undefined || names.length === 0) return [];
    return [`${app}: volume ${volume} hides what the image has at ${excerpt(target)}`];
  });
}

function components(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** `//a/./b/` → `/a/b`; `..` stays. */
export function cleanPath(path: string): string {
  return `/${components(path).join("/")}`;
}

/** By components: `/a/b` is below `/a`, `/ab` is not (T-R56). */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  const parts = components(path);
  return components(ancestor).every((part, index) => parts[index] === part);
}

/** What a host volume's source is mounted as. */
export type SourceType = "directory" | "file";

/**
 * Checks a host volume's source before the start: it exists (ACE-14), no component of its path is a symbolic link unless allowed (ACE-16,
 * T-R21), it is a directory, or a file, socket or FIFO (ACE-15). Returns the path to mount, resolved if links are allowed.
 * @throws Failure NOT_FOUND, UNSUPPORTED (a device), USAGE (a link)
 */
export function inspectSource(
  source: string,
  options: { readonly allowSymlinks: boolean },
): { readonly path: string; readonly type: SourceType } {
  const path = options.allowSymlinks ? realPath(source) : cleanPath(source);
  const parts = components(path);
  for (let length = 1; length <= parts.length; length += 1) {
    const part = `/${parts.slice(0, length).join("/")}`;
    if (!sourceStat(part, source).isSymbolicLink()) continue;
    throw new Failure("USAGE", `volume source ${excerpt(source)}: ${excerpt(part)} is a symbolic link`, {
      subject: source,
      hint: "name the real path, or pass --allow-symlink-sources",
    });
  }
  const stat = sourceStat(path, source);
  if (stat.isCharacterDevice() || stat.isBlockDevice()) {
    throw new Failure("UNSUPPORTED", `volume source ${excerpt(source)} is a device`, { subject: source });
  }
  return { path, type: stat.isDirectory() ? "directory" : "file" };
}

function realPath(source: string): string {
  try {
    return realpathSync(source);
  } catch (error) {
    throw sourceFailure(error, source);
  }
}

function sourceStat(path: string, source: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw sourceFailure(error, source);
  }
}

function sourceFailure(error: unknown, source: string): Failure {
  if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") {
    return ioFailure(error, `cannot look at volume source ${excerpt(source)}`, source);
  }
  return new Failure("NOT_FOUND", `volume source ${excerpt(source)} is not there`, {
    subject: source,
    hint: "make it first; nothing is made on the host for you",
  });
}

/** Parameters of a flag such as `NAME,kind=host,source=/abs`; every key at most once and of `keys`. */
function parameters(flag: string, words: readonly string[], keys: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    const key = word.slice(0, Math.max(at, 0));
    if (at < 0 || !keys.includes(key)) {
      throw new Failure("USAGE", `${flag}: unknown parameter ${excerpt(word)}`, {
        hint: `known are ${keys.join(", ")}`,
      });
    }
    if (values.has(key)) throw new Failure("USAGE", `${flag}: ${key} is given twice`);
    values.set(key, word.slice(at + 1));
  }
  return values;
}

/** `NAME,kind=host,source=/abs[,readOnly=bool][,recursive=bool]` or `NAME,kind=empty[,readOnly=bool][,mode=0755][,uid=0][,gid=0]`. @throws Failure USAGE */
export function parseVolumeFlag(text: string): Volume {
  const flag = `--volume ${excerpt(text)}`;
  const [name = "", ...words] = text.split(",");
  if (!isACName(name))
    throw new Failure("USAGE", `${flag}: the name comes first: lower-case letters, digits and single -`);
  const values = parameters(flag, words, ["kind", "source", "readOnly", "recursive", "mode", "uid", "gid"]);
  const kind = values.get("kind");
  const misplaced = [...values.keys()].filter(
    (key) => key !== "kind" && key !== "readOnly" && !fieldsOf(kind).includes(key),
  );
  if (kind !== "host" && kind !== "empty") throw new Failure("USAGE", `${flag}: kind is host or empty`);
  if (misplaced.length > 0)
    throw new Failure("USAGE", `${flag}: a volume of kind ${kind} has no ${misplaced.join(", ")}`);
  const readOnly = boolean(flag, "readOnly", values.get("readOnly"));
  if (kind === "host") {
    const recursive = boolean(flag, "recursive", values.get("recursive"));
    return {
      name,
      kind,
      source: absolute(flag, "source", values.get("source")),
      ...(readOnly === undefined ? {} : { readOnly }),
      ...(recursive === undefined ? {} : { recursive }),
    };
  }
  return {
    name,
    kind,
    mode: octalMode(flag, values.get("mode") ?? "0755"),
    uid: id(flag, "uid", values.get("uid")),
    gid: id(flag, "gid", values.get("gid")),
    ...(readOnly === undefined ? {} : { readOnly }),
  };
}

function fieldsOf(kind: string | undefined): readonly string[] {
  return kind === "host" ? ["source", "recursive"] : ["mode", "uid", "gid"];
}

function boolean(flag: string, key: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw new Failure("USAGE", `${flag}: ${key} is true or false`);
}

function absolute(flag: string, key: string, value: string | undefined): string {
  if (value !== undefined && /^\/[^\u0000-\u001f\u007f]*$/.test(value) && !components(value).includes(".."))
    return value;
  throw new Failure("USAGE", `${flag}: ${key} is an absolute path without ..`);
}

function octalMode(flag: string, value: string): string {
  if (/^0?[0-7]{1,4}$/.test(value)) return value;
  throw new Failure("USAGE", `${flag}: mode is octal, such as 0755`);
}

function id(flag: string, key: string, value = "0"): number {
  if (/^(0|[1-9][0-9]{0,9})$/.test(value) && Number(value) <= 4294967294) return Number(value);
  throw new Failure("USAGE", `${flag}: ${key} is a number`);
}

/** `volume=NAME,target=PATH`. @throws Failure USAGE */
export function parseMountFlag(text: string): MountRequest {
  const flag = `--mount ${excerpt(text)}`;
  const values = parameters(flag, text.split(","), ["volume", "target"]);
  const volume = values.get("volume") ?? "";
  if (!isACName(volume)) throw new Failure("USAGE", `${flag}: volume=NAME names a volume of the pod`);
  return { volume, target: absolute(flag, "target", values.get("target")) };
}
