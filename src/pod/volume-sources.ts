/** The sources of host volumes, looked at before anything is made. Looks only; the shim opens them again by itself. */
import { lstatSync, readFileSync, realpathSync, type Stats } from "node:fs";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { decodeOctal } from "./cgroup-layout.ts";
import type { GivenDevice } from "./devices.ts";
import { cleanPath, componentsOf, isAtOrBelow } from "./paths.ts";
import type { HostMount } from "./volumes.ts";

/** What is mounted. */
export type SourceType = "directory" | "file" | "device";

export interface InspectedSource {
  readonly path: string;
  readonly type: SourceType;
  readonly device?: GivenDevice | undefined;
  /** Of a device: whether the pod's root, who is nobody there in a user namespace, may open it. */
  readonly isOpenToOthers?: boolean | undefined;
}

/**
 * Checks a host volume's source before the start: it exists (ACE-14), no component of its path is a symbolic link unless allowed (ACE-16,
 * T-R21), it is a directory, or a file, socket or FIFO (ACE-15), or a device (POD-56). Returns the path to mount, resolved if links are
 * allowed.
 * @throws Failure NOT_FOUND, USAGE (a link), MANIFEST_INVALID for anything but a device on a target below /dev
 */
export function inspectSource(
  mount: Pick<HostMount, "source" | "target" | "readOnly">,
  options: { readonly allowSymlinks: boolean },
): InspectedSource {
  const { source } = mount;
  const path = options.allowSymlinks ? realPath(source) : cleanPath(source);
  requireNoLinks(path, source);
  const stat = sourceStat(path, source);
  if (stat.isCharacterDevice() || stat.isBlockDevice()) {
    const [major, minor] = numbersOf(stat.rdev);
    const kind = stat.isBlockDevice() ? "b" : "c";
    const others = mount.readOnly ? 0o4 : 0o6;
    const isOpenToOthers = (stat.mode & others) === others;
    return { path, type: "device", device: { kind, major, minor, readOnly: mount.readOnly }, isOpenToOthers };
  }
  if (isAtOrBelow(mount.target, "/dev")) {
    throw new Failure("MANIFEST_INVALID", `nothing but a device can be mounted at ${excerpt(mount.target)}`, {
      subject: mount.target,
      cause: `${excerpt(source)} is none`,
    });
  }
  return { path, type: stat.isDirectory() ? "directory" : "file" };
}

/** dev_t as glibc writes it, which is what stat hands out. */
export function numbersOf(rdev: number): readonly [major: number, minor: number] {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return [Number(major), Number(minor)];
}

function requireNoLinks(path: string, source: string): void {
  const parts = componentsOf(path);
  for (let length = 1; length <= parts.length; length += 1) {
    const part = `/${parts.slice(0, length).join("/")}`;
    if (!sourceStat(part, source).isSymbolicLink()) continue;
    throw new Failure("USAGE", `volume source ${excerpt(source)}: ${excerpt(part)} is a symbolic link`, {
      subject: source,
      hint: "name the real path, or pass --allow-symlink-sources",
    });
  }
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

/**
 * POD-54, POD-55: mounts reach a volume only through a mount of the host that hands them on, and are handed to the host by nobody who has
 * a user namespace of his own: what he mounts there would be his, for every program of the host to walk into.
 * `mountinfo` is /proc/self/mountinfo. @throws Failure UNSUPPORTED
 */
export function requirePropagation(
  { volume, propagation }: Pick<HostMount, "volume" | "propagation">,
  path: string,
  options: { readonly userNamespace: boolean; readonly mountinfo?: (() => string) | undefined },
): void {
  if (propagation === "private") return;
  if (propagation === "shared" && options.userNamespace) {
    throw new Failure("UNSUPPORTED", `volume ${volume}: propagation=shared in a user namespace`, {
      subject: volume,
      cause: "what the pod mounts would be mounted on the host, with the pod's root as its owner",
      hint: "propagation=slave, or --private-users=no if the pod is meant to mount things on the host",
    });
  }
  const read = options.mountinfo ?? (() => readFileSync("/proc/self/mountinfo", "utf8"));
  const found = mountOf(read(), path);
  const hands = found?.fields.some(
    (field) => /^(shared|master):/.test(field) && (propagation === "slave" || field[0] === "s"),
  );
  if (hands === true) return;
  throw new Failure(
    "UNSUPPORTED",
    `volume ${volume}: ${excerpt(path)} is not on a ${propagation === "slave" ? "shared or slave" : "shared"} mount`,
    {
      subject: volume,
      cause: `nothing would be handed on: ${excerpt(found?.point ?? "/")} is private`,
      hint: `mount --make-shared ${excerpt(found?.point ?? "/")}`,
    },
  );
}

/** The mount that `path` lies on: of those above it the deepest, of several at one place the last. */
function mountOf(
  mountinfo: string,
  path: string,
): { readonly point: string; readonly fields: readonly string[] } | undefined {
  let best: { readonly point: string; readonly fields: readonly string[] } | undefined;
  for (const line of mountinfo.split("\n")) {
    const [, , , , escaped, , ...fields] = (line.split(" - ")[0] ?? "").split(" ");
    if (escaped === undefined) continue;
    const point = decodeOctal(escaped);
    const isDeeper = best === undefined || componentsOf(point).length >= componentsOf(best.point).length;
    if (isAtOrBelow(path, point) && isDeeper) best = { point, fields };
  }
  return best;
}
