/** Lays an image with everything it depends on into a directory of the user's: what an app of it would see as its root. */
import type { ImageID } from "../schema/image-id.ts";
import { withLayers } from "./image-layers.ts";
import type { Settings } from "./settings.ts";
import { fillPlace } from "./unpack-to.ts";

export interface RenderImageOptions {
  /** A stored image, or the path of an .aci, which is not verified; what it depends on is looked for in the store. */
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
  const { signal } = options;
  const { log } = settings;
  return await withLayers(settings, options, async ({ root, manifest, plan: { layers }, archiveOf, touch }) => {
    touch();
    const { renderLayersInto } = await import("../store/rendering.ts");
    const fill = async (rootfs: string) => ({
      manifest,
      skipped: await renderLayersInto(archiveOf, layers, rootfs, {
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
    const { id, name } = root;
    return { id, name, directory, layers: layers.map((layer) => layer.id), skipped: filled.skipped };
  });
}
