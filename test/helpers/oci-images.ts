/** OCI image layouts byte by byte, as right or as wrong as asked for. Knows nothing of our reader. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type RawEntry, tar } from "./raw-tar.ts";

export const sha256 = (bytes: string | Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface ImageParts {
  /** Uncompressed tars, lowest first. */
  readonly layers: readonly Buffer[];
  readonly compress?: "gzip" | "none" | undefined;
  /** Fields of the config's `config`. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Over what the config document would be. */
  readonly document?: Readonly<Record<string, unknown>> | undefined;
  /** Over what the manifest would be. */
  readonly manifest?: Readonly<Record<string, unknown>> | undefined;
  /** `undefined`: no name. */
  readonly tag?: string | undefined;
  /** Over the entry of the index. */
  readonly entry?: Readonly<Record<string, unknown>> | undefined;
}

export const ociTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

export const hostArchitecture = process.arch === "arm64" ? "arm64" : "amd64";

export interface MadeBlob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

export function blob(content: string | Uint8Array | object): MadeBlob {
  const isBytes = typeof content === "string" || content instanceof Uint8Array;
  const bytes = Buffer.from(isBytes ? content : JSON.stringify(content));
  return { digest: sha256(bytes), size: bytes.length, bytes };
}

/** Manifest, config and layers of an image, each as a blob, and its line in an index. */
export function makeParts(parts: ImageParts) {
  const isGzip = parts.compress !== "none";
  const layers = parts.layers.map((layer) => blob(isGzip ? gzipSync(layer) : layer));
  const config = blob({
    architecture: hostArchitecture,
    os: "linux",
    config: parts.config ?? {},
    rootfs: { type: "layers", diff_ids: parts.layers.map(sha256) },
    ...parts.document,
  });
  const manifest = blob({
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    config: { mediaType: ociTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({
      mediaType: isGzip ? `${ociTypes.layer}+gzip` : ociTypes.layer,
      digest,
      size,
    })),
    ...parts.manifest,
  });
  const entry = {
    mediaType: ociTypes.manifest,
    digest: manifest.digest,
    size: manifest.size,
    ...(parts.tag !== undefined && { annotations: { "org.opencontainers.image.ref.name": parts.tag } }),
    ...parts.entry,
  };
  return { layers, config, manifest, entry, blobs: [...layers, config, manifest] };
}

/** Adds an image to the layout in `directory`, which is made when it is not there. @returns the digest of its manifest */
export function writeLayout(directory: string, parts: ImageParts): string {
  const made = makeParts(parts);
  writeBlobs(directory, made.blobs);
  addToIndex(directory, made.entry);
  return made.manifest.digest;
}

export function writeBlobs(directory: string, blobs: readonly MadeBlob[]): void {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  for (const { digest, bytes } of blobs) writeFileSync(join(directory, "blobs", digest.replace(":", "/")), bytes);
}

export function addToIndex(directory: string, ...entries: readonly object[]): void {
  const path = join(directory, "index.json");
  let manifests: readonly object[] = [];
  try {
    ({ manifests } = JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // The first.
  }
  writeFileSync(path, JSON.stringify({ schemaVersion: 2, manifests: [...manifests, ...entries] }));
}

/** A layer of entries with a directory's mode for directories. */
export function layer(entries: readonly RawEntry[]): Buffer {
  return tar(entries.map((entry) => ({ ...(entry.type === "5" && { mode: 0o755 }), ...entry })));
}

export const directory = (name: string, more: RawEntry = {}): RawEntry => ({
  type: "5",
  mode: 0o755,
  name: `${name}/`,
  ...more,
});
export const file = (name: string, body = name, more: RawEntry = {}): RawEntry => ({ name, body, ...more });
export const symlink = (name: string, link: string): RawEntry => ({ type: "2", name, link, mode: 0o777 });
export const hardlink = (name: string, link: string): RawEntry => ({ type: "1", name, link });
