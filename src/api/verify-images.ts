/** image verify: whether stored images are still what was stored, and mending the trees of those that are not. */
import { exitStatus, Failure } from "../base/failure.ts";
import { unpackAgain } from "../oci/unpack-again.ts";
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
  /** As it was asked for. */
  readonly image: string;
  /** Undefined when no stored image is meant; `failure` says why. */
  readonly id: ImageID | undefined;
  readonly name: string | undefined;
  /** Absent when the archive of the image, or of one that it depends on, is not what was stored. */
  readonly verdict?: TreeVerdict | undefined;
  readonly failure?: Failure | undefined;
}

const instead = (file: string): string =>
  `perigee image validate ${file}, and perigee verify ${file} for its signature`;

/**
 * A verdict for each, in order. What is wrong with a stored image is part of its verdict, and so is that one is not stored, unless none is.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE when no image is meant; INTERRUPTED, DISK_FULL, NOT_ROOT
 */
export async function verifyStoredImages(
  settings: Settings,
  { images, repair = true, signal }: VerifyStoredOptions,
): Promise<readonly StoredVerdict[]> {
  const found = await Promise.all(images.map((image) => find(settings, image)));
  const failures = found.flatMap((one) => (one instanceof Failure ? [one] : []));
  if (failures[0] !== undefined && failures.length === found.length) throw failures[0];
  const { log } = settings;
  const users = () => treeUsers(settings.directories.data);
  const verdicts: StoredVerdict[] = [];
  for (const [index, one] of found.entries()) {
    const image = images[index] ?? "";
    if (one instanceof Failure) {
      verdicts.push({ image, id: undefined, name: undefined, failure: one });
      continue;
    }
    const { id, name } = one.record;
    try {
      verdicts.push({
        image,
        id,
        name,
        verdict: await verifyTree(one.store, id, { repair, unpackAgain, users, log, signal }),
      });
    } catch (error) {
      if (!(error instanceof Failure) || !isAboutImage(error)) throw error;
      verdicts.push({ image, id, name, failure: error });
    }
  }
  return verdicts;
}

async function find(settings: Settings, image: string) {
  try {
    return await findStoredImage(settings, image, instead);
  } catch (error) {
    if (error instanceof Failure && ["NOT_FOUND", "AMBIGUOUS", "USAGE"].includes(error.code)) return error;
    throw error;
  }
}

/** What says something of the image, and not of the machine it is looked at on. */
function isAboutImage({ code }: Failure): boolean {
  return !["INTERRUPTED", "DISK_FULL", "NOT_ROOT", "LOCKED", "SHIM_MISSING", "SHIM_FAILED", "INTERNAL"].includes(code);
}

/** 0: all is well, or was mended; 3: there is no such image; 5: an archive or a tree is not what was stored; 6: pods keep a tree from being mended. */
export function verdictStatus(verdicts: readonly StoredVerdict[]): number {
  const statuses = verdicts.map(({ failure, verdict }) => {
    if (failure !== undefined) return exitStatus(failure);
    if (verdict?.tree !== "differs") return 0;
    return verdict.usedBy.length > 0 ? 6 : 5;
  });
  return statuses.find((status) => status !== 0) ?? 0;
}
