/**
 * Whether a signature that came now was verified before, for the very archive that is stored, by the very keys that count now (TRUST-28). Then
 * OpenPGP need not be loaded, which takes longer than all else of a fetch that brings nothing new.
 */

import type { Log } from "../base/log.ts";
import { isObject } from "../base/objects.ts";
import type { Store } from "../store/layout.ts";
import { type HashedFile, keepVerdict, readVerdict } from "../store/verdicts.ts";
import type { Keystore } from "../trust/keystore.ts";
import { questionOf, signersIn, type Verdict, type VouchedBy } from "../trust/verdict.ts";
import type { Answers } from "./answers.ts";
import type { Place } from "./locate.ts";
import { knownArchive } from "./stored.ts";

export interface RecallOptions {
  readonly store: Store;
  readonly keystore: Keystore;
  readonly now: () => Date;
  readonly allowExpiredKey?: boolean | undefined;
  readonly answers?: Answers | undefined;
  readonly log: Log;
}

export interface Recalled {
  /** SHA-512 of the archive that was verified. */
  readonly archive: string;
  readonly signers: readonly VouchedBy[];
}

/** Undefined when it must be verified. Nothing is recalled in a second attempt, nor where an expired key may count. */
export async function recallSigners(
  signature: Uint8Array,
  name: string | undefined,
  image: Place,
  { store, keystore, now, allowExpiredKey, answers }: RecallOptions,
): Promise<Recalled | undefined> {
  const archive = knownArchive(store, image, answers)?.record.archive.sha512;
  if (archive === undefined || name === undefined || allowExpiredKey === true) return undefined;
  const verdict = readVerdict(store, archive);
  if (!isVerdict(verdict)) return undefined;
  const signers = signersIn(verdict, questionOf(signature, name, await keystore.keysFor(name)), now());
  return signers && { archive, signers };
}

/** After the stored archive was read, all of it. */
export async function rememberVerdict(
  archive: string,
  { verdict, hashed }: { readonly verdict: Verdict | undefined; readonly hashed: HashedFile | undefined },
  { store, log, allowExpiredKey }: RecallOptions,
): Promise<void> {
  const isNew = verdict !== undefined || hashed !== undefined;
  if (isNew && allowExpiredKey !== true) await keepVerdict(store, archive, { verdict, hashed }, log);
}

/** Its digest tells that a verification of ours wrote it: a shape that is another is one of another version. */
function isVerdict(value: unknown): value is Verdict {
  return (
    isObject(value) &&
    typeof value["question"] === "string" &&
    typeof value["at"] === "number" &&
    typeof value["until"] === "number" &&
    Array.isArray(value["signers"]) &&
    value["signers"].length > 0
  );
}
