/**
 * An App Container Image, with all it depends on, as an OCI image (OCI-81): one layer for each image that is laid, whose stack shows the rendered
 * tree. Same input, same digests. Each layer is written to a file once; nothing is held in memory but the names of directories.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { compress } from "../image/compress.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import type { ArchiveOf } from "../store/layer-archives.ts";
import type { FilteredLayer } from "../store/layers.ts";
import { laidMembers } from "../store/rendering.ts";
import type { TarMember } from "../tar/entry.ts";
import { writeTar } from "../tar/write.ts";
import type { Digest } from "./digest.ts";
import { mediaTypes } from "./documents.ts";
import { type OutgoingLayer, outgoingConfig } from "./export-config.ts";
import { type OutgoingTree, outgoingLayer } from "./export-layer.ts";
import { type NamedImage, outgoingName } from "./export-names.ts";
import { wantedPaths } from "./export-user.ts";
import { type OutgoingBlob, type OutgoingImage, once } from "./outgoing.ts";
import { digestOf } from "./verified.ts";

/** An image with what it stands on. */
export interface LayeredAci {
  readonly manifest: ImageManifest;
  /** In the order in which they are laid, lowest first. */
  readonly layers: readonly FilteredLayer[];
  readonly archiveOf: ArchiveOf;
  readonly nameOf: (id: FilteredLayer["id"]) => NamedImage;
}

export interface ConvertOptions {
  /** There already; the layers become `ALGORITHM/HEX` below it. */
  readonly blobs: string;
  readonly compression: "gzip" | "none";
  /** Seconds. */
  readonly sourceDateEpoch: number | undefined;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

const layerType = "application/vnd.oci.image.layer.v1.tar";
/** A hostile image must not fill the screen. */
const mostLost = 1000;

/** @throws Failure DIGEST_MISMATCH, UNSUPPORTED, DISK_FULL, INTERRUPTED; as readArchive */
export async function convertAci(aci: LayeredAci, options: ConvertOptions): Promise<OutgoingImage> {
  const { manifest } = aci;
  const lostAlready = new Set<string>();
  const lost = (what: string): void => {
    if (lostAlready.size < mostLost) lostAlready.add(what);
  };
  const tree: OutgoingTree = { directories: new Map(), noted: new Map(), wanted: wantedPaths(manifest.app), lost };
  await mkdir(join(options.blobs, "sha256"), { recursive: true }).catch((error: unknown) => {
    throw ioFailure(error, `cannot make a directory in ${printable(options.blobs)}`, options.blobs);
  });
  const layers: (OutgoingBlob & OutgoingLayer)[] = [];
  for (const layer of aci.layers) {
    const blob = await stageLayer(outgoingLayer(membersOf(aci, layer, options), tree), options);
    layers.push({ ...blob, madeOf: `perigee image export: ${shownName(aci.nameOf(layer.id))}` });
  }
  const { sourceDateEpoch } = options;
  const owners = (path: string) => tree.noted.get(path);
  const { bytes, platform, annotations } = outgoingConfig({ manifest, layers, sourceDateEpoch, owners, lost });
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(bytes), size: bytes.length };
  return {
    manifest: manifestOf(config, layers, annotations),
    config: { ...config, open: () => once(bytes) },
    ...{ layers, diffIds: layers.map(({ diffId }) => diffId), platform, name: outgoingName(manifest) },
    lost: [...lostAlready],
  };
}

function manifestOf(
  config: Pick<OutgoingBlob, "mediaType" | "digest" | "size">,
  layers: readonly OutgoingBlob[],
  annotations: Readonly<Record<string, string>>,
): OutgoingImage["manifest"] {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length, bytes };
}

async function* membersOf(
  { archiveOf }: LayeredAci,
  layer: FilteredLayer,
  options: ConvertOptions,
): AsyncGenerator<TarMember> {
  for await (const { member } of laidMembers(archiveOf, [layer], options)) yield member;
}

function shownName({ name, labels }: NamedImage): string {
  const version = labels.find((label) => label.name === "version")?.value;
  return version === undefined ? name : `${name}:${version}`;
}

/** Written under another name first: its own is its digest, which nobody knows before. */
async function stageLayer(
  members: AsyncIterable<TarMember>,
  { blobs, compression, signal }: ConvertOptions,
): Promise<OutgoingBlob & Pick<OutgoingLayer, "diffId">> {
  const plain = createHash("sha256");
  const packed = createHash("sha256");
  const isPlain = compression === "none";
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of writeTar(members)) {
      if (!isPlain) plain.update(chunk);
      yield chunk;
    }
  }
  const part = join(blobs, ".part");
  let size = 0;
  try {
    const handle = await open(part, "w", 0o644);
    try {
      for await (const chunk of compress(hashed(), compression)) {
        if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
        packed.update(chunk);
        size += chunk.length;
        for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const digest: Digest = `sha256:${packed.digest("hex")}`;
    const diffId: Digest = isPlain ? digest : `sha256:${plain.digest("hex")}`;
    const path = join(blobs, digest.replace(":", "/"));
    await rename(part, path);
    const mediaType = isPlain ? layerType : `${layerType}+gzip`;
    // Written a moment ago, into a directory of ours: nobody hashes it again.
    return { mediaType, digest, size, diffId, open: () => fileAt(path) };
  } catch (error) {
    throw ioFailure(error, `cannot write a layer to ${printable(blobs)}`, part);
  }
}

/** Opened when its first byte is asked for: whoever has the bytes already never reads them. */
async function* fileAt(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 });
  } catch (error) {
    throw ioFailure(error, `cannot read ${printable(path)}`, path);
  }
}
