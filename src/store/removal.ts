/** Removing an image. The record goes first: from then on the image is not listed, and what a crash leaves is the sweep's. */
import { excerpt, Failure } from "../base/failure.ts";
import { syncDirectory } from "../base/files.ts";
import type { ImageID } from "../schema/image-id.ts";
import { treeIdOfSync } from "./layers.ts";
import { blobPath, indexOf, manifestPath, recordPath, type Store, signaturePath, treePath } from "./layout.ts";
import { listIdsSync, listRecordsSync, notStored, readRecordSync } from "./lookup.ts";
import { throwAway } from "./staging.ts";

/** Tree ids that pods recorded, each with the uuids of those pods. */
export type TreeUsers = ReadonlyMap<string, readonly string[]>;

/**
 * Takes an image out of the store: its record, manifest, own tree, and the archive with its signature if no other image has the
 * same; emptyTrash then frees the space. Trees of images that depend on it stay for the sweep. A broken record can be removed
 * too. The caller holds the store's exclusive lock since before it gathered `users`.
 * @throws Failure NOT_FOUND, LOCKED when a pod uses its tree
 */
export async function removeImage(store: Store, id: ImageID, users: TreeUsers): Promise<void> {
  requireUnused(store, id, users);
  const record = readRecordSync(store, id);
  await throwAway(store, [recordPath(store, id)]);
  await syncDirectory(indexOf(store));
  const rest = [manifestPath(store, id), treePath(store, id)];
  if (record !== undefined && !isShared(store, record.archive.sha512)) {
    rest.push(blobPath(store, record.archive.sha512), signaturePath(store, record.archive.sha512));
  }
  await throwAway(store, rest);
}

/** @throws Failure NOT_FOUND, LOCKED naming the pods: why removeImage would refuse */
export function requireUnused(store: Store, id: ImageID, users: TreeUsers): void {
  const record = readRecordSync(store, id);
  if (record === undefined && !listIdsSync(store).includes(id)) throw notStored(id);
  const pods = treesOfImage(store, id).flatMap((tree) => users.get(tree) ?? []);
  if (pods.length === 0) return;
  const uuids = [...new Set(pods)].join(" ");
  const name = record === undefined ? id : excerpt(record.name);
  throw new Failure("LOCKED", `${name} is used by ${pods.length === 1 ? "pod" : "pods"} ${uuids}`, {
    subject: id,
    hint: `perigee rm ${uuids} (perigee stop first, while they run)`,
  });
}

/** The trees an image may run from. One whose dependencies are gone has no tree to compute, and none that a new pod could use. */
function treesOfImage(store: Store, id: ImageID): readonly string[] {
  try {
    return [...new Set([id, treeIdOfSync(store, id)])];
  } catch (error) {
    if (error instanceof Failure) return [id];
    throw error;
  }
}

function isShared(store: Store, sha512: string): boolean {
  return listRecordsSync(store).some((other) => other.archive.sha512 === sha512);
}
