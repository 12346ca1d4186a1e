/** The slow half of checking a store: every archive is read and compared with its digest, every tree with one that is rendered anew. */
import { existsSync, lstatSync } from "node:fs";
import { basename, join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { keptBy, treeIdIfKnown } from "./check.ts";
import { digestBlobsOf } from "./digest-blobs.ts";
import { fetchAgain, lostSource } from "./fetch-again.ts";
import { readArchiveBlob } from "./images.ts";
import { openPlanner } from "./layers.ts";
import { type Store, treePath } from "./layout.ts";
import { listNames, listRecordsSync, shelvesOf } from "./lookup.ts";
import type { StoredRecord } from "./records.ts";
import type { TreeUsers } from "./removal.ts";
import type { Finding } from "./repair.ts";
import { findTree } from "./trees.ts";
import { type TreeVerdict, verifyTree } from "./verification.ts";
import type { UnpackAgain } from "./verify-layers.ts";

export interface ContentOptions {
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadArchives {
  readonly count: number;
  /** Bytes. */
  readonly size: number;
  /** Digests that the bytes of the file of that name do not have. */
  readonly rotten: ReadonlySet<string>;
}

/** Reads every archive once, in pieces. One that is removed meanwhile is passed over. @throws Failure INTERRUPTED, IO_FAILED */
export async function readArchives(store: Store, { log, signal }: ContentOptions): Promise<ReadArchives> {
  const archives = shelvesOf(store)
    .flatMap((shelf) => listNames(shelf).map((name) => join(shelf, name)))
    .filter((path) => /^[0-9a-f]{128}$/.test(basename(path)))
    .map((path) => ({ sha512: basename(path), file: lstatSync(path, { throwIfNoEntry: false }) }))
    .flatMap(({ sha512, file }) => (file?.isFile() === true ? [{ sha512, size: file.size }] : []));
  const size = archives.reduce((sum, archive) => sum + archive.size, 0);
  const task = "reading the archives of the store";
  const rotten = new Set<string>();
  let done = 0;
  for (const archive of archives) {
    try {
      for await (const chunk of readArchiveBlob(store, { name: archive.sha512.slice(0, 12), archive })) {
        done += chunk.length;
        log.progress({ task, done, total: size });
        if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === "DIGEST_MISMATCH") rotten.add(archive.sha512);
      else if (error.code !== "NOT_FOUND") throw error;
    }
  }
  log.progress({ task, done, total: size, finished: true });
  return { count: archives.length, size, rotten };
}

export interface TreeCheckOptions extends ContentOptions {
  readonly repair: boolean;
  /** As verifyTree takes it. */
  readonly unpackAgain?: UnpackAgain | undefined;
  /** Asked with the store held for itself. */
  readonly users: () => TreeUsers;
}

/** What is wrong with the trees of stored images, and what became of it. An image whose archives cannot be read is the other half's. */
export async function checkTrees(store: Store, options: TreeCheckOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const records = listRecordsSync(store);
  const planner = openPlanner(store, records);
  for (const record of records) {
    const treeId = treeIdIfKnown(planner, record.id);
    if (treeId === undefined || (record.oci === undefined && findTree(store, treeId) === undefined)) continue;
    const finding = await checkTree(store, record, treeId, options);
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

/** They say something of an archive, and were told of it. */
const ofArchive: ReadonlySet<string> = new Set(["DIGEST_MISMATCH", "NOT_FOUND", "MANIFEST_INVALID", "ARCHIVE_INVALID"]);

async function checkTree(
  store: Store,
  record: StoredRecord,
  treeId: string,
  options: TreeCheckOptions,
): Promise<Finding | undefined> {
  try {
    const verdict = await verifyTree(store, record.id, options);
    return ["same", "not rendered", "not compared"].includes(verdict.tree)
      ? undefined
      : findingOf(store, record, verdict);
  } catch (error) {
    if (!(error instanceof Failure) || !ofArchive.has(error.code)) throw error;
    if (record.oci !== undefined) return rottenLayers(store, record, error, options.repair);
    if (existsSync(treePath(store, treeId))) options.log.warn(`a tree was not compared: ${error.message}`);
    return undefined;
  }
}

/** Nothing here can make a blob anew: whoever published the image has it. */
function rottenLayers(store: Store, record: StoredRecord, { message }: Failure, isDropped: boolean): Finding {
  return {
    kind: "archive",
    path: digestBlobsOf(store),
    problem: message,
    isDamage: true,
    remedy: "none",
    advice: `${isDropped || record.source === lostSource ? "" : "perigee store check --repair, then "}${fetchAgain(record)}`,
    id: record.id,
    outcome: "left",
  };
}

function findingOf(store: Store, { name, id }: StoredRecord, verdict: TreeVerdict): Finding {
  const first = verdict.differences[0];
  const which = first === undefined ? "" : `: ${printable(first.path)} (${first.why.join(", ")})`;
  const more = verdict.differenceCount > 1 ? ` and ${verdict.differenceCount - 1} more` : "";
  return {
    kind: "tree",
    path: treePath(store, verdict.treeId),
    problem: `the tree of ${printable(name)} differs${which}${more}`,
    isDamage: true,
    remedy: "rebuild",
    id,
    outcome: verdict.tree === "repaired" ? "repaired" : "left",
    ...(verdict.usedBy.length > 0 && keptBy(verdict.usedBy)),
  };
}
