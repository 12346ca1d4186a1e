/** What the user asked for and what the images say → one reified pod manifest (POD-3). Reads nothing, writes nothing, needs no schema. */
import { excerpt, Failure, printable } from "../base/failure.ts";
import type { App } from "../schema/app.ts";
import { acVersion, isACIdentifier, isACName, sanitiseName } from "../schema/grammar.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import type { Isolator } from "../schema/isolators.ts";
import type { ACIdentifier, ACName } from "../schema/names.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import type { Volume } from "../schema/volume.ts";
import { completeApp, type StoredApp } from "./app.ts";
import { mergeEnvironment, parseVariable, type Variable } from "./environment.ts";
import { appcDefaults, overrideIsolators } from "./flags.ts";
import { cleanPath } from "./volumes.ts";

/** One image of the command line with its per-app flags; every flag is as typed and is checked here. */
export interface AppRequest {
  readonly image: {
    readonly id: string;
    readonly name: string;
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    /** As validated at import; read again without a schema, so lists may still be missing or null. */
    readonly manifest: { readonly app?: StoredApp | null | undefined };
  };
  readonly name?: string | undefined;
  readonly exec?: string | undefined;
  /** Behind `--`: appended to the image's exec, or to `exec`. */
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
  /** Where an app says nothing of capabilities and new privileges, appc's defaults hold instead of ours (ISO-15). */
  readonly appcDefaults?: boolean | undefined;
  /** For --inherit-env; undefined: nothing is inherited. */
  readonly inheritedEnvironment?: ReadonlyMap<string, string> | undefined;
  readonly fileEnvironment?: readonly Variable[] | undefined;
  readonly setEnvironment?: readonly Variable[] | undefined;
  /** Whom an image without `app` runs as (ACI-29). */
  readonly caller: { readonly uid: number; readonly gid: number };
}

export interface ReifiedPod {
  readonly manifest: PodManifest;
  /** By app name: the isolators that its image says and whoever runs it did not replace. */
  readonly imageIsolators: ReadonlyMap<string, ReadonlySet<string>>;
  readonly warnings: readonly string[];
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
      annotations: pairs("--annotation", request.annotations).map(([name, value]) => ({
        name: identifier(name),
        value,
      })),
    };
  });
  const manifest: PodManifest = {
    acKind: "PodManifest",
    acVersion,
    apps,
    volumes: [...(pod.volumes ?? [])],
    isolators: [...(pod.isolators ?? [])],
    annotations: [],
    ports: [],
  };
  return { ...reify(manifest), imageIsolators };
}

/**
 * The same for `--pod-manifest FILE`: apps without an `app` get their image's, mount points their volumes.
 * `imageOf` is called once for every app. @throws Failure MANIFEST_INVALID
 */
export function reifyPodManifest(
  manifest: PodManifest,
  imageOf: (id: string) => Pick<ImageManifest, "name" | "labels"> & { readonly app?: StoredApp | null | undefined },
): ReifiedPod {
  const imageIsolators = new Map<string, ReadonlySet<string>>();
  const apps = manifest.apps.map((app): PodApp => {
    const image = imageOf(app.image.id);
    const own = app.app ?? (image.app ? completeApp(image.app) : undefined);
    if (own === undefined) {
      throw new Failure("MANIFEST_INVALID", `${app.name}: neither the pod manifest nor its image says what to run`, {
        subject: app.name,
        hint: "give the app of the pod manifest an `app`",
      });
    }
    const fromImage = app.app === undefined ? own.isolators.map(({ name }) => name) : [];
    imageIsolators.set(app.name, new Set(fromImage));
    return { ...app, app: own, image: { ...app.image, name: app.image.name ?? image.name } };
  });
  return { ...reify({ ...manifest, apps }), imageIsolators };
}

/** Every app named once, every mount point matched (POD-3, POD-5). */
function reify(manifest: PodManifest): Omit<ReifiedPod, "imageIsolators"> {
  if (manifest.apps.length === 0) throw new Failure("MANIFEST_INVALID", "a pod has at least one app");
  const names = new Set<string>();
  for (const { name } of manifest.apps) {
    if (names.has(name)) {
      throw new Failure("USAGE", `two apps of the pod are called ${name}`, {
        subject: name,
        hint: "give one of them --name",
      });
    }
    names.add(name);
  }
  const volumes: Volume[] = [...manifest.volumes];
  const warnings: string[] = [];
  const apps = manifest.apps.map((app): PodApp => {
    const mounts = [...app.mounts];
    for (const point of app.app?.mountPoints ?? []) {
      const path = cleanPath(point.path);
      if (mounts.some((mount) => cleanPath(mount.path) === path)) continue;
      if (!volumes.some(({ name }) => name === point.name)) {
        const implicit = freeName(`${app.name}-${point.name}`, volumes);
        volumes.push({ name: implicit, kind: "empty", mode: "0755", uid: 0, gid: 0 });
        warnings.push(
          `${app.name}: no volume for mount point ${point.name} at ${excerpt(path)}: an empty one, gone with the pod`,
        );
        mounts.push({ volume: implicit, path: point.path });
      } else mounts.push({ volume: point.name, path: point.path });
    }
    return { ...app, mounts };
  });
  return { manifest: { ...manifest, apps, volumes }, warnings };
}

/** A pod's volume of that name must not become the app's own by chance. */
function freeName(wanted: string, volumes: readonly Volume[]): ACName {
  let candidate = wanted;
  for (let number = 2; volumes.some(({ name }) => name === candidate); number += 1) candidate = `${wanted}-${number}`;
  return name(candidate, "MANIFEST_INVALID");
}

function appName({ name: given, image }: AppRequest): ACName {
  if (given !== undefined) return name(given, "USAGE");
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
    exec: [...(request.exec === undefined ? app.exec : [request.exec]), ...(request.args ?? [])],
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

function name(text: string, code: "USAGE" | "MANIFEST_INVALID"): ACName {
  if (isACName(text)) return text;
  throw new Failure(code, `${excerpt(text)} is no app or volume name`, {
    subject: text,
    hint: "lower-case letters and digits, separated by single - (TYPE-2)",
  });
}

function identifier(text: string): ACIdentifier {
  if (isACIdentifier(text)) return text;
  throw new Failure("USAGE", `${excerpt(text)} is no identifier`, {
    subject: text,
    hint: "lower-case letters and digits, separated by one of - . _ ~ / (TYPE-1)",
  });
}
