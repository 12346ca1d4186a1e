/** Which cgroup hierarchies there are, which of them has which controller for us, and where below them our cgroups may stand. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { geteuid } from "node:process";

/** What a pod is limited, filtered and killed by. */
export type Controller = "memory" | "cpu" | "pids" | "io" | "devices" | "freezer" | "network";
const wanted: readonly Controller[] = ["memory", "cpu", "pids", "io", "devices", "freezer", "network"];

/** What a v1 hierarchy calls it. */
function nameOnV1(controller: Controller): string {
  return controller === "io" ? "blkio" : controller;
}

/** One mounted hierarchy that was chosen for one or more controllers. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** For which it was chosen: a controller of v1 is in one hierarchy only, and v2 has the rest. */
  readonly controllers: readonly Controller[];
  /**
   * Absolute: the directory our cgroups are made in, the topmost ancestor of the caller's own cgroup that the caller may write to. For
   * root that is the hierarchy's root, for a user what was delegated: gc finds the same place from any shell.
   */
  readonly base: string;
  readonly writable: boolean;
}

export interface CgroupLayout {
  readonly kind: "v1" | "hybrid" | "v2" | "none";
  readonly hierarchies: readonly Hierarchy[];
}

/** What can be enforced here; a text says why not. */
export type CgroupFeatures = Readonly<Record<Exclude<Controller, "freezer">, true | string>>;

/** What parseCgroupLayout asks the system. */
export interface CgroupProbe {
  /** Whether directories may be made in `path`. */
  readonly canWrite: (path: string) => boolean;
  /** Controllers that children of the v2 cgroup `path` may have. */
  readonly controllersOf: (path: string) => readonly string[];
}

interface CgroupMount {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** The cgroup that is seen at the mount point. */
  readonly root: string;
  readonly options: readonly string[];
}

/** Reads /proc/self and asks for access; writes nothing. */
export function readCgroupLayout(): CgroupLayout {
  const mountinfo = readFileSync("/proc/self/mountinfo", "utf8");
  return parseCgroupLayout(mountinfo, readFileSync("/proc/self/cgroup", "utf8"), { canWrite, controllersOf });
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function controllersOf(path: string): readonly string[] {
  const read = (name: string): readonly string[] => {
    const file = `${path}/${name}`;
    return existsSync(file)
      ? readFileSync(file, "utf8")
          .split(/\s+/)
          .filter((word) => word !== "")
      : [];
  };
  // Programs for devices and packets are no controllers: attaching one takes the privilege of the host's root.
  const core = geteuid?.() === 0 ? ["freezer", "devices", "network"] : ["freezer"];
  // Only the true root has no cgroup.type. Everywhere else a cgroup with processes cannot enable controllers for its children.
  const isOpen = !existsSync(`${path}/cgroup.type`) || read("cgroup.procs").length === 0;
  return [...core, ...read(isOpen ? "cgroup.controllers" : "cgroup.subtree_control")];
}

/** The pure half. */
export function parseCgroupLayout(mountinfo: string, selfCgroup: string, probe: CgroupProbe): CgroupLayout {
  const mounts = cgroupMounts(mountinfo);
  const own = ownCgroups(selfCgroup);
  const places = mounts.map((mount) => place(mount, own, probe));
  const hierarchies: Hierarchy[] = [];
  let left = wanted;
  // v1 first: what a v1 hierarchy has, v2 cannot have.
  for (const { mount, base, writable } of places.toSorted((a, b) => a.mount.version - b.mount.version)) {
    const isV1 = mount.version === 1;
    const offered = isV1 ? mount.options : probe.controllersOf(base);
    const controllers = left.filter((controller) => offered.includes(isV1 ? nameOnV1(controller) : controller));
    left = left.filter((controller) => !controllers.includes(controller));
    const isOnly = mount.version === 2 && hierarchies.length === 0;
    const { version, mountPoint } = mount;
    if (controllers.length > 0 || isOnly) hierarchies.push({ version, mountPoint, controllers, base, writable });
  }
  return { kind: kindOf(mounts), hierarchies };
}

function kindOf(mounts: readonly CgroupMount[]): CgroupLayout["kind"] {
  const hasV2 = mounts.some(({ version }) => version === 2);
  const hasV1 = mounts.some(
    ({ version, options }) => version === 1 && wanted.some((name) => options.includes(nameOnV1(name))),
  );
  if (hasV1) return hasV2 ? "hybrid" : "v1";
  return hasV2 ? "v2" : "none";
}

/** The last mount on a mount point is the one that is seen. */
function cgroupMounts(mountinfo: string): readonly CgroupMount[] {
  const byPlace = new Map<string, CgroupMount | undefined>();
  for (const line of mountinfo.split("\n")) {
    const [head = "", tail = ""] = line.split(" - ");
    const [, , , root = "", mountPoint = ""] = head.split(" ").map(decodeOctal);
    const [type, , options = ""] = tail.split(" ");
    if (mountPoint === "") continue;
    const version = type === "cgroup" ? 1 : type === "cgroup2" ? 2 : undefined;
    byPlace.set(mountPoint, version && { version, mountPoint, root, options: options.split(",") });
  }
  return [...byPlace.values()].filter((mount) => mount !== undefined);
}

/** mountinfo writes space, tab, newline and backslash in octal. */
export function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Controller (or "" for v2) → path of the caller's cgroup. */
function ownCgroups(selfCgroup: string): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  for (const line of selfCgroup.split("\n")) {
    const [, controllers, ...path] = line.split(":");
    for (const controller of controllers?.split(",") ?? []) own.set(controller, path.join(":"));
  }
  return own;
}

function place(
  mount: CgroupMount,
  own: ReadonlyMap<string, string>,
  probe: CgroupProbe,
): { readonly mount: CgroupMount; readonly base: string; readonly writable: boolean } {
  const key = mount.version === 2 ? "" : (mount.options.find((option) => own.has(option)) ?? "");
  const below = belowMount(own.get(key) ?? "/", mount.root);
  let path = mount.mountPoint;
  if (probe.canWrite(path)) return { mount, base: path, writable: true };
  for (const name of below) {
    path = `${path}/${name}`;
    if (probe.canWrite(path)) return { mount, base: path, writable: true };
  }
  return { mount, base: mount.mountPoint, writable: false };
}

/** Components of `cgroup` below the mount's root; none when it is elsewhere, as for a process outside of its cgroup namespace. */
function belowMount(cgroup: string, root: string): readonly string[] {
  const components = (path: string) => path.split("/").filter((part) => part !== "");
  const [parts, above] = [components(cgroup), components(root)];
  return parts.includes("..") || !above.every((part, index) => parts[index] === part) ? [] : parts.slice(above.length);
}

export function cgroupFeatures(layout: CgroupLayout): CgroupFeatures {
  const feature = (controller: Controller): true | string => {
    const hierarchy = layout.hierarchies.find(({ controllers }) => controllers.includes(controller));
    if (hierarchy === undefined) return `no cgroup hierarchy offers the controller ${controller} here`;
    return hierarchy.writable ? true : `${hierarchy.base} cannot be written`;
  };
  const [memory, cpu, pids, io] = [feature("memory"), feature("cpu"), feature("pids"), feature("io")];
  return { memory, cpu, pids, io, devices: feature("devices"), network: feature("network") };
}

/** Which kind of hierarchy limits block devices; 2 when none does. */
export function blockVersion({ hierarchies }: CgroupLayout): 1 | 2 {
  return hierarchies.find(({ controllers }) => controllers.includes("io"))?.version ?? 2;
}
