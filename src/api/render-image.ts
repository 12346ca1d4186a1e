/** Lays an image with everything it depends on into a directory of the user's: what an app of it would see as its root. */
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { touchImage } from "../store/images.ts";
import { planTree } from "../store/layers.ts";
import { readManifestSync } from "../store/lookup.ts";
import { findStoredImage } from "./image-source.ts";
import type { Settings } from "./settings.ts";
import { fillPlace } from "./unpack-to.ts";

export interface RenderImageOptions {
  /** `sha512-` and ≥ 8 digits, or NAME[:VERSION][,label=value…]. */
  readonly image: string;
  /** Not there yet, or empty. */
  readonly directory: string;
  /** The files themselves in `directory`, without `manifest` and `rootfs/`. */
  readonly rootfsOnly?: boolean | undefined;
  /** Replace what is in `directory`. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RenderedImage {
  readonly id: ImageID;
  readonly name: string;
  readonly directory: string;
  /** Images laid into it, lowest first; one may come more than once (ACE-6). */
  readonly layers: readonly ImageID[];
  /** What could not be made, `path: what`; device nodes unless `device-nodes` is among the insecure options. */
  readonly skipped: readonly string[];
}

/**
 * From the archives, each compared with its record. Whole at return, or as it was before.
 * @throws Failure USAGE for `/` and for a file, ALREADY_EXISTS, NOT_FOUND, DIGEST_MISMATCH, DEPENDENCY_CYCLE …
 */
export async function renderImage(settings: Settings, options: RenderImageOptions): Promise<RenderedImage> {
  const { image, signal } = options;
  const { log } = settings;
  const { store, record } = await findStoredImage(
    settings,
    image,
    (file) => `perigee image extract ${file} DIRECTORY, without what it depends on`,
  );
  const lock = await lockStore(store, "shared", { signal, log });
  try {
    const layers = planTree(store, record.id).layers;
    for (const id of new Set(layers.map((layer) => layer.id))) touchImage(store, id);
    const manifest = readManifestSync(store, record.id);
    const { renderLayersInto } = await import("../store/rendering.ts");
    const fill = async (rootfs: string) => ({
      manifest,
      skipped: await renderLayersInto(store, layers, rootfs, {
        ...{ log, signal, sync: false },
        devices: settings.insecure.has("device-nodes"),
      }),
    });
    const { directory, filled } = await fillPlace(fill, {
      directory: options.directory,
      layout: options.rootfsOnly === true ? "rootfs" : "image",
      overwrite: options.overwrite === true,
      keep: settings.directories.data,
    });
    const { id, name } = record;
    return { id, name, directory, layers: layers.map((layer) => layer.id), skipped: filled.skipped };
  } finally {
    lock.release();
  }
}
