/** The flags that run, prepare and plan share, and what they mean to the api. */
import type { NetworkTerms } from "../api/decide-networks.ts";
import type { PrepareOptions } from "../api/prepare.ts";
import type { RunApp, RunOptions } from "../api/run-options.ts";
import { excerpt, Failure } from "../base/failure.ts";
import { type AppSegment, parseAppSegments } from "./apps.ts";
import type { OptionSpec, OptionValues } from "./command.ts";
import { parseDuration } from "./durations.ts";
import { pullOptions, pullPolicy } from "./pull-policy.ts";

/** How a pod starts: of run, plan and run-prepared. */
export const startOptions: readonly OptionSpec[] = [
  [
    "--net <networks>*",
    "`none`: loopback only; `host`: the host's; `default`, `default-restricted`, `all`, or NAME[:KEY=VALUE;…] of net.d, with commas",
  ],
  ["--net-alias <name>*", "a further name of the pod for others of its networks"],
  ["--dns <server>*", "an IP address for resolv.conf; `host`: the host's file; `none`: the image's"],
  ["--dns-search <domain>*", "searched for names without a dot"],
  ["--dns-opt <option>*", "an option of resolv.conf, such as ndots:2"],
  ["--dns-domain <domain>", "the domain in resolv.conf"],
  ["--hosts-entry <entry>*", "ADDRESS=NAME for /etc/hosts; `host`: the host's file"],
  ["--hostname <name>", "the pod's host name instead of perigee-UUID"],
  ["--interactive", "a terminal for the only app; with --detach for those who attach"],
  ["--mds-register", "tell the apps who they are: AC_METADATA_URL leads to the metadata service"],
  [
    "--sdnotify <mode>",
    "who says when the pod is ready: `container` (READY=1 of every app), `conmon` (perigee, when they are executed), `ignore` (nobody is told); else each app whose image says it can",
  ],
];

/** Of run, plan, prepare and run-prepared. */
export const strictOption: OptionSpec = [
  "--strict",
  "refuse what would be ignored or changed of image, manifest and flags",
];

/** Of run, plan and prepare. */
export const prepareOptions: readonly OptionSpec[] = [
  ["--pod-name <name>", "a name of the pod's own, for every command that takes a uuid"],
  ["--private-users <yes|no>", "a user namespace of its own: host ids are never the pod's", "yes"],
  ["--no-overlay", "copy the tree instead of an overlay"],
  ["--pod-manifest <file>", "a pod manifest in place of images, volumes and variables"],
  ...pullOptions("new"),
  [
    "--volume <volume>*",
    "NAME,kind=host,source=/DIR[,readOnly=true][,recursive=false][,propagation=slave|shared], NAME,kind=empty[,mode=0755][,uid=0][,gid=0][,seeded=true] or NAME,kind=tmpfs[,size=64Mi][,mode=1777][,uid=0][,gid=0]",
  ],
  [
    "--port <port>*",
    "NAME:[HOSTIP:]HOSTPORT[/PROTOCOL]: the host's port leads to the app's port NAME; 127.0.0.1 unless HOSTIP is said",
  ],
  ["--inherit-env", "hand on this environment where an image sets nothing"],
  ["--set-env <variable>*", "NAME=VALUE for every app"],
  ["--set-env-file <file>*", "a file of NAME=VALUE lines for every app"],
  ["--allow-symlink-sources", "a host volume's source may be, or be below, a symbolic link"],
  ["--pids-limit <number>", "processes and threads of the pod, its init counted, instead of 2048"],
  ["--appc-defaults", "appc's 14 capabilities and setuid programs where an app says nothing of them"],
  strictOption,
  ["--uuid-file-save <file>", "write the pod's uuid there once all that can fail before its start has been done"],
];

/** Before the first image; they may stand after an image too. */
export const podOptions: readonly OptionSpec[] = [...startOptions, ...prepareOptions];

/** Of run and run-prepared; plan takes them too, so that a line can be asked about as it stands. */
export const detachOptions: readonly OptionSpec[] = [["--detach", "return when the pod runs, and print its uuid"]];

/** After an image: for that image's app. */
export const appOptions: readonly OptionSpec[] = [
  ["--name <name>", "the app's name"],
  ["--exec <program>", "run this instead of the image's command"],
  ["--user <user>", "a name or number, or a path of the image whose owner is meant; the group stays as it is"],
  ["--group <group>", "as --user"],
  ["--supplementary-gids <list>", "numbers, separated by commas"],
  ["--working-dir <directory>", "where the app starts"],
  ["--readonly-rootfs", "the app's root cannot be written to"],
  ["--environment <variable>*", "NAME=VALUE for this app"],
  ["--stdin <mode>", "with --detach: `stream`, a pipe for those who attach, or `null`; null"],
  ["--mount <mount>*", "volume=NAME,target=PATH; before the first image: for every app"],
  ["--memory <quantity>", "limit, such as 128Mi"],
  ["--cpu <quantity>", "limit in cores, such as 500m"],
  ["--cpu-shares <number>", "weight, 2 to 262144"],
  ["--oom-score-adj <number>", "-1000 to 1000; never below the caller's own"],
  ["--caps-retain <list>", "exactly these capabilities"],
  ["--caps-remove <list>", "the 14 of the appc specification without these; perigee's own default is 9 of them"],
  ["--seccomp <filter>", "mode=retain|remove[,errno=NAME],CALL…"],
  ["--restart <policy>", "start it again when it ends: `no`, `on-failure`, `on-failure:N` (N times at most), `always`"],
  ["--restart-keep-root", "start it again in the root that it had, not in a new one"],
  ["--health-cmd <command>", "ask the app whether it is well: a shell line, a JSON array of words, or `none`"],
  ["--health-interval <duration>", "between checks; 30s"],
  ["--health-timeout <duration>", "how long a check may take; 30s"],
  ["--health-start-period <duration>", "how long failures do not count after a start; 0s"],
  ["--health-retries <number>", "so many failures make it unhealthy; 3"],
  ["--health-on-failure <action>", "of an unhealthy app: `none`, `kill`, or `restart`; none"],
  ["--annotation <annotation>*", "NAME=VALUE"],
  ["--user-annotation <annotation>*", "NAME=VALUE with a free name"],
  ["--user-label <label>*", "NAME=VALUE with a free name"],
  ["--signature <file>", "a detached signature of this image, for files and URLs"],
];

/** @throws Failure USAGE */
export function parseRunOptions(argv: readonly string[]): RunOptions & { readonly detach: boolean } {
  const { pod, apps } = parseAppSegments(argv, [...podOptions, ...detachOptions], appOptions);
  if (apps.length === 0 && pod.text("pod-manifest") === undefined) throw noImage(pod.list("net")?.at(-1), "run");
  return { ...preparation(pod, apps), ...startOf(pod), detach: pod.flag("detach") };
}

/** @throws Failure USAGE */
export function parsePrepareOptions(argv: readonly string[]): PrepareOptions {
  const { pod, apps } = parseAppSegments(argv, prepareOptions, appOptions);
  if (apps.length === 0 && pod.text("pod-manifest") === undefined) throw noImage(undefined, "prepare");
  return preparation(pod, apps);
}

/** What startOptions mean. */
export function startOf(
  options: OptionValues,
): NetworkTerms & Pick<RunOptions, "hostname" | "sdnotify" | "interactive" | "metadata"> {
  return {
    network: options.list("net"),
    netAliases: options.list("net-alias"),
    dns: options.list("dns"),
    dnsSearch: options.list("dns-search"),
    dnsOptions: options.list("dns-opt"),
    dnsDomain: options.text("dns-domain"),
    hostsEntries: options.list("hosts-entry"),
    hostname: options.text("hostname"),
    sdnotify: options.text("sdnotify"),
    interactive: options.flag("interactive"),
    metadata: options.flag("mds-register"),
  };
}

function preparation(pod: OptionValues, apps: readonly AppSegment[]): PrepareOptions {
  return {
    apps: apps.map(({ image, options, args }) => runApp(image, options, args)),
    podManifest: pod.text("pod-manifest"),
    podName: pod.text("pod-name"),
    privateUsers: yesOrNo(pod.text("private-users") ?? "yes", "--private-users"),
    overlay: pod.flag("overlay"),
    pullPolicy: pullPolicy(pod, "new"),
    allowRollback: pod.flag("allow-rollback"),
    volumes: pod.list("volume"),
    mounts: pod.list("mount"),
    ports: pod.list("port"),
    inheritEnvironment: pod.flag("inherit-env"),
    setEnvironment: pod.list("set-env"),
    environmentFiles: pod.list("set-env-file"),
    allowSymlinkSources: pod.flag("allow-symlink-sources"),
    pidsLimit: pod.text("pids-limit"),
    appcDefaults: pod.flag("appc-defaults"),
    strict: pod.flag("strict"),
    uuidFile: pod.text("uuid-file-save"),
  };
}

function runApp(image: string, options: OptionValues, args: readonly string[]): RunApp {
  return {
    image,
    args,
    name: options.text("name"),
    exec: options.text("exec"),
    user: options.text("user"),
    group: options.text("group"),
    supplementaryGids: options.text("supplementary-gids"),
    workingDirectory: options.text("working-dir"),
    readOnlyRootfs: options.flag("readonly-rootfs") ? true : undefined,
    environment: options.list("environment"),
    stdin: options.text("stdin"),
    mounts: options.list("mount"),
    memory: options.text("memory"),
    cpu: options.text("cpu"),
    cpuShares: options.text("cpu-shares"),
    oomScoreAdj: options.text("oom-score-adj"),
    capsRetain: options.text("caps-retain"),
    capsRemove: options.text("caps-remove"),
    seccomp: options.text("seccomp"),
    restart: options.text("restart"),
    restartKeepRoot: options.flag("restart-keep-root") ? true : undefined,
    healthCommand: options.text("health-cmd"),
    healthInterval: duration(options, "health-interval"),
    healthTimeout: duration(options, "health-timeout"),
    healthStartPeriod: duration(options, "health-start-period"),
    healthRetries: options.text("health-retries"),
    healthOnFailure: options.text("health-on-failure"),
    annotations: options.list("annotation"),
    userAnnotations: options.list("user-annotation"),
    userLabels: options.list("user-label"),
    signature: options.text("signature"),
  };
}

function duration(options: OptionValues, name: string): number | undefined {
  const text = options.text(name);
  return text === undefined ? undefined : parseDuration(text, `--${name}`);
}

function yesOrNo(text: string, flag: string): boolean {
  if (text === "yes" || text === "true") return true;
  if (text === "no" || text === "false") return false;
  throw new Failure("USAGE", `${flag} is yes or no, not ${JSON.stringify(text)}`, { subject: flag });
}

/** `run --net IMAGE`: the flag took the image for its value. */
function noImage(taken: string | undefined, verb: string): Failure {
  const isImage = taken !== undefined && !["", "none", "host"].includes(taken);
  if (!isImage) return new Failure("USAGE", "no image is named", { hint: `perigee ${verb} IMAGE` });
  return new Failure("USAGE", `no image is named: --net took ${excerpt(taken)} as its value`, {
    subject: taken,
    hint: `perigee run --net=host ${excerpt(taken)}`,
  });
}
