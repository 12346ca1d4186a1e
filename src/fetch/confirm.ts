/**
 * That a stored archive is still the bytes it is named after. It was verified before it was stored; here it is read again only where a signature
 * must be verified once more, or where something shows that its file may have changed since (VERIFY-5).
 */
import { type ImageRecord, readArchiveBlob } from "../store/images.ts";
import { beginHashing, type HashedFile, isAsHashed } from "../store/verdicts.ts";
import type { ImportOptions } from "./import.ts";
import type { Witness } from "./witness.ts";

/**
 * @param check is shown every byte
 * @returns what is to be remembered of the reading; undefined when nothing was read, or nothing can be told from it later
 * @throws Failure DIGEST_MISMATCH, IO_FAILED; the archive is then noted as rotten
 */
export async function confirmArchive(
  { name, archive }: ImageRecord,
  check: Witness | undefined,
  { store, log, answers, now }: Pick<ImportOptions, "store" | "log" | "answers" | "now">,
): Promise<HashedFile | undefined> {
  if (check === undefined && isAsHashed(store, archive.sha512, now())) return undefined;
  const hashed = beginHashing(store, archive.sha512, now());
  try {
    for await (const chunk of readArchiveBlob(store, { name, archive })) check?.update(chunk);
  } catch (error) {
    log.warn(`the stored archive of ${name} is damaged; it is fetched again`);
    answers?.rotten.add(archive.sha512);
    answers?.noteShortcut();
    throw error;
  }
  return hashed;
}
