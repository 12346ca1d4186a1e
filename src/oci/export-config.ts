/**
 * An image manifest of appc as the config and the annotations of an OCI image (OCI-82), and what of it has no words there. The counterpart of
 * mapping.ts: what came from a config goes back as it was. Pure.
 */
import { excerpt, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import type { App } from "../schema/app.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import { labelValue } from "../schema/labels.ts";
import { hostArch } from "../schema/platform.ts";
import type { Digest } from "./digest.ts";
import { outgoingPorts, outgoingVolumes } from "./export-places.ts";
import { outgoingUser, type TreeOwners } from "./export-user.ts";
import { ociPlatform } from "./platform.ts";

export interface OutgoingLayer {
  readonly diffId: Digest;
  /** The image it is made of, for the history. */
  readonly madeOf: string;
}

export interface ConfigInput {
  readonly manifest: ImageManifest;
  /** Lowest first. */
  readonly layers: readonly OutgoingLayer[];
  /** Seconds; the image's own annotation counts without it, and nothing else: never the time of now. */
  readonly sourceDateEpoch: number | undefined;
  readonly owners: TreeOwners;
  /** Told of what cannot be said. */
  readonly lost: (what: string) => void;
}

export interface OutgoingConfig {
  readonly bytes: Buffer;
  readonly platform: { readonly architecture: string; readonly os: string; readonly variant?: string | undefined };
  /** For the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
}

const dockerPrefix = "appc.io/docker/";
/** Where appc's annotations go when they have a place of their own. */
const annotationNames: ReadonlyMap<string, string> = new Map([
  ["homepage", "org.opencontainers.image.url"],
  ["documentation", "org.opencontainers.image.documentation"],
]);

/** @throws Failure UNSUPPORTED for a platform or a user that OCI has no word for: it would be another image */
export function outgoingConfig(input: ConfigInput): OutgoingConfig {
  const { manifest, layers, lost } = input;
  const platform = platformOf(manifest, lost);
  const created = createdOf(input);
  const author = annotationOf(manifest, "authors");
  const document = {
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    ...platform,
    config: manifest.app === undefined ? labelsOnly(manifest, lost) : configOf(manifest, manifest.app, input),
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ madeOf }) => ({ ...(created !== undefined && { created }), created_by: madeOf })),
  };
  return { bytes: Buffer.from(JSON.stringify(document)), platform, annotations: annotationsOf(manifest, lost) };
}

function platformOf({ name, labels }: ImageManifest, lost: ConfigInput["lost"]): OutgoingConfig["platform"] {
  const os = labelValue(labels, "os") ?? "linux";
  const own = labelValue(labels, "arch");
  const arch = own ?? hostArch(process.arch);
  const platform = ociPlatform(os, arch);
  if (platform === undefined) {
    throw new Failure(
      "UNSUPPORTED",
      `${excerpt(name)} is made for ${excerpt(`${os}/${arch}`)}, for which OCI has no word`,
    );
  }
  if (own === undefined) lost(`that it runs on every architecture: it is said to be made for ${platform.architecture}`);
  return platform;
}

function createdOf({ manifest, sourceDateEpoch }: ConfigInput): string | undefined {
  if (sourceDateEpoch === undefined) return annotationOf(manifest, "created");
  return new Date(sourceDateEpoch * 1000).toISOString().replace(".000Z", "Z");
}

function annotationOf({ annotations }: ImageManifest, wanted: string): string | undefined {
  return annotations.find(({ name }) => name === wanted)?.value;
}

function configOf(manifest: ImageManifest, app: App, { owners, lost }: ConfigInput): object {
  for (const { name } of app.isolators) if (name !== healthIsolator) lost(`the isolator ${name}`);
  for (const { name } of app.eventHandlers) lost(`the event handler ${name}`);
  const ports = outgoingPorts(app.ports, lost);
  const volumes = outgoingVolumes(app.mountPoints, lost);
  const stopSignal = annotationOf(manifest, `${dockerPrefix}stopsignal`);
  const healthcheck = ownHealthcheck(app, lost) ?? healthcheckOf(manifest, lost);
  return {
    User: outgoingUser(app, owners, lost),
    ...(ports.length > 0 && { ExposedPorts: keysOf(ports) }),
    ...(app.environment.length > 0 && { Env: app.environment.map(({ name, value }) => `${name}=${value}`) }),
    ...commandOf(manifest, app.exec),
    ...(volumes.length > 0 && { Volumes: keysOf(volumes) }),
    ...(app.workingDirectory !== undefined && { WorkingDir: app.workingDirectory }),
    ...labelsOnly(manifest, lost),
    ...(stopSignal !== undefined && { StopSignal: stopSignal }),
    ...(healthcheck !== undefined && { Healthcheck: healthcheck }),
  };
}

function keysOf(keys: readonly string[]): object {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

/** As it was split when it came from a config and was not changed since; else all of it is the entrypoint. */
function commandOf(manifest: ImageManifest, exec: readonly string[]): object {
  const entrypoint = wordsOf(annotationOf(manifest, `${dockerPrefix}entrypoint`));
  const command = wordsOf(annotationOf(manifest, `${dockerPrefix}cmd`));
  const isAsItWas =
    entrypoint !== undefined &&
    command !== undefined &&
    JSON.stringify([...entrypoint, ...command]) === JSON.stringify(exec);
  const [words, rest] = isAsItWas ? [entrypoint, command] : [exec, []];
  return { ...(words.length > 0 && { Entrypoint: words }), ...(rest.length > 0 && { Cmd: rest }) };
}

/** Annotations are anybody's text. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wordsOf(text: string | undefined): readonly string[] | undefined {
  const value = parsed(text);
  return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
}

const healthIsolator = "perigee/health-check";
const nanoseconds = 1_000_000_000;

/** The isolator of ours that says the same (LIFE-65), in Docker's words: times in nanoseconds. */
function ownHealthcheck({ isolators }: App, lost: ConfigInput["lost"]): object | undefined {
  const { value } = isolators.findLast(({ name }) => name === healthIsolator) ?? {};
  if (!isObject(value) || !Array.isArray(value["command"])) return undefined;
  const { command, onFailure } = value;
  if (onFailure !== undefined && onFailure !== "none")
    lost(`what is done when the health check fails: ${String(onFailure)}`);
  const times = [
    ["Interval", "interval"],
    ["Timeout", "timeout"],
    ["StartPeriod", "startPeriod"],
  ] as const;
  const said = times.flatMap(([word, field]) => {
    const seconds = value[field];
    return typeof seconds === "number" ? [[word, Math.round(seconds * nanoseconds)] as const] : [];
  });
  return {
    Test: command.length === 0 ? ["NONE"] : ["CMD", ...command],
    ...Object.fromEntries(said),
    ...(typeof value["retries"] === "number" && { Retries: value["retries"] }),
  };
}

function healthcheckOf(manifest: ImageManifest, lost: ConfigInput["lost"]): object | undefined {
  const text = annotationOf(manifest, `${dockerPrefix}healthcheck`);
  const value = parsed(text);
  if (isObject(value)) return value;
  if (text !== undefined) lost("the health check, which is no object of JSON");
  return undefined;
}

/** Labels of the app, as a config has them, and those of the image that OCI has no other place for. */
function labelsOnly({ labels, app }: ImageManifest, lost: ConfigInput["lost"]): object {
  const all = new Map(Object.entries(app?.userLabels ?? {}));
  for (const { name, value } of labels) {
    if (["version", "os", "arch"].includes(name)) continue;
    if (all.has(name)) lost(`the label ${excerpt(name)}: the app has another one of that name`);
    else all.set(name, value);
  }
  return all.size === 0 ? {} : { Labels: Object.fromEntries(all) };
}

function annotationsOf(manifest: ImageManifest, lost: ConfigInput["lost"]): Readonly<Record<string, string>> {
  const all = new Map<string, string>();
  for (const { name, value } of manifest.annotations) {
    const isElsewhere = name === "created" || name === "authors" || name.slice(0, dockerPrefix.length) === dockerPrefix;
    if (!isElsewhere) all.set(annotationNames.get(name) ?? name, value);
  }
  for (const [name, value] of Object.entries(manifest.app?.userAnnotations ?? {})) {
    if (all.has(name)) lost(`the app's annotation ${excerpt(name)}: the image has another one of that name`);
    else all.set(name, value);
  }
  const version = labelValue(manifest.labels, "version");
  if (!all.has(titleName)) all.set(titleName, manifest.name);
  if (version !== undefined && !all.has(versionName)) all.set(versionName, version);
  return Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const titleName = "org.opencontainers.image.title";
const versionName = "org.opencontainers.image.version";
