/**
 * What a list of the images shows, in one file: a third of what the index says of them, and what their trees take. A list of thousands is mostly
 * the reading of such a file, so it is kept apart from `listing`, which has all that the sweep needs. What makes it anew (relist.ts) is loaded only then.
 */

import { type Log, silentLog } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import { type FileStamp, isSameStamp, lookAtState } from "../base/state-file.ts";
import { readKept } from "./kept.ts";
import { indexOf, listedOf, type Store, treesOf } from "./layout.ts";
import type { Listed, ListedImage } from "./relist.ts";

/** Changes when what is kept means something else. */
const form = 1;

/** Every image whose entry is whole, oldest import first; a broken one is left out with a warning (LIST-5). */
export async function readListed(
  store: Store,
  log: Log = silentLog,
  readAt = Date.now(),
): Promise<readonly ListedImage[]> {
  const kept = readKept(listedOf(store));
  const trees = lookAtState(treesOf(store))?.stamp;
  if (isListed(kept) && isStill(kept.index, lookAtState(indexOf(store))?.stamp) && isStill(kept.trees, trees)) {
    return kept.images;
  }
  const { relist } = await import("./relist.ts");
  return await relist(store, { form, trees, log, readAt });
}

const isStill = (before: FileStamp, now: FileStamp | undefined): boolean =>
  now !== undefined && isSameStamp(before, now);

function isListed(value: unknown): value is Listed {
  return (
    isObject(value) &&
    value["form"] === form &&
    isObject(value["index"]) &&
    isObject(value["trees"]) &&
    Array.isArray(value["images"])
  );
}
