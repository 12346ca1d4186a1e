/**
 * The plan: everything the shim will do for one pod, as data, and its encoding as NUL-terminated records (spec/shim.md).
 * Knows no manifest and no policy; whoever builds a Plan has decided everything already.
 */
import { Failure, printable } from "../base/failure.ts";
import { arity } from "./plan-arity.ts";
import { type StagesPlan, stagesRecords } from "./stages.ts";
import { type TeardownPlan, teardownRecords } from "./teardown-plan.ts";

export type NamespaceKind = "user" | "mount" | "pid" | "net" | "ipc" | "uts" | "cgroup" | "time";

/** `count` ids beginning at `inside` of the pod are the host's beginning at `outside`. */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface Plan {
  readonly uuid: string;
  readonly hostname?: string | undefined;
  /** New namespaces; `mount` and `pid` must be among them. */
  readonly namespaces: readonly NamespaceKind[];
  /** Both exactly when `namespaces` has `user`. */
  readonly uidMaps: readonly IdMap[];
  readonly gidMaps: readonly IdMap[];
  /** The caller is not root: the programs that map users and groups, or empty texts where one id is mapped, which needs none. */
  readonly unprivileged?: readonly [string, string] | undefined;
  /** Absolute paths of cgroup directories, made and limited already, which init joins: any number of v1, at most one v2. */
  readonly cgroups: readonly string[];
  /** A BPF_PROG_TYPE_CGROUP_DEVICE program (struct bpf_insn array, host byte order) for a v2 cgroup. */
  readonly deviceFilter?: { readonly cgroup: string; readonly program: Uint8Array } | undefined;
  /** Of v2 cgroups: what their processes may send, and receive, in bytes a second. */
  readonly networkLimits?: readonly { readonly cgroup: string; readonly bytes: bigint }[] | undefined;
  /** Removed by the supervisor at the end, in this order: children before parents. */
  readonly removeCgroups: readonly string[];
  /** `key` as `net.ipv4.ip_forward`. */
  readonly sysctls: readonly { readonly key: string; readonly value: string }[];
  readonly loopback: boolean;
  /** Init listens on this TCP port of 127.0.0.1 in the pod's network namespace, for a service of the host (SHIM-40). */
  readonly listenPort?: number | undefined;
  /** The apps' output goes to the caller too, signals are forwarded, standard input is the caller's. */
  readonly foreground: boolean;
  /** One can be attached to its apps; not in the foreground. */
  readonly attachable?: boolean | undefined;
  /** The socket of the caller's service manager, which hears when the pod is ready; `@` begins an abstract name. */
  readonly notifyCaller?: string | undefined;
  readonly teardowns: readonly TeardownPlan[];
  readonly apps: readonly AppPlan[];
}

/** Paths of directories on the host are absolute or relative to the pod directory. */
export interface OverlayRoot {
  readonly kind: "overlay";
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** Both owned by the pod's root: the id that 0 is mapped to when there is a user namespace. */
  readonly upper: string;
  readonly work: string;
  /** The lower directories are idmapped with the pod's user namespace. */
  readonly idmap: boolean;
  /** The upper directory is never synced: a pod's end does not wait for the disk (nor does the app's fsync on its root). */
  readonly volatile: boolean;
}

export interface DirectoryRoot {
  readonly kind: "directory";
  readonly path: string;
  readonly idmap: boolean;
}

export type MountType = "bind" | "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" | "cgroup" | "cgroup2";
/** Those from `rec` on are for `bind` only; `file`: the target is a file. `one` is for `tmpfs` only: those of one source are one file system. */
export type MountFlag = "ro" | "nosuid" | "nodev" | "noexec" | "rec" | "idmap" | "file" | "slave" | "shared" | "one";

export interface MountPlan {
  /** A path on the host for `bind`; for the others a name to show, such as `tmpfs`. */
  readonly source: string;
  /** Absolute inside the app's root. */
  readonly target: string;
  readonly type: MountType;
  readonly flags: readonly MountFlag[];
  /** Options of the file system, comma separated, such as `size=65536k,mode=1777`; for `cgroup` the controllers. */
  readonly data: string;
}

export interface AppPlan extends StagesPlan {
  /** An ACName. */
  readonly name: string;
  readonly root: OverlayRoot | DirectoryRoot;
  readonly readonlyRoot: boolean;
  /** In order. /dev is always a tmpfs of the shim's own and needs no record. */
  readonly mounts: readonly MountPlan[];
  /** Character devices of the host, `name` below /dev. */
  readonly devices: readonly { readonly name: string; readonly major: number; readonly minor: number }[];
  /** `path` is below /dev. */
  readonly symlinks: readonly { readonly target: string; readonly path: string }[];
  readonly masks: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly cgroups: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Name and value; the whole environment. */
  readonly environment: readonly (readonly [string, string])[];
  readonly command: readonly string[];
  /** Run to its end before the app starts, and after it has ended, in its root and confined like it; empty: none. */
  readonly preStart: readonly string[];
  readonly postStop: readonly string[];
  /** How long each of them may take. */
  readonly handlerSeconds: number;
  /** `CAP_…` */
  readonly capabilities: readonly string[];
  /** `name` as `nofile`. */
  readonly rlimits: readonly {
    readonly name: string;
    readonly soft: number | "unlimited";
    readonly hard: number | "unlimited";
  }[];
  /** 0…0o777 */
  readonly umask: number;
  readonly noNewPrivileges: boolean;
  /** struct sock_filter array, host byte order. */
  readonly seccomp?: Uint8Array | undefined;
  /** −1000…1000 */
  readonly oomScore?: number | undefined;
  /** The program's AppArmor profile, which is loaded, and its SELinux context. */
  readonly apparmor?: string | undefined;
  readonly selinux?: string | undefined;
  readonly terminal: boolean;
  /** Standard input is a pipe that whoever is attached writes to; not with a terminal. */
  readonly takesInput?: boolean | undefined;
  /** Where the app says when it is ready (sd_notify), right below /dev; its environment has to name it. */
  readonly notify?: string | undefined;
  /** Listening sockets of the caller's, which become 3 and what follows, in this order: the index counts those that the shim is handed. */
  readonly sockets?: readonly { readonly name: string; readonly index: number }[] | undefined;
  readonly log?: { readonly path: string; readonly bytes: number; readonly files: number } | undefined;
}

type Keyword = keyof typeof arity;
type Field = string | number;
type PlanRecord = readonly [Keyword, ...Field[]];

/** The whole plan may not be longer (spec/shim.md). */
const sizeLimit = 4 * 1024 * 1024;

/**
 * The bytes of the file `plan`.
 * @throws Failure MANIFEST_INVALID if a text holds a NUL, LIMIT_EXCEEDED past 4 MiB
 */
export function encodePlan(plan: Plan): Buffer {
  const records = [...recordsOf(plan)];
  for (const [keyword, ...fields] of records) {
    for (const field of fields) {
      if (String(field).includes("\0")) {
        throw new Failure("MANIFEST_INVALID", `${keyword}: a NUL byte cannot be passed to a program`, {
          subject: keyword,
        });
      }
    }
  }
  const bytes = Buffer.from(records.map((record) => `${record.join("\0")}\0`).join(""));
  if (bytes.length > sizeLimit) {
    throw new Failure("LIMIT_EXCEEDED", `the plan has ${bytes.length} bytes, more than the ${sizeLimit} allowed`, {
      hint: "pass less in arguments, environment and mounts",
    });
  }
  return bytes;
}

/** One line a record, for people: values of environment variables are left out, programs are counted (T-R07). */
export function describePlan(plan: Plan): readonly string[] {
  return [...recordsOf(plan)].map(([keyword, ...fields]) => {
    const shown = fields.map((field) => describeField(keyword, String(field)));
    return [keyword === "app" ? keyword : indented(keyword), ...shown].join(" ");
  });
}

function indented(keyword: Keyword): string {
  return arity[keyword].section === "app" ? `  ${keyword}` : keyword;
}

function describeField(keyword: Keyword, field: string): string {
  if (keyword === "env") return `${printable(field.slice(0, field.indexOf("=")))}=***`;
  if ((keyword === "seccomp" || keyword === "device-filter") && /^[0-9a-f]{16,}$/.test(field)) {
    return `(${field.length / 16} instructions)`;
  }
  return field === "" || /\s/.test(field) ? JSON.stringify(printable(field)) : printable(field);
}

function* recordsOf(plan: Plan): Generator<PlanRecord> {
  yield ["shim", 1];
  yield ["uuid", plan.uuid];
  if (plan.hostname !== undefined) yield ["hostname", plan.hostname];
  for (const kind of plan.namespaces) yield ["namespace", kind];
  for (const { inside, outside, count } of plan.uidMaps) yield ["uidmap", inside, outside, count];
  for (const { inside, outside, count } of plan.gidMaps) yield ["gidmap", inside, outside, count];
  if (plan.unprivileged) yield ["unprivileged", ...plan.unprivileged];
  for (const path of plan.cgroups) yield ["cgroup", path];
  if (plan.deviceFilter) yield ["device-filter", plan.deviceFilter.cgroup, hex(plan.deviceFilter.program)];
  for (const { cgroup, bytes } of plan.networkLimits ?? []) yield ["network-limit", cgroup, String(bytes)];
  for (const path of plan.removeCgroups) yield ["remove-cgroup", path];
  for (const { key, value } of plan.sysctls) yield ["sysctl", key, value];
  if (plan.loopback) yield ["loopback"];
  if (plan.listenPort !== undefined) yield ["listen", plan.listenPort];
  if (plan.foreground) yield ["foreground"];
  if (plan.attachable === true) yield ["attach"];
  if (plan.notifyCaller !== undefined) yield ["notify-caller", plan.notifyCaller];
  for (const teardown of plan.teardowns) yield* teardownRecords(teardown);
  for (const app of plan.apps) yield* appRecords(app);
  yield ["end"];
}

function* appRecords(app: AppPlan): Generator<PlanRecord> {
  yield ["app", app.name];
  yield* fileRecords(app);
  for (const path of app.cgroups) yield ["app-cgroup", path];
  yield ["cwd", app.cwd];
  yield ["user", app.uid, app.gid];
  for (const gid of app.groups) yield ["group", gid];
  for (const [name, value] of app.environment) yield ["env", `${name}=${value}`];
  for (const text of app.command) yield ["arg", text];
  for (const text of app.preStart) yield ["pre-start", text];
  for (const text of app.postStop) yield ["post-stop", text];
  if (app.preStart.length + app.postStop.length > 0) yield ["handler-limit", app.handlerSeconds];
  yield* stagesRecords(app);
  for (const name of app.capabilities) yield ["capability", name];
  for (const { name, soft, hard } of app.rlimits) yield ["rlimit", name, soft, hard];
  yield ["umask", app.umask.toString(8).padStart(4, "0")];
  if (app.noNewPrivileges) yield ["no-new-privileges"];
  if (app.seccomp) yield ["seccomp", hex(app.seccomp)];
  if (app.oomScore !== undefined) yield ["oom-score", app.oomScore];
  if (app.apparmor !== undefined) yield ["apparmor", app.apparmor];
  if (app.selinux !== undefined) yield ["selinux", app.selinux];
  if (app.terminal) yield ["terminal"];
  if (app.takesInput === true) yield ["stdin"];
  if (app.notify !== undefined) yield ["notify", app.notify];
  for (const { name, index } of app.sockets ?? []) yield ["socket", name, index];
  if (app.log) yield ["log", app.log.path, app.log.bytes, app.log.files];
}

function* fileRecords({ root, ...app }: AppPlan): Generator<PlanRecord> {
  if (root.kind === "overlay") {
    for (const directory of root.lowers) yield ["lower", directory];
    const flags = [...(root.idmap ? ["idmap"] : []), ...(root.volatile ? ["volatile"] : [])];
    yield ["overlay", root.upper, root.work, flags.join(",")];
  } else {
    yield ["root", root.path, root.idmap ? "idmap" : ""];
  }
  if (app.readonlyRoot) yield ["readonly-root"];
  for (const { source, target, type, flags, data } of app.mounts) {
    yield ["mount", source, target, type, flags.join(","), data];
  }
  for (const { name, major, minor } of app.devices) yield ["device", name, major, minor];
  for (const { target, path } of app.symlinks) yield ["symlink", target, path];
  for (const path of app.masks) yield ["mask", path];
  for (const path of app.readonlyPaths) yield ["readonly", path];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
