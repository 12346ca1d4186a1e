/**
 * With which ids of an ordinary user the files of a store were made. The numbers on the disk mean nothing under others: such a store is not
 * touched until they are back.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { readStateFile } from "../base/state-file.ts";
import { type CallerIds, callerIds } from "../shim/caller-ids.ts";
import type { IdMap } from "../shim/plan.ts";
import type { Store } from "./layout.ts";

/** Notes the caller's ids, or compares them with those noted; more of them than before are noted (LIFE-91). @throws Failure WRONG_STATE */
export function requireSameIds(store: Store, ids: CallerIds | undefined = callerIds()): void {
  if (ids === undefined) return;
  const path = join(store.root, "ids");
  const now = textOf(ids);
  const file = readStateFile(path);
  if (!("problem" in file)) {
    const before = file.bytes.toString("utf8");
    if (before === now) return;
    if (before !== "" && !isPart(before, now)) throw otherIds(store, before, ids);
  } else if (file.problem !== "missing") {
    throw otherIds(store, `a file that is ${file.problem}\n`, ids);
  }
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, now, { mode: 0o600 });
  renameSync(temporary, path);
}

/** A line for the users and one for the groups: `INSIDE OUTSIDE COUNT` with commas between. */
function textOf({ uids, gids }: CallerIds): string {
  const line = (maps: readonly IdMap[]) =>
    maps.map(({ inside, outside, count }) => `${inside} ${outside} ${count}`).join(",");
  return `${line(uids)}\n${line(gids)}\n`;
}

/** Whether every range of before is still there, at its place. */
function isPart(before: string, now: string): boolean {
  const lines = now.split("\n").map((line) => line.split(","));
  return before.split("\n").every((line, index) => line.split(",").every((range, at) => lines[index]?.[at] === range));
}

function otherIds(store: Store, before: string, { lacks }: CallerIds): Failure {
  return new Failure("WRONG_STATE", `the files in ${store.root} were made with other ids than you have now`, {
    subject: store.root,
    cause: `then ${before.trim().replace("\n", "; ")}${lacks === undefined ? "" : `; now there is one id, for want of ${lacks}`}`,
    hint: "have the lines in /etc/subuid and /etc/subgid restored, or use another data directory: --dir DIRECTORY",
  });
}
