/** What the user asked for and what the images say → one reified pod manifest (POD-3). Reads nothing, writes nothing, needs no schema. */
import { excerpt, Failure, printable } from "../base/failure.ts";
import { exposedPorts, type PortFlag } from "../net/ports.ts";
import type { App } from "../schema/app.ts";
import { acVersion, isACIdentifier, sanitiseName } from "../schema/grammar.ts";
import type { Isolator } from "../schema/isolators.ts";
import type { ACIdentifier, ACName } from "../schema/names.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import type { Volume } from "../schema/volume.ts";
import { completeApp, type StoredApp } from "./app.ts";
import { mergeEnvironment, parseVariable, type Variable } from "./environment.ts";
import { appcDefaults, overrideIsolators } from "./flags.ts";
import type { HealthFlags } from "./health.ts";
import { type InputFlags, withInputFlag } from "./input.ts";
import { withImageNotify } from "./notify.ts";
import { cleanPath } from "./paths.ts";
import { matchMountPoints, type ReifiedPod, requireName } from "./reify.ts";
import type { RestartFlags } from "./restart.ts";

/** What counts of an image's manifest when it is run. */
export interface StoredImageManifest {
  readonly app?: StoredApp | null | undefined;
  readonly annotations?: readonly { readonly name: string; readonly value: string }[] | null | undefined;
}

/** One image of the command line with its per-app flags; every flag is as typed and is checked here. */
export interface AppRequest extends RestartFlags, HealthFlags, InputFlags {
  readonly image: {
    readonly id: string;
    readonly name: string;
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    /** As validated at import; read again without a schema, so lists may still be missing or null. */
    readonly manifest: StoredImageManifest;
    /** Words of its exec that arguments are appended to, instead of to all of it: what follows them is only there for want of arguments (OCI-33). */
    readonly entrypoint?: number | undefined;
  };
  readonly name?: string | undefined;
  readonly exec?: string | undefined;
  /** Behind `--`: appended to the image's exec, to its entrypoint if it says which words that is, or to `exec`. */
  readonly args?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** Comma list of numbers. */
  readonly supplementaryGids?: string | undefined;
  readonly workingDirectory?: string | undefined;
  readonly readOnlyRootfs?: boolean | undefined;
  /** `K=V`, in order. */
  readonly environment?: readonly string[] | undefined;
  readonly mounts?: readonly MountRequest[] | undefined;
  readonly memory?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpuShares?: string | undefined;
  readonly oomScoreAdj?: string | undefined;
  /** Comma list of CAP_ names; excludes `capsRemove`. */
  readonly capsRetain?: string | undefined;
  readonly capsRemove?: string | undefined;
  /** `mode=retain|remove[,errno=E],NAME…` */
  readonly seccomp?: string | undefined;
  /** `K=V`, keys are ACIdentifiers. */
  readonly annotations?: readonly string[] | undefined;
  readonly userAnnotations?: readonly string[] | undefined;
  readonly userLabels?: readonly string[] | undefined;
}

/** `--mount volume=NAME,target=PATH`. */
export interface MountRequest {
  readonly volume: ACName;
  readonly target: string;
}

export interface PodRequest {
  readonly volumes?: readonly Volume[] | undefined;
  /** Before the first image: for every app; an app's own mount of the same target wins. */
  readonly mounts?: readonly MountRequest[] | undefined;
  readonly isolators?: readonly Isolator[] | undefined;
  readonly ports?: readonly PortFlag[] | undefined;
  /** Where an app says nothing of capabilities and new privileges, appc's defaults hold instead of ours (ISO-15). */
  readonly appcDefaults?: boolean | undefined;
  /** For --inherit-env; undefined: nothing is inherited. */
  readonly inheritedEnvironment?: ReadonlyMap<string, string> | undefined;
  readonly fileEnvironment?: readonly Variable[] | undefined;
  readonly setEnvironment?: readonly Variable[] | undefined;
  /** Whom an image without `app` runs as (ACI-29). */
  readonly caller: { readonly uid: number; readonly gid: number };
}

/**
 * The pod manifest as it will run: exec, user, environment and isolators of every app decided, every mount point matched to a
 * volume (implicit empty ones are made, with a warning).
 * @throws Failure USAGE for a flag that makes no sense, MANIFEST_INVALID for an image that cannot be run
 */
export function makePodManifest(requests: readonly AppRequest[], pod: PodRequest): ReifiedPod {
  const imageIsolators = new Map<string, ReadonlySet<string>>();
  const apps = requests.map((request): PodApp => {
    const name = appName(request);
    const { app, fromImage } = runtimeApp(request, pod);
    imageIsolators.set(name, fromImage);
    return {
      name,
      image: imageOf(request),
      app,
      readOnlyRootFS: request.readOnlyRootfs ?? false,
      mounts: requestedMounts([...(request.mounts ?? []), ...(pod.mounts ?? [])]),
      annotations: withImageNotify(
        withInputFlag(
          pairs("--annotation", request.annotations).map(([name, value]) => ({ name: identifier(name), value })),
          request,
        ),
        request.image.manifest.annotations,
      ),
    };
  });
  const manifest: PodManifest = {
    acKind: "PodManifest",
    acVersion,
    apps,
    volumes: [...(pod.volumes ?? [])],
    isolators: [...(pod.isolators ?? [])],
    annotations: [],
    ports: exposedPorts(pod.ports ?? [], apps),
  };
  return { ...matchMountPoints(manifest), imageIsolators };
}

function appName({ name: given, image }: AppRequest): ACName {
  if (given !== undefined) return requireName(given, "USAGE");
  const derived = sanitiseName(image.name.split("/").at(-1) ?? "");
  if (derived !== undefined) return derived;
  throw new Failure("USAGE", `no app name can be made of ${printable(image.name)}`, { hint: "pass --name NAME" });
}

function imageOf({ image }: AppRequest): PodApp["image"] {
  return {
    id: image.id,
    name: identifier(image.name),
    labels: image.labels.map(({ name, value }) => ({ name: identifier(name), value })),
  };
}

function runtimeApp(
  request: AppRequest,
  pod: PodRequest,
): { readonly app: App; readonly fromImage: ReadonlySet<string> } {
  const app = baseApp(request, pod);
  const flagged = overrideIsolators(app.isolators, request);
  const { isolators, fromImage } = pod.appcDefaults === true ? appcDefaults(flagged) : flagged;
  const variables = mergeEnvironment({
    inherited: pod.inheritedEnvironment,
    image: app.environment.map(({ name, value }) => [name, value]),
    file: pod.fileEnvironment,
    set: pod.setEnvironment,
    app: request.environment?.map(parseVariable),
  });
  const own = {
    ...app,
    exec: commandOf(request, app.exec),
    user: request.user ?? app.user,
    group: request.group ?? app.group,
    supplementaryGIDs:
      request.supplementaryGids === undefined ? app.supplementaryGIDs : groupIds(request.supplementaryGids),
    workingDirectory:
      request.workingDirectory === undefined ? app.workingDirectory : directory(request.workingDirectory),
    environment: variables.map(([name, value]) => ({ name, value })),
    isolators: [...isolators],
    userAnnotations: overridden(app.userAnnotations, "--user-annotation", request.userAnnotations),
    userLabels: overridden(app.userLabels, "--user-label", request.userLabels),
  };
  return { app: own, fromImage };
}

function commandOf({ exec, args = [], image }: AppRequest, own: readonly string[]): string[] {
  if (exec !== undefined) return [exec, ...args];
  return [...(args.length > 0 ? own.slice(0, image.entrypoint) : own), ...args];
}

/** The image's app; for an image without one, which needs --exec, an app of the caller (ACI-29). */
function baseApp({ image, exec }: AppRequest, { caller }: PodRequest): App {
  if (image.manifest.app) return completeApp(image.manifest.app);
  if (exec !== undefined) return completeApp({ user: String(caller.uid), group: String(caller.gid) });
  throw new Failure("MANIFEST_INVALID", `${excerpt(image.name)} does not say what to run`, {
    subject: image.name,
    cause: "its manifest has no app",
    hint: "pass --exec PROGRAM",
  });
}

/** The first of two mounts on one target counts: an app's own stand before those for every app. */
function requestedMounts(requests: readonly MountRequest[]): PodApp["mounts"] {
  const byTarget = new Map<string, MountRequest>();
  for (const request of requests) {
    const target = cleanPath(request.target);
    if (!byTarget.has(target)) byTarget.set(target, request);
  }
  return [...byTarget].map(([path, { volume }]) => ({ volume, path }));
}

function pairs(flag: string, texts: readonly string[] | undefined): readonly Variable[] {
  return (texts ?? []).map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new Failure("USAGE", `${flag} ${excerpt(text)}: not of the form KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

function overridden(
  own: App["userLabels"],
  flag: string,
  texts: readonly string[] | undefined,
): Record<string, string> | undefined {
  const merged = { ...own, ...Object.fromEntries(pairs(flag, texts)) };
  return Object.keys(merged).length === 0 ? undefined : merged;
}

function groupIds(text: string): number[] {
  return text.split(",").map((word) => {
    if (/^(0|[1-9][0-9]{0,9})$/.test(word) && Number(word) <= 4294967294) return Number(word);
    throw new Failure("USAGE", `--supplementary-gids ${excerpt(text)}: a comma list of numbers`);
  });
}

function directory(text: string): string {
  if (/^\/[^\u0000]*$/.test(text) && !text.split("/").includes("..")) return text;
  throw new Failure("USAGE", `--working-dir ${excerpt(text)}: an absolute path without ..`);
}

function identifier(text: string): ACIdentifier {
  if (isACIdentifier(text)) return text;
  throw new Failure("USAGE", `${excerpt(text)} is no identifier`, {
    subject: text,
    hint: "lower-case letters and digits, separated by one of - . _ ~ / (TYPE-1)",
  });
}
