/**
 * OCI images as files: an image layout in a directory (OCI-85), the same in one tar (OCI-86), and what `docker load` takes (OCI-87). The counterpart
 * of layout.ts and docker-archive.ts. Same image, same bytes.
 */
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import { decompress } from "../image/compression.ts";
import { acceptedLimits } from "../image/limits.ts";
import type { TarMember } from "../tar/entry.ts";
import { writeTar } from "../tar/write.ts";
import type { Digest } from "./digest.ts";
import { mediaTypes } from "./documents.ts";
import { loadedName } from "./export-names.ts";
import { blobsOf, type OutgoingImage, once } from "./outgoing.ts";
import { verified } from "./verified.ts";

interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
}

const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

function placeOf(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** @param name by which the image is found in the layout */
function indexOf({ manifest, platform }: OutgoingImage, name: string): Buffer {
  const { mediaType, digest, size } = manifest;
  const { os, architecture, variant } = platform;
  const entry = {
    ...{ mediaType, digest, size, platform: { architecture, os, ...(variant !== undefined && { variant }) } },
    annotations: { "org.opencontainers.image.ref.name": name },
  };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }));
}

/** Fills `directory`; a blob that is there already stays. On the disk when the promise resolves. @throws Failure DIGEST_MISMATCH, DISK_FULL, INTERRUPTED */
export async function writeLayout(image: OutgoingImage, directory: string, { signal }: WriteOptions): Promise<number> {
  let size = 0;
  for (const blob of blobsOf(image)) {
    size += blob.size;
    await writeFile(join(directory, placeOf(blob.digest)), blob.open(), signal);
  }
  await writeFile(join(directory, "oci-layout"), once(marker), signal);
  await writeFile(join(directory, "index.json"), once(indexOf(image, image.name.tag)), signal);
  await syncDirectory(directory);
  return size;
}

async function writeFile(path: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
  try {
    if ((await sizeOf(path)) !== undefined) return;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, "wx", 0o644);
    try {
      for await (const chunk of bytes) {
        requireGoing(signal);
        for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    throw ioFailure(error, `cannot write ${printable(path)}`, path);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    },
  );
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
}

/** @param time seconds, of the members of the archive */
export function ociArchive(image: OutgoingImage, time: number): AsyncIterable<Uint8Array> {
  async function* members(): AsyncGenerator<TarMember> {
    const blobs = blobsOf(image).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    yield file("oci-layout", marker.length, once(marker), time);
    const index = indexOf(image, loadedName(image.name) ?? image.name.tag);
    yield file("index.json", index.length, once(index), time);
    yield directory("blobs", time);
    for (const algorithm of [...new Set(blobs.map(({ digest }) => digest.slice(0, 6)))])
      yield directory(`blobs/${algorithm}`, time);
    for (const { digest, size, open: bytes } of blobs) yield file(placeOf(digest), size, bytes(), time);
  }
  return writeTar(members());
}

/** Layers are plain tars there, so a compressed one is read twice: its header has its size. @throws Failure DIGEST_MISMATCH, INTERRUPTED */
export function dockerArchive(
  image: OutgoingImage,
  time: number,
  { signal }: WriteOptions = {},
): AsyncIterable<Uint8Array> {
  async function* members(): AsyncGenerator<TarMember> {
    const { config, layers, diffIds, name } = image;
    const configName = `${hexOf(config.digest)}.json`;
    const layerName = (diffId: Digest): string => `${hexOf(diffId)}.tar`;
    const tag = loadedName(name);
    const saved = [{ Config: configName, RepoTags: tag === undefined ? null : [tag], Layers: diffIds.map(layerName) }];
    yield file(configName, config.size, config.open(), time);
    const seen = new Set<Digest>();
    for (const [index, layer] of layers.entries()) {
      const diffId = diffIds[index];
      if (diffId === undefined) throw new Failure("INTERNAL", "a layer without its diff id");
      if (seen.has(diffId)) continue;
      seen.add(diffId);
      if (layer.digest === diffId) {
        yield file(layerName(diffId), layer.size, layer.open(), time);
        continue;
      }
      // What the store took, under the limits of that day, leaves it; what is exported is compared with its diff id.
      const plain = () => decompress(layer.open(), acceptedLimits);
      const size = await lengthOf(plain(), signal);
      yield file(layerName(diffId), size, verified(plain(), { digest: diffId, size }, `the layer ${diffId}`), time);
    }
    const bytes = Buffer.from(JSON.stringify(saved));
    yield file("manifest.json", bytes.length, once(bytes), time);
  }
  return writeTar(members());
}

function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Nothing is written meanwhile: whoever writes does not see that it is interrupted. */
async function lengthOf(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) {
    requireGoing(signal);
    size += chunk.length;
  }
  return size;
}

const none = Buffer.alloc(0);

function file(path: string, size: number, body: AsyncIterable<Uint8Array>, time: number): TarMember {
  return { ...directory(path, time), type: "file", mode: 0o644, size, body };
}

function directory(path: string, time: number): TarMember {
  return {
    ...{ path: Buffer.from(path), type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, link: none, xattrs: [] },
    mtime: { seconds: BigInt(time), nanoseconds: 0 },
    body: nothing(),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
