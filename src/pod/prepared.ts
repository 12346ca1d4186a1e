/** A pod that was prepared and waits to be run: put down so that it outlives a loss of power, taken up again by one caller. */
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import { readStateFile } from "../base/state-file.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import { sha512 } from "../shim/sha512.ts";
import { claimOf, ownsRange } from "./id-ranges.ts";
import { type FoundPod, findPod, noSuchPod, Pod, resolvePod } from "./pod.ts";
import { findPodRecord, type PodRecord, type PreparedTerms } from "./record.ts";

/** What the directory of a prepared pod says. */
export interface WaitingPod {
  readonly record: PodRecord;
  readonly terms: PreparedTerms;
  /** Reified; the bytes are the ones that were written. */
  readonly manifest: PodManifest;
}

/**
 * Moves a filled pod from `prepare` to `prepared` and gives up its lock. What it says and the claim of its ids are on the disk before the
 * move is (LIFE-50). @throws Failure IO_FAILED, DISK_FULL
 */
export async function putDown(data: string, root: string, pod: Pod, { idBase }: PodRecord): Promise<void> {
  try {
    const claim = idBase === undefined ? [] : [claimOf(data, idBase)];
    for (const path of [join(pod.directory, "record"), join(pod.directory, "manifest"), ...claim]) await syncFile(path);
    for (const path of [pod.directory, ...claim.map(dirname)]) await syncDirectory(path);
    pod.move("prepared");
    await syncDirectory(join(root, "prepared"));
  } catch (error) {
    throw ioFailure(error, `cannot keep pod ${pod.uuid}`, pod.uuid);
  }
  pod.release();
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Looks of 20 ms at a pod that somebody holds for an instant: who only looked at it, or another caller who is about to run it. */
const looks = 100;

/**
 * The prepared pod that a user means, held by this process; of several callers one gets it.
 * @throws Failure WRONG_STATE naming the state of a pod that is not prepared, LOCKED when it is held for two seconds, and as resolvePod
 */
export async function takePrepared(root: string, text: string): Promise<Pod> {
  const { uuid } = resolvePod(root, text);
  for (let look = 0; look < looks; look++) {
    const found = findPod(root, uuid);
    if (found === undefined) throw noSuchPod(uuid);
    if (found.phase !== "prepared") throw notPrepared(found);
    const pod = Pod.take(root, uuid, "prepared");
    if (pod !== undefined) return pod;
    await sleep(20);
  }
  throw new Failure("LOCKED", `pod ${uuid} is being used by another process`, {
    subject: uuid,
    hint: "try again later",
  });
}

function notPrepared({ uuid, state }: FoundPod): Failure {
  const hint = state === "preparing" ? "try again when it is prepared" : "perigee prepare makes another pod";
  return new Failure("WRONG_STATE", `pod ${uuid} is ${state}, not prepared`, { subject: uuid, hint });
}

/** @throws Failure WRONG_STATE for a directory that is damaged, or whose ids are another's by now (LIFE-17, LIFE-22) */
export function readWaiting(data: string, { uuid, directory }: Pick<Pod, "uuid" | "directory">): WaitingPod {
  const { record, problem } = findPodRecord(directory);
  const terms = record?.prepared;
  if (record === undefined || terms === undefined) throw damaged(uuid, `its record is ${problem ?? "missing"}`);
  const file = readStateFile(join(directory, "manifest"));
  if ("problem" in file) throw damaged(uuid, `its manifest is ${file.problem}`);
  if (sha512(file.bytes) !== terms.manifestSha512) throw damaged(uuid, "its manifest is not what perigee wrote");
  if (record.idBase !== undefined && !ownsRange(data, uuid, record.idBase)) {
    throw damaged(uuid, `nothing says any more that the user ids from ${record.idBase} on are its own`);
  }
  return { record, terms, manifest: JSON.parse(file.bytes.toString("utf8")) };
}

function damaged(uuid: string, cause: string): Failure {
  return new Failure("WRONG_STATE", `pod ${uuid} cannot be run any more`, {
    subject: uuid,
    cause,
    hint: `perigee rm ${uuid}, and prepare it again`,
  });
}
