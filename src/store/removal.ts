/** Removing an image. The record goes first: from then on the image is not listed, and what a crash leaves is the sweep's. */
import { excerpt, Failure } from "../base/failure.ts";
import { syncDirectory } from "../base/files.ts";
import type { ImageID } from "../schema/image-id.ts";
import { openLayerUses } from "./layer-uses.ts";
import { openPlanner, type Planner } from "./layers.ts";
import { blobPath, indexOf, manifestPath, recordPath, type Store, signaturePath, treePath } from "./layout.ts";
import { listIdsSync, listRecordsSync, notStored } from "./lookup.ts";
import type { StoredRecord } from "./records.ts";
import { throwAway } from "./staging.ts";

/** Tree ids that pods recorded, each with the uuids of those pods. */
export type TreeUsers = ReadonlyMap<string, readonly string[]>;

/** The images as they are when it is opened: the index is read once, however many are removed. The caller holds the store's exclusive lock since before. */
export interface Removal {
  /** Every whole record that was not removed. */
  records(): readonly StoredRecord[];
  /** @throws Failure NOT_FOUND, LOCKED naming the pods: why `remove` would refuse */
  requireUnused(id: ImageID): void;
  /**
   * Takes an image out of the store: its record, manifest, own tree, and the archive with its signature, blobs and layers if no other image
   * has the same; emptyTrash then frees the space. Trees of images that depend on it stay for the sweep. A broken record can be removed
   * too. @throws Failure as requireUnused
   */
  remove(id: ImageID): Promise<void>;
}

/** @param users gathered with the lock held */
export function openRemoval(store: Store, users: TreeUsers): Removal {
  const records = new Map(listRecordsSync(store).map((record) => [record.id, record]));
  const planner = openPlanner(store, [...records.values()]);
  const uses = openLayerUses(store, [...records.values()]);
  const requireUnused = (id: ImageID): void => {
    const record = records.get(id);
    if (record === undefined && !listIdsSync(store).includes(id)) throw notStored(id);
    const pods = treesOfImage(planner, id).flatMap((tree) => users.get(tree) ?? []);
    if (pods.length === 0) return;
    const uuids = [...new Set(pods)].join(" ");
    const name = record === undefined ? id : excerpt(record.name);
    throw new Failure("LOCKED", `${name} is used by ${pods.length === 1 ? "pod" : "pods"} ${uuids}`, {
      subject: id,
      hint: `perigee rm ${uuids} (perigee stop first, while they run)`,
    });
  };
  const remove = async (id: ImageID): Promise<void> => {
    requireUnused(id);
    const record = records.get(id);
    await throwAway(store, [recordPath(store, id)]);
    await syncDirectory(indexOf(store));
    records.delete(id);
    const shared = record === undefined ? [] : uses.release(record);
    const rest = [manifestPath(store, id), treePath(store, id), ...shared];
    const sha512 = record?.archive.sha512;
    if (sha512 !== undefined && ![...records.values()].some((other) => other.archive.sha512 === sha512)) {
      rest.push(blobPath(store, sha512), signaturePath(store, sha512));
    }
    await throwAway(store, rest);
  };
  return { records: () => [...records.values()], requireUnused, remove };
}

/** Removes one, as Removal.remove. */
export async function removeImage(store: Store, id: ImageID, users: TreeUsers): Promise<void> {
  await openRemoval(store, users).remove(id);
}

/** The trees an image may run from. One whose dependencies are gone has no tree to compute, and none that a new pod could use. */
function treesOfImage(planner: Planner, id: ImageID): readonly string[] {
  try {
    return [...new Set([id, planner.treeId(id)])];
  } catch (error) {
    if (error instanceof Failure) return [id];
    throw error;
  }
}
