/** An image as an OCI image, in a directory or in one file (OCI-80…87). What it is made of is told apart here; how it is written in oci/. */
import { chmod, mkdtemp } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { realParent, requireFree, writeOutput } from "../image/output.ts";
import type { OutgoingImage } from "../oci/outgoing.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { removeTrees } from "../shim/remove.ts";
import { lockStore } from "../store/gc.ts";
import { touchImage } from "../store/images.ts";
import type { ExportedImage, ExportImageOptions } from "./export-image.ts";
import { withLayers } from "./image-layers.ts";
import { findImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";
import { fillDirectory } from "./unpack-to.ts";

export type OciKind = "oci" | "oci-archive" | "docker-archive";

/** Where layers may be written to on their way out, and how. */
export interface Staging {
  /** An empty directory. */
  readonly blobs: string;
  readonly compression: "gzip" | "none";
}

/** @throws Failure as withOutgoing; USAGE, ALREADY_EXISTS, DISK_FULL */
export async function exportOci(
  settings: Settings,
  options: ExportImageOptions & { readonly as: OciKind },
): Promise<ExportedImage> {
  const { output, overwrite = false, as, signal } = options;
  if (as === "oci") {
    const { directory, filled } = await fillDirectory(
      async (made) => {
        const staging = { blobs: join(made, "blobs"), compression: "gzip" } as const;
        const filled = await withOutgoing(settings, options, staging, async (image, root) => {
          const { writeLayout } = await import("../oci/write-layout.ts");
          const size = await writeLayout(image, made, { signal });
          await chmod(made, 0o755); // for other tools, as its files are
          return resultOf(root, image, size);
        });
        return { made, filled };
      },
      { directory: output, overwrite, keep: settings.directories.data },
    );
    return { ...filled, path: directory };
  }
  await requireFree(output, overwrite);
  return await besides(output, async (blobs) => {
    const staging = { blobs, compression: as === "docker-archive" ? "none" : "gzip" } as const;
    return await withOutgoing(settings, options, staging, async (image, root) => {
      const { dockerArchive, ociArchive } = await import("../oci/write-layout.ts");
      const time = settings.sourceDateEpoch ?? 0;
      const bytes = as === "docker-archive" ? dockerArchive(image, time, { signal }) : ociArchive(image, time);
      const size = await writeOutput(bytes, { output, overwrite, signal });
      return { ...resultOf(root, image, size), path: output };
    });
  });
}

function resultOf(root: Root, image: OutgoingImage, size: number): Omit<ExportedImage, "path"> {
  return { id: root.id, name: root.name, size, manifest: image.manifest.digest, lost: image.lost };
}

type Root = Pick<ExportedImage, "id" | "name">;

/**
 * `use` gets the image as OCI has it, while nothing of it can be removed from the store. What has no words there is told, and with `strict` refused.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE, DIGEST_MISMATCH, UNSUPPORTED …
 */
export async function withOutgoing<T>(
  settings: Settings,
  options: Pick<ExportImageOptions, "image" | "strict" | "signal">,
  staging: Staging,
  use: (image: OutgoingImage, root: Root) => Promise<T>,
): Promise<T> {
  const { image, signal } = options;
  const { log } = settings;
  const source = await findImageSource(settings, image);
  if (source.kind === "stored" && source.record.oci !== undefined) {
    const { store, record } = source;
    const { oci } = source.record;
    const { storedOutgoing } = await import("../oci/outgoing.ts");
    const lock = await lockStore(store, "shared", { signal, log });
    try {
      touchImage(store, record.id);
      return await use(await storedOutgoing(store, { ...record, oci }), record);
    } finally {
      lock.release();
    }
  }
  return await withLayers(settings, options, async ({ root, manifest: bytes, plan, archiveOf, factsOf, touch }) => {
    touch();
    const { convertAci } = await import("../oci/export-aci.ts");
    const manifest = parseDocument(ImageManifest, bytes, "manifest");
    const aci = { manifest, layers: plan.layers, archiveOf, nameOf: factsOf };
    const { sourceDateEpoch } = settings;
    const outgoing = await convertAci(aci, { ...staging, sourceDateEpoch, log, signal });
    tellLost(settings, root.name, outgoing.lost, options.strict === true);
    return await use(outgoing, root);
  });
}

const mostShown = 20;

/** OCI-88. @throws Failure UNSUPPORTED */
function tellLost({ log }: Settings, name: string, lost: readonly string[], isStrict: boolean): void {
  const shown = [
    ...lost.slice(0, mostShown),
    ...(lost.length > mostShown ? [`and ${lost.length - mostShown} more`] : []),
  ];
  if (isStrict && lost.length > 0) {
    throw new Failure("UNSUPPORTED", `not all of ${excerpt(name)} can be said in an OCI image`, {
      subject: name,
      cause: shown.join("; "),
      hint: "without --strict it is left out",
    });
  }
  for (const what of shown) log.warn(`${printable(name)}: left out, since OCI has no word for it: ${what}`);
}

/** In an empty directory beside `output`, which is gone afterwards. */
async function besides<T>(output: string, use: (directory: string) => Promise<T>): Promise<T> {
  const parent = await realParent(output);
  const work = await mkdtemp(join(parent, `.${basename(output).slice(0, 64)}.`)).catch((error: unknown) => {
    throw ioFailure(error, `cannot make a directory beside ${printable(output)}`, output);
  });
  try {
    return await use(work);
  } finally {
    await removeTrees(dirname(work), [basename(work)]);
  }
}
