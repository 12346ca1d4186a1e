/** A Docker or OCI image becomes an image of the store: its documents verbatim, its layers shared, and an image manifest that stands for it. */

import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { imageID } from "../schema/image-id.ts";
import { FileLock } from "../shim/flock.ts";
import { sha512 } from "../shim/sha512.ts";
import { beginImport, type Staging } from "../store/blobs.ts";
import { hasDigestBlob, placeDigestBlob, syncDigestBlobs } from "../store/digest-blobs.ts";
import type { ImageRecord } from "../store/images.ts";
import { lockOf, type Store } from "../store/layout.ts";
import { type SharedLayer, syncSharedLayers } from "../store/shared-layers.ts";
import { viewOf } from "../store/stack.ts";
import { type LayerOptions, storeLayers } from "./layers.ts";
import { type MappedImage, mapImage } from "./mapping.ts";
import { type OciReference, showOciReference } from "./reference.ts";
import { type ResolvedImage, resolveImage } from "./resolve.ts";
import type { OciSource } from "./source.ts";
import { layTree } from "./tree.ts";

export interface OciImportOptions extends LayerOptions {
  /** --insecure-options=image: nobody has to vouch for it. */
  readonly insecureImage: boolean;
}

/** A verified, unpacked image that is not listed yet. */
export interface PendingOciImage {
  readonly record: Omit<ImageRecord, "importedAt">;
  commit(): Promise<ImageRecord>;
  abandon(): Promise<void>;
}

/**
 * Closes the source. The store is held shared until the image is committed or given up, so that no sweep takes a layer that is not listed yet.
 * @throws Failure SIGNATURE_MISSING when nobody vouches for the image (OCI-50), and as resolveImage, storeLayers and mapImage
 */
export async function importOci(
  reference: OciReference,
  source: OciSource,
  options: OciImportOptions,
): Promise<PendingOciImage> {
  const lock = await FileLock.acquire(lockOf(options.store), "shared", { signal: options.signal });
  try {
    const image = await resolveImage(reference, source);
    // Before its layers are fetched: what will be refused costs nothing.
    if (!options.insecureImage && reference.digest === undefined) throw unsigned(reference, image);
    const { manifest, config } = image;
    const layers = await storeLayers(source, manifest.layers, config.diffIds, options);
    const mapped = mapImage({
      ...{ reference, imageName: source.imageName, tag: source.tag, config, configDigest: manifest.config.digest },
      ...{
        manifestDigest: image.manifestDigest,
        annotations: manifest.annotations,
        read: readerOf(layers, options.log),
      },
    });
    // A hostile config must not fill the screen.
    for (const warning of mapped.warnings.slice(0, mostWarnings))
      options.log.warn(`${mapped.manifest.name}: ${warning}`);
    const more = mapped.warnings.length - mostWarnings;
    if (more > 0) options.log.warn(`${mapped.manifest.name}: and ${more} more of its settings are left out`);
    return await stage(reference, image, layers, mapped, options, lock);
  } catch (error) {
    lock.release();
    throw error;
  } finally {
    await source.close();
  }
}

const mostWarnings = 20;

/** OCI-50. */
function unsigned(reference: OciReference, { rootDigest }: ResolvedImage): Failure {
  const { tag: _, ...rest } = { ...reference, tag: undefined };
  const pinned = showOciReference({ ...rest, tag: undefined, digest: rootDigest } as OciReference);
  return new Failure("SIGNATURE_MISSING", `nobody vouches for ${excerpt(showOciReference(reference))}`, {
    subject: showOciReference(reference),
    cause: "images of Docker and OCI carry no signature; whoever names one by its digest says that it is the right one",
    hint: `if you trust what is there now: ${pinned}; or --insecure-options=image for whatever is there`,
  });
}

const passwdLimit = 1024 * 1024;

function readerOf(layers: readonly SharedLayer[], log: Log): (path: string) => Buffer | undefined {
  const view = viewOf(layers);
  return (path) => {
    try {
      return view.read(path, passwdLimit);
    } catch (error) {
      // Too long, or a ring of links: who runs the image is told; here there is nothing to learn from it.
      if (error instanceof Failure) return undefined;
      if (errnoOf(error) !== "EACCES") throw error;
      log.warn(`/${path} of the image cannot be read by you: whom its users belong to is not known`);
      return undefined;
    }
  };
}

async function stage(
  reference: OciReference,
  image: ResolvedImage,
  layers: readonly SharedLayer[],
  mapped: MappedImage,
  options: OciImportOptions,
  lock: FileLock,
): Promise<PendingOciImage> {
  const { store } = options;
  const staging = await beginImport(store);
  try {
    await staging.archive.writeFile(image.manifestBytes);
    await keepConfig(image, staging, options);
    await layTree(dirname(staging.rootfs), layers, options);
  } catch (error) {
    await staging.abandon();
    throw error;
  }
  const record = recordOf(reference, image, mapped);
  let isOver = false;
  const end = (): void => {
    if (!isOver) lock.release();
    isOver = true;
  };
  return {
    record,
    commit: async () => {
      try {
        await syncShared(store, image);
        // The stored manifest may have rotted, with the same length; this one was compared just now.
        return await staging.commit(record, { manifest: mapped.bytes, replaceBlob: true });
      } catch (error) {
        await staging.abandon();
        throw error;
      } finally {
        end();
      }
    },
    abandon: async () => {
      if (!isOver) await staging.abandon();
      end();
    },
  };
}

/** What the image lies on, also what another process, which may have been killed since, had just given its name (DUR-2). */
async function syncShared(store: Store, { manifest }: ResolvedImage): Promise<void> {
  await syncDigestBlobs(
    store,
    [manifest.config, ...manifest.layers].map(({ digest }) => digest),
  );
  await syncSharedLayers(store);
}

async function keepConfig(
  { manifest, configBytes }: ResolvedImage,
  staging: Staging,
  { store }: OciImportOptions,
): Promise<void> {
  const { digest, size } = manifest.config;
  if (await hasDigestBlob(store, digest, size)) return;
  const path = join(dirname(staging.archivePath), "config");
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(configBytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await placeDigestBlob(store, path, digest);
}

/** The image ID is the digest of the image manifest that stands for it, which names the digest of the OCI manifest (OCI-40). */
function recordOf(
  reference: OciReference,
  { manifest, manifestBytes, manifestDigest }: ResolvedImage,
  mapped: MappedImage,
): Omit<ImageRecord, "importedAt"> {
  return {
    id: imageID(sha512(mapped.bytes)),
    name: mapped.manifest.name,
    labels: mapped.manifest.labels,
    archive: { sha512: sha512(manifestBytes), size: manifestBytes.length },
    tarSize: manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    signers: [],
    source: showOciReference(reference),
    latest: reference.tag === undefined || reference.tag === "latest",
    hasDependencies: false,
    oci: {
      manifest: manifestDigest,
      mediaType: manifest.mediaType,
      config: { digest: manifest.config.digest, size: manifest.config.size },
      layers: manifest.layers.map(({ digest, size }) => ({ digest, size })),
      entrypoint: mapped.entrypoint,
      pinned: reference.digest !== undefined,
    },
  };
}
