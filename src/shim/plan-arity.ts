/** The records of a plan and how many fields each has: the table of spec/shim.md, which the shim has too (native/plan.c). */

export type PlanSection = "first" | "pod" | "app" | "last";

/** keyword → section and number of fields; `many` marks what may be repeated. */
export interface Arity {
  readonly section: PlanSection;
  readonly fields: number;
  readonly many: boolean;
}

const once = (section: PlanSection, fields: number): Arity => ({ section, fields, many: false });
const many = (section: PlanSection, fields: number): Arity => ({ section, fields, many: true });

/** The table of spec/shim.md. */
export const arity = {
  shim: once("first", 1),
  uuid: once("pod", 1),
  hostname: once("pod", 1),
  namespace: many("pod", 1),
  uidmap: many("pod", 3),
  gidmap: many("pod", 3),
  unprivileged: once("pod", 2),
  cgroup: many("pod", 1),
  "device-filter": once("pod", 2),
  "network-limit": many("pod", 2),
  "remove-cgroup": many("pod", 1),
  sysctl: many("pod", 2),
  loopback: once("pod", 0),
  listen: once("pod", 1),
  foreground: once("pod", 0),
  attach: once("pod", 0),
  "notify-caller": once("pod", 1),
  teardown: many("pod", 2),
  "teardown-env": many("pod", 1),
  "teardown-net": many("pod", 1),
  app: many("app", 1),
  lower: many("app", 1),
  overlay: once("app", 3),
  root: once("app", 2),
  "readonly-root": once("app", 0),
  mount: many("app", 5),
  device: many("app", 3),
  symlink: many("app", 2),
  mask: many("app", 1),
  readonly: many("app", 1),
  "app-cgroup": many("app", 1),
  cwd: once("app", 1),
  user: once("app", 2),
  group: many("app", 1),
  env: many("app", 1),
  arg: many("app", 1),
  "pre-start": many("app", 1),
  "post-stop": many("app", 1),
  "handler-limit": once("app", 1),
  restart: once("app", 3),
  check: many("app", 1),
  health: once("app", 5),
  capability: many("app", 1),
  rlimit: many("app", 3),
  umask: once("app", 1),
  "no-new-privileges": once("app", 0),
  seccomp: once("app", 1),
  "oom-score": once("app", 1),
  apparmor: once("app", 1),
  selinux: once("app", 1),
  terminal: once("app", 0),
  stdin: once("app", 0),
  notify: once("app", 1),
  socket: many("app", 2),
  log: once("app", 3),
  end: once("last", 0),
} as const satisfies Record<string, Arity>;
