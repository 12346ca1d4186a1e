/** A plan in words, and what the user must be told before a pod starts. Pure; knows nothing of records. */
import { printable } from "../base/failure.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import type { AppPlan, IdMap, Plan } from "../shim/plan.ts";
import type { CgroupDirectory } from "./cgroup-plan.ts";
import { defaultPolicy } from "./default-policy.ts";
import { healthWords } from "./health.ts";
import type { AppIsolation, PodIsolation } from "./isolators.ts";
import type { PlanApp, PlanInput } from "./plan.ts";
import { restartWords } from "./restart.ts";
import { seccompReach } from "./seccomp.ts";

export interface PlanTopic {
  readonly topic: string;
  readonly lines: readonly string[];
}

/** For `perigee plan`: what will be done, and why. Values of variables are left out (T-R07). */
export function explainPlan(input: PlanInput, plan: Plan): readonly PlanTopic[] {
  const apps = plan.apps.flatMap((app, index): readonly PlanTopic[] => {
    const [source, isolation] = [input.apps[index], input.isolation.apps[index]];
    return source === undefined || isolation === undefined ? [] : [appTopic(app, source, isolation)];
  });
  return [
    {
      topic: `pod ${plan.uuid}`,
      lines: [
        `host name ${printable(input.hostname)}`,
        `namespaces of its own: ${plan.namespaces.join(", ")}`,
        userWords(input),
        networkWords[input.network],
        ...(plan.notifyCaller === undefined ? [] : [`${printable(plan.notifyCaller)} is told when it is ready`]),
        ...plan.sysctls.map(({ key, value }) => `sysctl ${printable(key)} = ${printable(value)}`),
      ],
    },
    { topic: "cgroups", lines: cgroupLines(input) },
    ...apps,
    { topic: "isolators", lines: isolatorLines(input.isolation) },
  ];
}

const networkWords: Readonly<Record<PlanInput["network"], string>> = {
  host: "network of the host: every address and port of it, and its abstract sockets",
  none: "no network but loopback",
  own: "networks of its own, made by plugins before it starts",
};

function userWords({ userNamespace }: PlanInput): string {
  if (userNamespace !== undefined && !("base" in userNamespace)) {
    const { uids, gids, lacks } = userNamespace;
    const ids = (maps: readonly IdMap[]) => maps.reduce((sum, { count }) => sum + count, 0);
    const reason = lacks === undefined ? "" : `, for want of ${lacks}`;
    return `root of the pod is you; it has ${ids(uids)} user ids and ${ids(gids)} group ids, as all of your pods${reason}`;
  }
  if (userNamespace === undefined) return "no user namespace: ids are the host's, root of an app is root of the host";
  const last = userNamespace.base + userNamespace.count - 1;
  return `ids 0 to ${userNamespace.count - 1} of the pod are ${userNamespace.base} to ${last} of the host`;
}

function cgroupLines({ cgroups }: PlanInput): readonly string[] {
  if (cgroups.directories.length === 0) return ["none: no hierarchy can be written, so nothing is limited"];
  const filter = cgroups.deviceFilter;
  return [
    ...cgroups.directories.map(directoryWords),
    ...(cgroups.networkLimits ?? []).map(
      ({ cgroup, bytes }) => `${cgroup}: ${bytes} bytes a second sent, and received`,
    ),
    ...(filter === undefined ? [] : [`${filter.cgroup}: device filter of ${filter.program.length / 8} instructions`]),
  ];
}

function directoryWords({ path, writes }: CgroupDirectory): string {
  const limits = writes.filter(({ file }) => file !== "devices.allow").map(({ file, value }) => `${file} = ${value}`);
  const devices = writes.filter(({ file }) => file === "devices.allow").length;
  const words = devices === 0 ? limits : [...limits, `${devices} kinds of devices allowed`];
  return words.length === 0 ? path : `${path}: ${words.join(", ")}`;
}

function appTopic(app: AppPlan, source: PlanApp, isolation: AppIsolation): PlanTopic {
  const { root } = app;
  const rootWords = root.kind === "overlay" ? `overlay on ${root.lowers.join(", ")}` : `directory ${root.path}`;
  return {
    topic: `app ${app.name}`,
    lines: [
      ...(app.preStart.length === 0
        ? []
        : [`before it starts, in ${app.handlerSeconds} s: ${commandWords(app.preStart)}`]),
      `command ${commandWords(app.command)}`,
      ...(app.postStop.length === 0
        ? []
        : [`after its end, in ${app.handlerSeconds} s: ${commandWords(app.postStop)}`]),
      ...(app.restart === undefined ? [] : [restartWords(app.restart)]),
      ...(app.health === undefined ? [] : [`${healthWords(app.health)}: ${commandWords(app.health.command)}`]),
      `in ${printable(app.cwd)} as uid ${app.uid}, gid ${app.gid}, groups ${app.groups.join(", ")}`,
      `root: ${rootWords}${root.idmap ? ", idmapped" : ""}${app.readonlyRoot ? ", read-only" : ""}`,
      ...source.mounts.map(
        ({ mount, path }) =>
          `${printable(mount.target)}: volume ${mount.volume} (${mount.kind}) from ${printable(path)}${mount.readOnly ? ", read-only" : ""}`,
      ),
      ...source.files.map(({ target }) => `${target}: written by perigee, read-only`),
      `environment: ${app.environment.map(([name]) => printable(name)).join(", ")}`,
      app.noNewPrivileges
        ? "no new privileges: setuid programs and file capabilities have no effect"
        : "may gain privileges by setuid programs",
      `capabilities: ${app.capabilities.length === 0 ? "none" : app.capabilities.join(", ")}${app.uid === 0 ? "" : ` (bounding set; uid ${app.uid} has none)`}`,
      seccompWords(isolation),
      ...(app.apparmor === undefined ? [] : [`AppArmor profile ${printable(app.apparmor)}`]),
      ...(app.selinux === undefined ? [] : [`SELinux context ${printable(app.selinux)}`]),
      `devices: ${app.devices.map(({ name }) => name).join(", ")}`,
      `${app.masks.length} paths of /proc and /sys hidden, ${app.readonlyPaths.length} read-only`,
      ...(app.notify === undefined ? [] : [`says at ${app.notify} when it is ready`]),
      ...(app.sockets ?? []).map(({ name }, index) => `descriptor ${3 + index}: the socket of port ${name}`),
      app.terminal ? "a terminal of its own; output is not kept" : `output kept in ${app.log?.path ?? "no log"}`,
    ],
  };
}

function commandWords(words: readonly string[]): string {
  return words.map((word) => printable(JSON.stringify(word))).join(" ");
}

function seccompWords(app: AppIsolation): string {
  if (app.seccomp === "off") return "system calls: not filtered";
  const marks = app.writesHost ? "; no set-user-ID files, because files of the host could be written to" : "";
  return `system calls: ${seccompReach(app.seccomp === "default" ? defaultPolicy(app) : app.seccomp)}${marks}`;
}

function isolatorLines({ report }: PodIsolation): readonly string[] {
  if (report.length === 0) return ["none in the manifest"];
  return report.map(({ name, app, state, why }) => `${app ?? "pod"}: ${printable(name)} ${state}: ${why}`);
}

/** Isolators that are not enforced as written (ACE-22), and what of the manifest this version does not do. */
export function podWarnings(
  manifest: PodManifest,
  isolation: PodIsolation,
  areSocketsHanded = false,
): readonly string[] {
  const isolators = isolation.report
    .filter(({ state }) => state !== "enforced")
    .map(({ name, app, state, why }) => `${app ?? "pod"}: isolator ${printable(name)} is ${state}: ${why}`);
  const apps = manifest.apps.flatMap(({ name, app }) =>
    (app?.ports ?? [])
      .filter(({ socketActivated }) => socketActivated && !areSocketsHanded)
      .map(
        (port) =>
          `${name}: port ${port.name} is socket-activated, and no socket was handed over: the app must listen itself`,
      ),
  );
  return [...isolators, ...apps];
}
