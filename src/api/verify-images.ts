/** image verify: whether stored images are still what was stored, and mending the trees of those that are not. */
import { exitStatus, Failure } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type TreeVerdict, verifyTree } from "../store/verification.ts";
import { findStoredImage } from "./image-source.ts";
import { treeUsers } from "./images.ts";
import type { Settings } from "./settings.ts";

export interface VerifyStoredOptions {
  /** Each `sha512-` and ≥ 8 digits, or NAME[:VERSION][,label=value…]. */
  readonly images: readonly string[];
  /** A tree that differs is rendered anew; true when absent. */
  readonly repair?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredVerdict {
  readonly id: ImageID;
  readonly name: string;
  /** Absent when the archive of the image, or of one that it depends on, is not what was stored. */
  readonly verdict?: TreeVerdict | undefined;
  readonly failure?: Failure | undefined;
}

const instead = (file: string): string =>
  `perigee image validate ${file}, and perigee verify ${file} for its signature`;

/**
 * A verdict for each, in order. What is wrong with a stored image is part of its verdict; one that is not there is a failure.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE, INTERRUPTED, DISK_FULL, NOT_ROOT
 */
export async function verifyStoredImages(
  settings: Settings,
  { images, repair = true, signal }: VerifyStoredOptions,
): Promise<readonly StoredVerdict[]> {
  const found = await Promise.all(images.map((image) => findStoredImage(settings, image, instead)));
  const { log } = settings;
  const users = () => treeUsers(settings.directories.data);
  const verdicts: StoredVerdict[] = [];
  for (const { store, record } of found) {
    const { id, name } = record;
    try {
      verdicts.push({ id, name, verdict: await verifyTree(store, id, { repair, users, log, signal }) });
    } catch (error) {
      if (!(error instanceof Failure) || !isAboutImage(error)) throw error;
      verdicts.push({ id, name, failure: error });
    }
  }
  return verdicts;
}

/** What says something of the image, and not of the machine it is looked at on. */
function isAboutImage({ code }: Failure): boolean {
  return !["INTERRUPTED", "DISK_FULL", "NOT_ROOT", "LOCKED", "SHIM_MISSING", "SHIM_FAILED", "INTERNAL"].includes(code);
}

/** 0: all is well, or was mended; 5: an archive or a tree is not what was stored; 6: pods keep a tree from being mended. */
export function verdictStatus(verdicts: readonly StoredVerdict[]): number {
  const statuses = verdicts.map(({ failure, verdict }) => {
    if (failure !== undefined) return exitStatus(failure);
    if (verdict?.tree !== "differs") return 0;
    return verdict.usedBy.length > 0 ? 6 : 5;
  });
  return statuses.find((status) => status !== 0) ?? 0;
}
