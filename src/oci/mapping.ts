/**
 * The image manifest that stands for a Docker or OCI image (OCI-30…45): what it says, in appc's words. Everything else stays in the bytes that are
 * kept beside. What the image calls itself never changes how the host treats it (T-R43). Pure, but for the names of users, which are looked up.
 */
import { excerpt, Failure } from "../base/failure.ts";
import { Annotations } from "../schema/annotations.ts";
import { acVersion, environmentName, isACIdentifier } from "../schema/grammar.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import type { ImageConfig } from "./config.ts";
import type { Digest } from "./digest.ts";
import { mapHealth } from "./health.ts";
import { mapPorts, mapVolumes } from "./places.ts";
import { appcArch, showPlatform } from "./platform.ts";
import { identifierOf, type OciReference } from "./reference.ts";
import { type FileReader, mapUser } from "./user.ts";

export interface MappingInput {
  readonly reference: OciReference;
  /** The name it has where it came from: a repository, or what a layout or an archive calls it. */
  readonly imageName: string;
  readonly tag: string | undefined;
  readonly config: ImageConfig;
  readonly configDigest: Digest;
  readonly manifestDigest: Digest;
  /** Of the manifest. */
  readonly annotations: ReadonlyMap<string, string>;
  /** A file of the image; undefined when it has none there. */
  readonly read: FileReader;
}

export interface MappedImage {
  readonly manifest: ImageManifest;
  readonly bytes: Buffer;
  /** Words of `exec` that are the entrypoint. */
  readonly entrypoint: number;
  /** What could not be said, for the user. */
  readonly warnings: readonly string[];
}

interface Pair {
  readonly name: string;
  readonly value: string;
}

/** @throws Failure UNSUPPORTED for a platform without a name in appc; MANIFEST_INVALID */
export function mapImage(input: MappingInput): MappedImage {
  const { config } = input;
  const warnings: string[] = [];
  const app = mapApp(input, warnings);
  const manifest = {
    acKind: "ImageManifest",
    acVersion,
    name: identifierOf(input.imageName),
    labels: labelsOf(input),
    ...(app !== undefined && { app }),
    annotations: annotationsOf(input, warnings),
  };
  const bytes = Buffer.from(`${JSON.stringify(manifest)}\n`);
  return {
    manifest: parseDocument(ImageManifest, bytes, "the manifest made of the image's config"),
    bytes,
    entrypoint: config.entrypoint.length,
    warnings,
  };
}

function labelsOf({ tag, config }: MappingInput): readonly Pair[] {
  const arch = appcArch(config.platform);
  if (config.platform.os !== "linux" || arch === undefined) {
    throw new Failure("UNSUPPORTED", `the image is made for ${showPlatform(config.platform)}, which nothing here runs`);
  }
  const version = tag === undefined ? [] : [{ name: "version", value: tag }];
  return [...version, { name: "os", value: "linux" }, { name: "arch", value: arch }];
}

/** An image that says nothing of how it runs has no app, and is run with --exec (ACI-29). */
function mapApp(input: MappingInput, warnings: string[]): object | undefined {
  const { config } = input;
  const exec = [...config.entrypoint, ...config.command];
  const labels = Object.fromEntries(config.labels);
  const health = mapHealth(config.healthcheck, warnings);
  return {
    exec,
    ...mapUser(config.user, input.read),
    ...(config.workingDirectory !== undefined && { workingDirectory: absolute(config.workingDirectory) }),
    environment: environmentOf(config.environment, warnings),
    mountPoints: mapVolumes(config.volumes, warnings),
    ports: mapPorts(config.exposedPorts, warnings),
    ...(health !== undefined && { isolators: [health] }),
    ...(config.labels.size > 0 && { userLabels: labels }),
  };
}

/** The last of two of one name counts, as a process would see it; one without `=` has no value. */
function environmentOf(variables: readonly string[], warnings: string[]): readonly Pair[] {
  const byName = new Map<string, string>();
  for (const variable of variables) {
    const at = variable.indexOf("=");
    const name = at < 0 ? variable : variable.slice(0, at);
    if (environmentName.test(name)) byName.set(name, at < 0 ? "" : variable.slice(at + 1));
    else warnings.push(`the variable ${excerpt(name)} is left out: that is no name of one (TYPE-11)`);
  }
  return [...byName].map(([name, value]) => ({ name, value }));
}

/** `..` cannot lead above the root, and a relative one is meant from there. */
function absolute(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

const prefix = "appc.io/docker";

function annotationsOf(input: MappingInput, warnings: string[]): readonly Pair[] {
  const { config, reference } = input;
  const said = new Map([...config.labels, ...input.annotations]);
  const own: (readonly [string, string | undefined])[] = [
    ["created", formed("created", config.created)],
    ["authors", config.author ?? said.get("org.opencontainers.image.authors")],
    ["homepage", formed("homepage", said.get("org.opencontainers.image.url"))],
    ["documentation", formed("documentation", said.get("org.opencontainers.image.documentation"))],
    [`${prefix}/registryurl`, reference.from === "registry" ? reference.host : undefined],
    [`${prefix}/repository`, reference.from === "registry" ? reference.repository : undefined],
    [`${prefix}/tag`, input.tag],
    [`${prefix}/imageid`, input.configDigest],
    [`${prefix}/manifesthash`, input.manifestDigest],
    [`${prefix}/entrypoint`, JSON.stringify(config.entrypoint)],
    [`${prefix}/cmd`, JSON.stringify(config.command)],
    [`${prefix}/stopsignal`, config.stopSignal],
    [`${prefix}/healthcheck`, config.healthcheck === undefined ? undefined : JSON.stringify(config.healthcheck)],
  ];
  const pairs = new Map(own.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  for (const [name, value] of input.annotations) {
    // A name of ours is never taken from the image.
    const isFree = isACIdentifier(name) && !pairs.has(name) && name.split("/")[0] !== "appc.io";
    if (isFree && formed(name, value) !== undefined) pairs.set(name, value);
    else warnings.push(`the annotation ${excerpt(name)} is left out of the image manifest; the OCI manifest has it`);
  }
  return [...pairs].map(([name, value]) => ({ name, value }));
}

/** A value of a form that appc gives the annotation, if it has that form (TYPE-8, TYPE-10). */
function formed(name: string, value: string | undefined): string | undefined {
  return value !== undefined && Annotations.safeParse([{ name, value }]).success ? value : undefined;
}
