/**
 * Indexes and manifests, of Docker and of OCI, from verified bytes to checked values (OCI-4…7). What two readers could take for different things
 * is refused (CVE-2021-41190). Knows nothing of where bytes come from.
 */

import { excerpt, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { manifestLimit } from "../schema/grammar.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import { type Digest, parseDigest } from "./digest.ts";
import type { Platform } from "./platform.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface IndexEntry extends Descriptor {
  readonly platform: Platform | undefined;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface Index {
  readonly kind: "index";
  readonly entries: readonly IndexEntry[];
}

export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
}

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
} as const;

const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerList];
const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
const configTypes: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig];
const layerTypes: readonly string[] = [
  "application/vnd.oci.image.layer.v1.tar",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd",
  "application/vnd.docker.image.rootfs.diff.tar",
  "application/vnd.docker.image.rootfs.diff.tar.gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/** Bytes of an index, a manifest or a config: what registries take. */
export const documentLimit = manifestLimit;
/** More layers than any builder makes; each costs a request. */
export const mostLayers = 1000;
const mostEntries = 10_000;
/** Bytes of one layer, compressed: what a file of an image may have. */
const largestBlob = 64 * 1024 ** 3;

type Fields = { readonly [key: string]: unknown };

/**
 * @param announced the media type by which it was asked for or handed out
 * @throws Failure JSON_INVALID, IMAGE_INVALID, UNSUPPORTED (schema 1, artifacts, foreign layers)
 */
export function parseDocument(bytes: Uint8Array, subject: string, announced?: string): Index | Manifest {
  const document = fieldsOf(parseStrictJson(bytes, subject), subject);
  refuseSchema1(document, subject, announced);
  const own = document["mediaType"];
  const isIndex = document["manifests"] !== undefined;
  if (isIndex && (document["layers"] !== undefined || document["config"] !== undefined)) {
    throw invalid(subject, "it is an index and a manifest in one (OCI-4)");
  }
  for (const type of [own, announced]) requireKind(type, isIndex ? indexTypes : manifestTypes, subject);
  return isIndex ? parseIndex(document, subject) : parseManifest(document, subject, text(own) ?? announced);
}

/** Only types that we know are compared: servers announce plain JSON, too. */
function requireKind(type: unknown, kinds: readonly string[], subject: string): void {
  if (typeof type !== "string" || ![...indexTypes, ...manifestTypes].includes(type) || kinds.includes(type)) return;
  throw invalid(subject, `it is called ${excerpt(type)}, which it is not (OCI-4)`);
}

/** OCI-7. */
function refuseSchema1(document: Fields, subject: string, announced: string | undefined): void {
  const isOld = document["schemaVersion"] === 1 || document["fsLayers"] !== undefined;
  if (isOld || announced?.includes("docker.distribution.manifest.v1") === true) {
    throw new Failure("UNSUPPORTED", `${subject} is in the first format of Docker images, which nobody can verify`, {
      subject,
      hint: "push it again with a client of this decade, or convert it: skopeo copy --format oci docker://… oci:DIRECTORY",
    });
  }
  if (document["schemaVersion"] !== 2) throw invalid(subject, "its schemaVersion is not 2");
}

function parseIndex(document: Fields, subject: string): Index {
  const entries = listOf(document["manifests"], mostEntries, `${subject}: manifests`).map((item): IndexEntry => {
    const fields = fieldsOf(item, subject);
    return {
      ...parseDescriptor(fields, subject, documentLimit),
      platform: parsePlatform(fields["platform"]),
      annotations: textsOf(fields["annotations"]),
    };
  });
  return { kind: "index", entries };
}

function parseManifest(document: Fields, subject: string, type: string | undefined): Manifest {
  const config = parseDescriptor(
    fieldsOf(document["config"], `${subject}: config`),
    `${subject}: config`,
    documentLimit,
  );
  const artifact =
    text(document["artifactType"]) ?? (configTypes.includes(config.mediaType) ? undefined : config.mediaType);
  if (artifact !== undefined) {
    throw new Failure("UNSUPPORTED", `${subject} is no image to run but an artifact`, {
      subject,
      cause: `its type is ${excerpt(artifact)}`,
    });
  }
  const layers = listOf(document["layers"], mostLayers, `${subject}: layers`).map((item) => parseLayer(item, subject));
  const mediaType = type !== undefined && manifestTypes.includes(type) ? type : mediaTypes.ociManifest;
  return { kind: "manifest", mediaType, config, layers, annotations: textsOf(document["annotations"]) };
}

/** T-D17: bytes come from where the image comes from, never from a place that the image names. */
function parseLayer(item: unknown, subject: string): Descriptor {
  const fields = fieldsOf(item, subject);
  const layer = parseDescriptor(fields, `${subject}: a layer`, largestBlob);
  const isForeign = /foreign|nondistributable/.test(layer.mediaType) || (fields["urls"] ?? null) !== null;
  if (isForeign) {
    throw new Failure("UNSUPPORTED", `${subject} has a layer that is kept somewhere else`, {
      subject,
      cause: `${layer.digest} would be fetched from a place that the image names (OCI-5)`,
      hint: "ask who publishes it for an image with all of its layers",
    });
  }
  if (layerTypes.includes(layer.mediaType)) return layer;
  throw new Failure("UNSUPPORTED", `${subject} has a layer of an unknown kind`, {
    subject,
    cause: excerpt(layer.mediaType),
  });
}

export function parseDescriptor(fields: Fields, subject: string, limit: number): Descriptor {
  const { size } = fields;
  const digest = parseDigest(fields["digest"], subject);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(subject, "a size is no number");
  if (size > limit) {
    throw new Failure("LIMIT_EXCEEDED", `${subject} names ${size} bytes, more than the ${limit} allowed`, { subject });
  }
  return { mediaType: text(fields["mediaType"]) ?? "", digest, size };
}

function parsePlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const [os, architecture] = [text(value["os"]), text(value["architecture"])];
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, variant: text(value["variant"]) };
}

export function fieldsOf(value: unknown, subject: string): Fields {
  if (isObject(value)) return value;
  throw invalid(subject, "an object is missing");
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** What is no text in a map of texts is left out; a list where a map should be is none. */
export function textsOf(value: unknown): ReadonlyMap<string, string> {
  if (!isObject(value)) return new Map();
  return new Map(Object.entries(value).flatMap(([key, one]) => (typeof one === "string" ? [[key, one] as const] : [])));
}

export function listOf(value: unknown, most: number, subject: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(subject, "a list is missing");
  if (value.length <= most) return value;
  throw new Failure("LIMIT_EXCEEDED", `${subject}: ${value.length} of them, more than the ${most} allowed`, {
    subject,
  });
}

export function invalid(subject: string, cause: string): Failure {
  return new Failure("IMAGE_INVALID", `${subject} is not as images are`, { subject, cause });
}
