/** The packages inside of an image, as a list and as documents that other tools read. Nothing of the image is run. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { readLayoutDirectory } from "../image/layout-directory.ts";
import type { ImageFile } from "../sbom/collect.ts";
import { cyclonedxDocument } from "../sbom/cyclonedx.ts";
import { documentText } from "../sbom/document.ts";
import { type Pass, takeInventory } from "../sbom/inventory.ts";
import type { Inventory } from "../sbom/package.ts";
import { purlOf } from "../sbom/purl.ts";
import { spdxDocument } from "../sbom/spdx.ts";
import type { ImageID } from "../schema/image-id.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { labelValue } from "../schema/labels.ts";
import { type SbomKind, sbomKinds } from "../schema/sbom-link.ts";
import { parseDocument } from "../schema/validate.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import { findImageSource } from "./image-source.ts";
import { type ReadImage, readImage } from "./read-image.ts";
import type { Settings } from "./settings.ts";
import { version as toolVersion } from "./version.ts";

export { type SbomKind, sbomKinds };

export interface SbomOptions {
  /** As showImage takes it, or the path of a layout directory. */
  readonly image: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ListedPackage {
  readonly type: "deb" | "apk" | "rpm" | "npm";
  /** With the scope of an npm package. */
  readonly name: string;
  /** With the epoch, where there is one. */
  readonly version: string;
  readonly architecture: string | null;
  /** In the package's own words. */
  readonly licence: string | null;
  readonly purl: string;
  readonly places: readonly string[];
}

export interface ImageSbom {
  /** Absent for a directory, which is no archive yet. */
  readonly id?: ImageID | undefined;
  readonly name: string;
  readonly packages: readonly ListedPackage[];
  /** What could not be read; the list is not complete then. */
  readonly problems: readonly string[];
  /** The bytes of the document, in UTF-8. */
  document(kind: SbomKind): string;
}

/**
 * One pass over the image, two when databases in it are hard links. A warning for each problem.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE, whatever is wrong with the archive or the directory
 */
export async function imageSbom(settings: Settings, { image, signal }: SbomOptions): Promise<ImageSbom> {
  const source = isLayoutDirectory(image)
    ? await readDirectory(settings, image, signal)
    : await describeImage(settings, image, signal);
  return describe(settings, source);
}

/** Tells of the bytes of files that went by. */
function watched({ log }: Settings, name: string, visit: Parameters<Pass>[0]): Parameters<Pass>[0] {
  const task = `reading the packages of ${printable(name)}`;
  return async (files) => {
    let done = 0;
    async function* counted(): AsyncGenerator<ImageFile> {
      for await (const file of files) {
        yield file;
        done += Number(file.size);
        log.progress({ task, done });
      }
      log.progress({ task, done, finished: true });
    }
    await visit(counted());
  };
}

interface Described {
  readonly id?: ImageID | undefined;
  readonly manifest: ImageManifest;
  readonly inventory: Inventory;
}

/** @internal what build makes of the parts of its image. */
export async function sbomOfTree(settings: Settings, manifest: ImageManifest, entries: Entries): Promise<ImageSbom> {
  return describe(settings, {
    manifest,
    inventory: await takeInventory(passOver(settings, manifest.name, entries)),
  });
}

function describe(settings: Settings, { id, manifest, inventory }: Described): ImageSbom {
  for (const problem of inventory.problems) settings.log.warn(problem);
  const subject = {
    id,
    name: manifest.name,
    version: labelValue(manifest.labels, "version"),
    created: settings.sourceDateEpoch ?? createdOf(manifest),
    dependencies: manifest.dependencies.map(({ imageName, imageID, labels }) => ({
      name: imageName,
      version: labelValue(labels, "version"),
      id: imageID,
    })),
  };
  const options = { subject, inventory, toolVersion };
  return {
    id,
    name: manifest.name,
    packages: inventory.packages.map((found) => ({
      type: found.type,
      name: found.type === "npm" && found.namespace !== undefined ? `${found.namespace}/${found.name}` : found.name,
      version: found.epoch === undefined ? found.version : `${found.epoch}:${found.version}`,
      architecture: found.architecture ?? null,
      licence: found.licence ?? null,
      purl: purlOf(found),
      places: found.places,
    })),
    problems: inventory.problems,
    document: (kind) => documentText(kind === "spdx" ? spdxDocument(options) : cyclonedxDocument(options)),
  };
}

/** The image's own time: its annotation `created` (TYPE-8). */
function createdOf({ annotations }: ImageManifest): number | undefined {
  const text = annotations.find(({ name }) => name === "created")?.value;
  return text === undefined ? undefined : Math.max(0, Math.floor(Date.parse(text) / 1000));
}

/** A directory that has a manifest; a stored image may have the same name as a directory that has none. */
function isLayoutDirectory(image: string): boolean {
  const isDirectory = statSync(image, { throwIfNoEntry: false })?.isDirectory() === true;
  return (
    isDirectory && (image.includes("/") || statSync(join(image, "manifest"), { throwIfNoEntry: false }) !== undefined)
  );
}

async function readDirectory(
  settings: Settings,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<Described> {
  const { manifest: bytes, manifestPath, rootfs } = await readLayoutDirectory(directory);
  const manifest = parseDocument(ImageManifest, bytes, manifestPath);
  return {
    manifest,
    inventory: await takeInventory(passOver(settings, manifest.name, () => pack(rootfs, { signal }))),
  };
}

/** The files of a tree, as often as they are asked for. */
type Entries = () => AsyncIterable<PackEntry>;

function passOver(settings: Settings, name: string, entries: Entries): Pass {
  return (visit) => watched(settings, name, visit)(entries());
}

async function describeImage(settings: Settings, image: string, signal: AbortSignal | undefined): Promise<Described> {
  const source = await findImageSource(settings, image);
  let summary: ReadImage | undefined;
  const inventory = await takeInventory(async (visit) => {
    const next = await readImage(settings, source, watched(settings, image, visit), signal);
    // Two passes over a file that is being replaced would describe an image that never was.
    if (summary !== undefined && summary.id !== next.id) {
      throw new Failure("DIGEST_MISMATCH", `${printable(image)} changed while it was read`, { subject: image });
    }
    summary = next;
  });
  if (summary === undefined) throw new Failure("INTERNAL", "an inventory without a pass");
  return { id: summary.id, manifest: summary.manifest, inventory };
}
