/**
 * Mends what check.ts found (CHECK-3): made anew from the archives where that can be, else put aside; removed only what nobody
 * can need. The caller holds the store's exclusive lock.
 */
import { randomBytes } from "node:crypto";
import { rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf } from "../base/failure.ts";
import { ioFailure, writeAtomic } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { withHostLabels } from "../schema/platform.ts";
import { sha512 } from "../shim/sha512.ts";
import type { Found } from "./check.ts";
import { quarantineOf, type Store } from "./layout.ts";
import { listIdsSync, listRecordsSync, readRecordSync } from "./lookup.ts";
import { mendIndex, mendManifests, mendOrphan } from "./mend.ts";
import { newestKey } from "./newest.ts";
import { encodeSelfChecking } from "./records.ts";
import { throwAway } from "./staging.ts";

export type Outcome = "left" | "repaired" | "removed" | "quarantined";

export interface Finding extends Found {
  readonly outcome: Outcome;
}

export interface RepairOptions {
  /** scanStore once more. */
  readonly scanAgain: () => readonly Found[];
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** Makes the directories of the layout that are gone; what stands in the place of one is put aside. */
export async function makeLayout(store: Store, found: readonly Found[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const finding of found) {
    await putAside(store, finding.path);
    makeDirectories(finding.path, 0o700);
    findings.push({ ...finding, outcome: "repaired" });
  }
  return findings;
}

/** @returns every finding with what became of it */
export async function repairStore(
  store: Store,
  found: readonly Found[],
  options: RepairOptions,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const mendAll = async (remedy: Found["remedy"], isStill: (one: Found) => boolean = () => true): Promise<void> => {
    for (const finding of found.filter((one) => one.remedy === remedy)) {
      findings.push({ ...finding, outcome: isStill(finding) ? await mend(store, finding, options) : "repaired" });
    }
  };
  // What is put aside first makes room for what is made anew, and what is made anew may need what seemed to be left over.
  await mendAll("quarantine");
  await mendAll("rebuild");
  const left = new Set(options.scanAgain().map(({ path }) => path));
  await mendAll("remove", ({ path }) => left.has(path));
  await mendAll("none");
  return findings;
}

async function mend(store: Store, { kind, path, remedy, id }: Found, options: RepairOptions): Promise<Outcome> {
  const { log, signal } = options;
  if (remedy === "none") return "left";
  if (remedy === "quarantine") return (await putAside(store, path)) ? "quarantined" : "removed";
  if (remedy === "remove") {
    await throwAway(store, [path]);
    return "removed";
  }
  if (kind === "mark") return await mendMark(store, path);
  if (kind === "archive") {
    const isListed = (await mendOrphan(store, basename(path), log, signal)) !== undefined || isOwned(store, path);
    if (isListed) return "repaired";
    return (await putAside(store, path)) ? "quarantined" : "removed";
  }
  if (id === undefined) return "left";
  if (kind === "record") {
    await putAside(store, path);
    await mendIndex(store, [id], log, signal);
    return readRecordSync(store, id) === undefined ? "quarantined" : "repaired";
  }
  const records = listRecordsSync(store).filter((record) => record.id === id);
  return (await mendManifests(store, records, log, signal)) === records.length ? "repaired" : "left";
}

/** A record that was mended before this may have it by now. */
function isOwned(store: Store, path: string): boolean {
  return listRecordsSync(store).some((record) => record.archive.sha512 === basename(path));
}

/** The time of the newest signature that a stored image of the name brought, if the file is of a name that is stored. */
async function mendMark(store: Store, path: string): Promise<Outcome> {
  const records = listIdsSync(store).flatMap((id) => readRecordSync(store, id) ?? []);
  for (const { name } of records) {
    const key = newestKey({ name, labels: withHostLabels([]) });
    if (`${sha512(key)}.json` !== basename(path)) continue;
    const times = records
      .filter((record) => record.name === name)
      .flatMap((record) => record.signers.map((signer) => Date.parse(signer.signedAt)));
    if (times.length === 0) break;
    await putAside(store, path);
    const signedAt = new Date(Math.max(...times)).toISOString();
    await writeAtomic(path, encodeSelfChecking({ key, signedAt }), 0o600);
    return "repaired";
  }
  return (await putAside(store, path)) ? "quarantined" : "removed";
}

/** Into quarantine/, under a name that says where it was. @returns whether it was there */
async function putAside(store: Store, path: string): Promise<boolean> {
  try {
    makeDirectories(quarantineOf(store), 0o700);
    await rename(path, join(quarantineOf(store), `${randomBytes(4).toString("hex")}-${basename(path)}`.slice(0, 255)));
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw ioFailure(error, `cannot put ${path} aside`, path);
  }
}
