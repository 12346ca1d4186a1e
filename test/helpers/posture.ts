/** What a program finds it is kept from, as data: read from the guest's lines, and compared with what other runtimes give. */
import { readFileSync } from "node:fs";
import { capabilitiesOf } from "../../src/pod/capabilities.ts";
import { parseMounts } from "./leak-check.ts";
import { tableOf, valuesOf } from "./program.ts";

export interface Posture {
  readonly namespaces: readonly string[];
  /** The bounding set. */
  readonly capabilities: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly filter: boolean;
  /** Of the calls 0 to 469; undefined: not counted here. */
  readonly blockedCalls?: number;
  /** Mount point → flags that keep something from the program. */
  readonly mounts: Readonly<Record<string, readonly string[]>>;
  /** Empty, or not there at all. */
  readonly hidden: readonly string[];
  readonly devices: readonly string[];
  readonly descriptors: readonly string[];
  readonly ownKeyring: boolean;
  readonly umask: string;
  /** Soft limits; null: none of its own. */
  readonly openFiles: number | null;
  readonly processes: number | null;
}

/** `../golden/NAME.json` of the sources. */
export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/golden/${name}.json`, import.meta.url), "utf8"));
}

/** Everything that docker, podman, runc or rkt hide. */
const paths = [
  ...["acpi", "asound", "config.gz", "interrupts", "kallsyms", "kcore", "keys", "kmem", "kmsg", "latency_stats"],
  ...["mem", "sched_debug", "scsi", "timer_list", "timer_stats"],
]
  .map((name) => `/proc/${name}`)
  .concat(
    ["dev/block", "devices/virtual/powercap", "firmware", "fs/selinux", "hypervisor"].map((name) => `/sys/${name}`),
  );
const standing = ["ptmx", "pts", "shm", "mqueue", "console", "fd", "stdin", "stdout", "stderr"];
const points = ["/", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm", "/dev/mqueue"];
const pidsFiles = { v1: "/sys/fs/cgroup/pids/pids.max", v2: "/sys/fs/cgroup/pids.max", none: undefined };

/** The guest's line whose output readPosture takes. `cgroups`: what the pod has of its own. */
export function postureLine(cgroups: keyof typeof pidsFiles): readonly string[] {
  const file = pidsFiles[cgroups];
  const verbs = ["privileges", "namespaces", "mounts", "limits", "ids", "fds", "try keyring-search"];
  const looking = [`list /dev ${paths.join(" ")}`, `open ${paths.join(" ")}`];
  const counting = file === undefined ? [] : ["echo pids.max", `cat ${file}`];
  return [...verbs, ...looking, ...counting].flatMap((verb) => [...verb.split(" "), ","]).slice(0, -1);
}

/** `own`: links of /proc/self/ns on the host, which a namespace of the pod's own differs from. */
export function readPosture(text: string, own: (kind: string) => string): Posture {
  const sets = tableOf(text, "status");
  const opened = tableOf(text, "open");
  const capabilities = (name: string) => [...capabilitiesOf(sets[name] ?? "")].sort();
  const lines = [...text.matchAll(/^mount\.(.*)$/gm)].map(([, line = ""]) => line).join("\n");
  const last = new Map(
    lines.split("\n").map((line) => [line.split(" ")[4] ?? "", (line.split(" ")[5] ?? "").split(",")]),
  );
  if (parseMounts(lines).length < points.length) throw new Error("the guest shows no mounts");
  const isHidden = (path: string) => {
    const listed = valuesOf(text, `list.${path}`).filter((name) => !/^E(NOENT|NOTDIR)$/.test(name));
    return /^(empty,|EISDIR|ENOENT)/.test(opened[path] ?? "") && listed.length === 0;
  };
  const named = [...valuesOf(text, "list./dev")].filter((name) => !standing.includes(name));
  return {
    namespaces: Object.entries(tableOf(text, "ns"))
      .filter(([kind, link]) => link !== own(kind))
      .map(([kind]) => kind)
      .sort(),
    capabilities: capabilities("CapBnd"),
    inheritable: capabilities("CapInh"),
    ambient: capabilities("CapAmb"),
    noNewPrivileges: sets["NoNewPrivs"] === "1",
    filter: sets["Seccomp"] === "2",
    mounts: Object.fromEntries(
      points.map((point) => [point, (last.get(point) ?? []).filter((flag) => /^(ro|nosuid|nodev|noexec)$/.test(flag))]),
    ),
    hidden: paths.filter(isHidden).sort(),
    devices: named.sort(),
    descriptors: Object.keys(tableOf(text, "fd")).sort(),
    ownKeyring: tableOf(text, "try")["keyring-search"] !== "ok",
    umask: valuesOf(text, "umask")[0] ?? "0000",
    openFiles: Number(tableOf(text, "limit")[7]?.split(",")[0]),
    // A cgroup counts all of the pod, the limit of a process those of its user.
    processes: Number(/^pids\.max\n(\d+)$/m.exec(text)?.[1] ?? tableOf(text, "limit")[6]?.split(",")[0]),
  };
}

/** One line for each thing that `peer` keeps from its programs and `ours` does not. */
export function weakerLines(ours: Posture, peer: Posture): readonly string[] {
  const beyond = (name: keyof Posture, mine: readonly string[], theirs: readonly string[]) =>
    mine.filter((item) => !theirs.includes(item)).map((item) => `${name} ${item}`);
  const more = (name: "openFiles" | "processes") => {
    const [mine, theirs] = [ours[name], peer[name]];
    return theirs !== null && (mine === null || !(mine <= theirs)) ? [`${name} ${mine}`] : [];
  };
  const off = (name: "noNewPrivileges" | "filter" | "ownKeyring") => (peer[name] && !ours[name] ? [name] : []);
  return [
    ...beyond("namespaces", peer.namespaces, ours.namespaces),
    ...beyond("capabilities", ours.capabilities, peer.capabilities),
    ...beyond("inheritable", ours.inheritable, peer.inheritable),
    ...beyond("ambient", ours.ambient, peer.ambient),
    ...off("noNewPrivileges"),
    ...off("filter"),
    ...off("ownKeyring"),
    ...(ours.blockedCalls !== undefined && ours.blockedCalls < (peer.blockedCalls ?? 0) ? ["blockedCalls"] : []),
    ...Object.entries(peer.mounts).flatMap(([point, flags]) =>
      beyond("mounts", flags, ours.mounts[point] ?? []).map((line) => `${line} of ${point}`),
    ),
    ...beyond("hidden", peer.hidden, ours.hidden),
    ...beyond("devices", ours.devices, peer.devices),
    ...beyond("descriptors", ours.descriptors, peer.descriptors),
    ...((Number.parseInt(peer.umask, 8) & ~Number.parseInt(ours.umask, 8)) !== 0 ? ["umask"] : []),
    ...more("openFiles"),
    ...more("processes"),
  ];
}
