/** Which disks are behind directories: what a limit of block devices counts on (ACE-43, ISO-11). */
import { existsSync, readFileSync, statSync } from "node:fs";
import { decodeOctal } from "./cgroup-layout.ts";
import { isAtOrBelow } from "./paths.ts";

export interface BlockDevices {
  /** `MAJOR:MINOR`, whole disks: the kernel throttles no partition by itself. */
  readonly devices: readonly string[];
  /** Directories that may lie on further devices, which nothing tells. */
  readonly unknown: readonly string[];
}

/** What placeBlockDevices asks the system. */
export interface DeviceProbe {
  /** `MAJOR:MINOR` of the file system that `path` is on; undefined when there is nothing. */
  readonly deviceOf: (path: string) => string | undefined;
  /** `MAJOR:MINOR` of a device file; undefined when it is none of a block device. */
  readonly blockFile: (path: string) => string | undefined;
  /** The disk of a partition, or the device itself; undefined for what is no block device. */
  readonly diskOf: (device: string) => string | undefined;
}

/** A directory or file that a pod uses; `recursive`: with what is mounted below it. */
export interface UsedPlace {
  readonly source: string;
  readonly recursive: boolean;
}

/** Places that are not there are passed over: a pod with them is refused elsewhere. */
export function findBlockDevices(places: readonly UsedPlace[]): BlockDevices {
  return placeBlockDevices(places, readFileSync("/proc/self/mountinfo", "utf8"), { deviceOf, blockFile, diskOf });
}

/** The pure half; `mountinfo` as the file of that name. */
export function placeBlockDevices(places: readonly UsedPlace[], mountinfo: string, probe: DeviceProbe): BlockDevices {
  const mounts = parseMounts(mountinfo);
  const devices = new Set<string>();
  const unknown = new Set<string>();
  const add = (path: string) => {
    const own = probe.deviceOf(path);
    if (own === undefined) return;
    const disk = probe.diskOf(own);
    if (disk !== undefined) {
      devices.add(disk);
      return;
    }
    const { type, source } = mountOf(path, mounts);
    const file = /^\/dev\//.test(source) ? probe.blockFile(source) : undefined;
    const found = file === undefined ? undefined : probe.diskOf(file);
    if (found !== undefined) devices.add(found);
    // A btrfs names one of its devices and has any number; an overlay or FUSE names none and may have one below.
    if (!withoutDevice.has(type)) unknown.add(path);
  };
  for (const { source, recursive } of places) {
    add(source);
    if (recursive) for (const { point } of mounts) if (isAtOrBelow(point, source)) add(point);
  }
  return { devices: [...devices], unknown: [...unknown] };
}

/** File systems that are on no block device of this host. */
const withoutDevice: ReadonlySet<string> = new Set([
  ...["tmpfs", "ramfs", "devtmpfs", "devpts", "mqueue", "hugetlbfs", "proc", "sysfs", "cgroup", "cgroup2", "bpf"],
  ...["securityfs", "debugfs", "tracefs", "configfs", "fusectl", "pstore", "efivarfs", "binfmt_misc", "nsfs"],
  ...["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph"],
]);

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [head = "", tail = ""] = line.split(" - ");
    const point = head.split(" ")[4];
    const [type = "", source = ""] = tail.split(" ");
    return point === undefined ? [] : [{ point: decodeOctal(point), type, source: decodeOctal(source) }];
  });
}

/** The last of the mounts with the longest mount point that `path` is at or below. */
function mountOf(path: string, mounts: readonly Mount[]): Mount {
  let best: Mount = { point: "", type: "", source: "" };
  for (const mount of mounts) {
    if (isAtOrBelow(path, mount.point) && mount.point.length >= best.point.length) best = mount;
  }
  return best;
}

function deviceOf(path: string): string | undefined {
  const dev = statSync(path, { bigint: true, throwIfNoEntry: false })?.dev;
  return dev === undefined ? undefined : numbersOf(dev);
}

function blockFile(path: string): string | undefined {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status?.isBlockDevice() === true ? numbersOf(status.rdev) : undefined;
}

/** As glibc's major() and minor(). */
function numbersOf(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

function diskOf(device: string): string | undefined {
  const place = `/sys/dev/block/${device}`;
  if (!existsSync(place)) return undefined;
  // The link leads below the disk's own directory: `..` is taken from there.
  return existsSync(`${place}/partition`) ? readFileSync(`${place}/../dev`, "utf8").trim() : device;
}
