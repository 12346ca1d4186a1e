/** image list. Apart from what else is done with images, so that little is loaded for it. */
import type { ImageID } from "../schema/image-id.ts";
import { openStore } from "../store/layout.ts";
import { readListed } from "../store/listed.ts";
import type { ListedImage } from "../store/relist.ts";
import type { Settings } from "./settings.ts";

export interface StoredImage {
  readonly id: ImageID;
  readonly name: string;
  readonly labels: ListedImage["labels"];
  /** Bytes on the disk: the archive, and the trees that were rendered of the image. */
  readonly size: number;
  readonly archiveSize: number;
  /** Each file of a tree once, whatever its names; 0 while nothing is rendered. */
  readonly treeSize: number;
  readonly importedAt: Date;
  readonly lastUsedAt: Date;
  /** Fingerprints of the keys whose signatures were verified at fetch. */
  readonly signers: readonly string[];
  readonly signed: boolean;
}

/** Every stored image, oldest import first. A broken entry of the index is left out with a warning. */
export async function listImages(settings: Settings): Promise<readonly StoredImage[]> {
  const store = await openStore(settings.directories.data);
  return (await readListed(store, settings.log)).map((image) => ({
    id: image.id,
    name: image.name,
    labels: image.labels,
    size: image.archiveSize + image.treeSize,
    archiveSize: image.archiveSize,
    treeSize: image.treeSize,
    importedAt: new Date(image.importedAt),
    lastUsedAt: new Date(image.usedAt),
    signers: image.signers,
    signed: image.signers.length > 0,
  }));
}
